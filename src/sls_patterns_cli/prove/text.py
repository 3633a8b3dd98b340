"""The result for people: a line an edge as soon as it is known, and a sum at the end."""

from collections import Counter
from collections.abc import Sequence

from sls_patterns_cli.cloudformation.source import Source
from sls_patterns_cli.prove.report import Report, Row, Seen
from sls_patterns_cli.terminal import output

SECONDS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def say(source: Source, row: Row) -> None:
    """Print a row."""
    output.show(heading(source, row))
    output.show(f"  {sentence(source, row)}")


def heading(source: Source, row: Row) -> str:
    """Return the edge of a row, how it is connected, and what went wrong."""
    edge = f"{source.name(row.edge.source)} => {source.name(row.edge.target)}"
    return f"{edge} ({row.edge.mechanism}{f', {row.fault}' if row.fault else ''})"


def sentence(source: Source, row: Row) -> str:
    """Return what came of a row."""
    outcome = row.outcome
    match outcome.verdict:
        case "ended":
            parts = [
                f"ends in {source.name(outcome.ended_at or '')}{_after(outcome.after_seconds)}"
            ]
            parts.append(_seen(source, row))
            parts.append(f"came back: {outcome.back}" if outcome.back else "did not come back")
        case "lost":
            parts = [f"lost{_after(outcome.after_seconds)}"]
        case "for-ever":
            parts = ["tried again until it expires, then lost"]
        case _:
            return f"{outcome.verdict}: {outcome.why}"
    if outcome.taken_along is not None:
        parts.append(f"takes {outcome.taken_along} of 9 good messages along")
    return ", ".join(parts)


def _seen(source: Source, row: Row) -> str:
    if row.alarms:
        return ", ".join(f"{source.name(each.alarm)} {_rings(each)}" for each in row.alarms)
    return {True: "somebody is told", "unknown": "nobody knows whether it is seen"}.get(
        row.outcome.alarmed, "nobody would see it"
    )


def _rings(seen: Seen) -> str:
    match seen.minutes:
        case "never":
            return "does not go off"
        case "already on":
            return "is on already, and tells nobody"
        case "unknown":
            return "would see it"
    return f"goes off {seen.minutes} minute{'' if seen.minutes == 1 else 's'} later"


def _after(seconds: float | None) -> str:
    """How long it takes on AWS, in the largest unit that fits."""
    if seconds is None:
        return ""
    for size, unit in SECONDS:
        if seconds >= size:
            number = round(seconds / size, 1)
            return f" after {number:g} {unit}{'' if number == 1 else 's'}"
    return " at once"


def summary(found: Sequence[Report]) -> None:
    """Print how many edges there are of each verdict."""
    counts = Counter(row.outcome.verdict for report in found for row in report.rows)
    total = sum(counts.values())
    said = ", ".join(f"{number} {verdict}" for verdict, number in counts.most_common())
    if total:
        output.show(f"\n{total} edge{'' if total == 1 else 's'}: {said}")
    elif not any(report.problem for report in found):
        output.show("No asynchronous edges")
