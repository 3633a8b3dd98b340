"""The result for people: a line an edge as soon as it is known, and a sum at the end."""

from collections import Counter
from collections.abc import Callable, Sequence

from sls_patterns_cli.cloudformation.source import Source
from sls_patterns_cli.prove.report import Report, Row
from sls_patterns_cli.prove.telling import Seen
from sls_patterns_cli.terminal import output
from sls_patterns_cli.wiring.alarms import Told

OTHERWISE: dict[Told, str] = {
    True: "somebody is told",
    False: "nobody would see it",
    "unknown": "nobody knows whether it is seen",
}
"""Where no alarm watches anything of a failure."""

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
            parts += _told(source, row) or [OTHERWISE[row.outcome.alarmed]]
            parts.append(_came_back(source, row))
        case "lost":
            parts = [f"lost{_after(outcome.after_seconds)}", *_told(source, row)]
        case "for-ever":
            parts = ["tried again until it expires, then lost", *_told(source, row)]
        case _:
            return f"{outcome.verdict}: {outcome.why}"
    if outcome.taken_along is not None:
        parts.append(f"takes {outcome.taken_along} of 9 good messages along")
    return ", ".join(parts)


def _came_back(source: Source, row: Row) -> str:
    if not row.outcome.back:
        return "did not come back"
    return source.text(f"came back {row.way_back}" if row.way_back else "came back")


def _told(source: Source, row: Row) -> list[str]:
    """Say who hears of it: what pages and when, else why nobody does."""

    def named(is_so: Callable[[Seen], bool]) -> str:
        return ", ".join(source.name(each.alarm) for each in row.alarms if is_so(each))

    paging = [(each.minutes, source.name(each.alarm)) for each in row.alarms if each.pages]
    said = []
    if paging:
        if row.is_unwatched:
            said.append(f"no alarm watches {source.name(row.outcome.ended_at or '')}")
        times = (f"{minutes} min ({name})" for minutes, name in sorted(paging))
        said.append(f"pages after {', '.join(times)}")
    elif never := named(lambda each: each.minutes == "never"):
        said.append(f"never pages ({never})")
    said += [
        f"already on since {_since(each)} ({source.name(each.alarm)})"
        for each in row.alarms
        if each.minutes == "already on"
    ]
    if silent := named(lambda each: not each.tells and isinstance(each.minutes, int)):
        said.append(f"goes off without an action, so tells nobody ({silent})")
    if unknown := named(lambda each: each.tells and each.minutes == "unknown"):
        said.append(f"may page ({unknown})")
    return said


def _since(seen: Seen) -> str:
    return f"{seen.since} min before" if isinstance(seen.since, int) else str(seen.since)


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
