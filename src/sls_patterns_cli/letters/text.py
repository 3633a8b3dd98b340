"""What the commands print, for people and as JSON."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sls_patterns_cli.letters.ends import End
from sls_patterns_cli.letters.groups import Group, group_of, masked
from sls_patterns_cli.letters.history import History
from sls_patterns_cli.letters.letter import UNREADABLE, Cause, Letter, decoded
from sls_patterns_cli.letters.listing import Listed, notes, total
from sls_patterns_cli.letters.logs import Line
from sls_patterns_cli.letters.lost import Lost
from sls_patterns_cli.letters.pausing import Switched
from sls_patterns_cli.letters.redaction import Filter
from sls_patterns_cli.letters.redriving import Redriven
from sls_patterns_cli.letters.setting_aside import SetAside
from sls_patterns_cli.letters.starters import Starter
from sls_patterns_cli.letters.stores import HELD_SECONDS
from sls_patterns_cli.letters.ways.way import Way
from sls_patterns_cli.terminal.sentences import listed

VERDICTS = "sent", "processed", "failed-again", "kept"

MOST_ROWS = 3
LONGEST_LINE = 1_000
"""Of what failed, and of a log: rows that are shown, and characters of a line."""

UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


def end_lines(found: Listed, owner: str) -> Iterator[str]:
    """Yield the lines about an end, without its groups."""
    yield found.total
    owned = f"; owner: {owner}" if owner else ""
    yield f"goes back {listed(ways_back(found.end))}{owned}"
    yield from found.drift
    yield from notes(found.end)
    yield from (f"warning: {line}" for line in found.warnings)
    if found.copies:
        yield _copies(found.copies)
    if found.counts and found.counts.in_flight:
        yield f"what is in flight, another run holds for {HELD_SECONDS} s at most, or a consumer"


def ways_back(end: End) -> list[str]:
    """Return how what is in an end goes back, as `check` and `prove` say it."""
    return list(dict.fromkeys(way.goes_back for way in end.ways))


def list_json(found: Listed, owner: str) -> dict[str, Any]:
    counts = found.counts
    return {
        "end": found.end.name,
        "failed": found.end.failed,
        "back": ways_back(found.end),
        "owner": owner or None,
        "visible": counts.visible if counts else None,
        "in_flight": counts.in_flight if counts else None,
        "delayed": counts.delayed if counts else None,
        "seen": found.seen,
        "copies": found.copies,
        "complete": not found.unseen,
        "retention_seconds": int(found.retention.total_seconds()) if found.retention else None,
        "drift": found.drift,
        "notes": notes(found.end),
        "warnings": found.warnings,
        "groups": [
            {
                "group": group.id,
                "failed": group.failed,
                "kind": group.kind,
                "cause": group.cause,
                "logged": group.is_logged,
                "guess": group.guess or None,
                "count": group.count,
                "oldest": _time(group.oldest),
                "newest": _time(group.newest),
                "expires": _time(found.expires(group)),
                "examples": [letter.id for letter in group.examples],
            }
            for group in found.groups.values()
        ],
    }


def progress(name: str, seen: int, total: int | None, seconds: float) -> str:
    """Return how far a reading is, with its rate and the time left."""
    rate = seen / seconds if seconds else 0
    if total is None or total < seen:
        return f"{name}: {seen:,}, {rate:,.0f} a second"
    left = f", {duration(timedelta(seconds=(total - seen) / rate))} left" if rate else ""
    return f"{name}: {seen:,} of {total:,}, {rate:,.0f} a second{left}"


def sending_question(counts: Mapping[str, int], ends: Sequence[str]) -> str:
    """Return what is asked before letters are sent back; `counts` are by what failed."""
    total = f"Send back {counted(sum(counts.values()))} of {_ends(ends)}?"
    parts = [f"{count:,} of {name}" for name, count in counts.items()]
    return f"{total} {', '.join(parts)}" if len(parts) > 1 else total


def discarding_question(counts: Mapping[str, int], file: str) -> str:
    """Return what is asked before letters are discarded; `counts` are by end."""
    total = f"Delete {counted(sum(counts.values()))} of {_ends([*counts])}, after a copy to {file}?"
    parts = [f"{count:,} of {name}" for name, count in counts.items()]
    return f"{total} {', '.join(parts)}" if len(parts) > 1 else total


def _ends(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} ends"


def why(group: Group) -> str:
    """Return the cause of a group, with the likely error where nothing says it."""
    likely = f"guess: {group.guess}" if group.guess else group.unread
    return f"{group.cause} ({likely})" if likely else group.cause


def letter_json(  # noqa: PLR0913, PLR0917 - all that is said of a letter
    way: Way, letter: Letter, cause: Cause, guess: str, past: History, hidden: Filter | None
) -> dict[str, Any]:
    """Return what is said of a letter; what failed only where a filter is given for it."""
    said: dict[str, Any] = {
        "id": letter.id,
        "message_id": letter.message_id or None,
        "end": letter.end,
        "group": group_of(letter.end, way.failed, cause),
        "failed": way.failed,
        "kind": way.kind,
        "back": way.goes_back,
        "sent_at": _time(past.sent_at),
        "received": past.received,
        "failed_at": _time(past.failed_at),
        "expires": _time(past.expires_at),
        "trace": letter.trace or None,
        "cause": str(cause) if hidden else masked(str(cause)),
        "logged": cause.is_logged,
        "guess": guess or None,
        "log": [{"at": _time(line.at), "line": _logged(line.text, hidden)} for line in past.lines],
    }
    if hidden:
        try:
            said["payload"] = hidden.redacted(way.payload(letter))
        except UNREADABLE as error:
            said["payload"] = f"cannot be read: {error!r}"
    return said


def letter_lines(said: dict[str, Any]) -> Iterator[str]:
    yield f"{said['end']}: {said['id']}"
    received = "once" if said["received"] == 1 else f"{said['received']} times"
    failed = f", failed {said['failed_at']}" if said["failed_at"] else ""
    expires = f", expires {said['expires']}" if said["expires"] else ""
    yield f"  failed at {said['failed']}, goes back {said['back']}"
    yield f"  history:  sent {said['sent_at']}{failed}, received {received}{expires}"
    if said["trace"]:
        yield f"  trace:    {said['trace']}"
    guess = f" (guess: {said['guess']})" if said["guess"] else ""
    yield f"  why:      {said['cause'] or 'no cause is recorded'}{guess}"
    if "payload" in said:
        yield from _labelled("what", _payload_lines(said["payload"]))
    yield from _labelled("log", (f"{line['at']} {line['line']}" for line in said["log"]))


def _labelled(label: str, lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield f"  {'' if number else f'{label}:':<10}{line}"


def _payload_lines(payload: Any) -> Iterator[str]:
    """Yield what failed: of many rows their count and some, and no line without an end."""
    if isinstance(payload, list) and len(payload) > MOST_ROWS:
        yield f"{len(payload):,} rows, of which these are the first {MOST_ROWS}:"
        for row in payload[:MOST_ROWS]:
            yield _cut(_dumped(_shortened(row)))
    else:
        yield _cut(_dumped(_shortened(payload)))


def _shortened(value: Any) -> Any:
    """Return a value with the first of many rows, and the beginning of long texts."""
    if isinstance(value, dict):
        return {name: _shortened(inner) for name, inner in value.items()}
    if isinstance(value, list):
        more = len(value) - MOST_ROWS
        first = [_shortened(each) for each in value[:MOST_ROWS]]
        return [*first, f"… and {more:,} more"] if more > 0 else first
    return _cut(value) if isinstance(value, str) else value


def _logged(line: str, hidden: Filter | None) -> str:
    """Return a line of a log: in full only with a filter, and else what it says without values."""
    told = decoded(line)
    if not isinstance(told, dict):
        return _cut(" ".join(line.split())) if hidden else masked(line)
    if hidden:
        return _cut(_dumped(hidden.redacted(told)))
    level = str(told.get("level") or told.get("log_level") or "")
    message = told.get("message")
    text = message if isinstance(message, str) else ""
    error = Line(datetime.now(UTC), line).error
    more = error if error != text else ""
    return masked(": ".join(filter(None, (f"{level} {text}".strip(), more))))


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _cut(text: str) -> str:
    more = len(text) - LONGEST_LINE
    return text if more <= 0 else f"{text[:LONGEST_LINE]}… and {more:,} more characters"


def redrive_lines(done: Redriven, *, dry_run: bool) -> Iterator[str]:
    name = done.end.name
    if dry_run:
        yield f"{name}: {done.chosen} of {done.seen - done.copies} would be sent back"
        return
    left = done.stay - done.came_back
    stay = f", {left} stay" if left else ""
    yield f"{name}: {done.left} sent back{_came_back(done)}{stay}"
    if done.verdicts.get("processed"):
        yield f"  processed: {done.verdicts['processed']} of them"
    if done.copies:
        yield f"  {_copies(done.copies)}"
    yield from (f"  stays: {reason}" for _, _, reason in done.reasons)
    told = len(done.reasons) + sum(count for _, count, _ in done.groups)
    for group, count, why in done.groups:
        of_group = f" of group {group}" if group else ""
        yield f"  stays: {count}{of_group}, as {why}"
    if told < done.stay:
        yield f"  stays: {done.stay - told} more"
    if done.unseen and done.counts:
        yield f"  {total(name, done.counts, done.seen)}"
    if done.task_failed:
        one_by_one = "with --older-than 0s letters are sent one by one"
        yield f"  SQS ended its task: {done.task_failed}; {one_by_one}"


def _came_back(done: Redriven) -> str:
    if not done.came_back:
        return ""
    known = done.back_reasons if len(done.back_reasons) == 1 else {""}
    return f"; {done.came_back} came back{next(iter(known))}"


def redrive_json(done: Redriven, *, dry_run: bool) -> dict[str, Any]:
    return {
        "end": done.end.name,
        "dry_run": dry_run,
        "seen": done.seen,
        "copies": done.copies,
        "chosen": done.chosen,
        "moved_by_sqs": bool(done.task),
        "verdicts": {verdict: done.verdicts.get(verdict, 0) for verdict in VERDICTS},
        "came_back": done.came_back,
        "kept_groups": [
            {"group": group or None, "count": count, "reason": why}
            for group, count, why in done.groups
        ],
        "canaries": [
            {"group": group, "id": id_, "verdict": verdict} for group, id_, verdict in done.canaries
        ],
        "task_failed": done.task_failed or None,
        "letters": [
            {"id": id_, "verdict": verdict, "reason": reason}
            for id_, verdict, reason in done.reasons
        ],
    }


def question(chosen: Sequence[Starter], *, on: bool) -> str:
    """Return what is asked before what starts a function is enabled or disabled."""
    function = chosen[0].function
    if on:
        return f"Enable {', '.join(map(_starter, chosen))} of {function}?"
    told = "; ".join(f"{_starter(each)}: {each.meanwhile}" for each in chosen)
    return f"Disable what starts {function}: {told}?"


def switched_lines(
    function: str, switched: Sequence[Switched], going_on: Sequence[str]
) -> Iterator[str]:
    for each in switched:
        state = "enabled" if each.is_enabled else "disabled"
        already = "" if each.is_new else " already"
        kept = "" if each.is_enabled else f"; {each.starter.meanwhile}"
        yield f"{function}: {_starter(each.starter)} is {state}{already}{kept}"
    if going_on:
        yield f"{function} is still started by {', '.join(going_on)}"
    if any(not each.is_enabled for each in switched):
        yield f"{function} still processes what it has received; {_resume(function)}"


def switched_json(
    function: str, switched: Sequence[Switched], going_on: Sequence[str]
) -> dict[str, Any]:
    return {
        "function": function,
        "sources": [
            {
                "name": each.starter.name,
                "kind": each.starter.kind,
                "source": each.starter.edge.source,
                "enabled": each.is_enabled,
                "changed": each.is_new,
            }
            for each in switched
        ],
        "still_started_by": list(going_on),
    }


def lost_lines(found: Lost) -> Iterator[str]:
    """Yield what is lost, and what to add, as `check` says it."""
    yield f"lost: {found.message}"
    first, *lines = found.mend.splitlines()
    yield f"  {found.rule}: {first}"
    yield from (f"    {line}" for line in lines)
    yield f"  {found.url}"


def paused_line(starter: Starter) -> str:
    return f"{starter.function} is paused: {_starter(starter)} is disabled; " + _resume(
        starter.function
    )


def paused_json(starter: Starter) -> dict[str, str]:
    return {"function": starter.function, "name": starter.name, "kind": starter.kind}


def _starter(starter: Starter) -> str:
    of = f" of {starter.edge.source}" if starter.edge.source != starter.name else ""
    return f"{starter.name} ({starter.kind}{of})"


def _resume(function: str) -> str:
    return f"to resume it: sls-patterns letters resume {function}"


def running_line(queue: str, consumer: str) -> str:
    return (
        f"{queue}: {consumer} consumes it, and may receive the head first; "
        f"sls-patterns letters pause {consumer} prevents that"
    )


def set_aside_lines(done: SetAside) -> Iterator[str]:
    if done.message:
        unrecorded = ", ".join(done.unrecorded)
        keep = f"; the letter has no place for {unrecorded}: keep this line" if unrecorded else ""
        yield (
            f"{done.name}: {done.message.id}, received {done.message.received} times, "
            f"is set aside in {done.dead_letters.name} by {done.who}{keep}"
        )
    if done.others:
        spent = f"; {done.spent} have no receive left" if done.spent else ""
        yield f"  {done.others} of other groups were received once or twice, and given back{spent}"


def set_aside_json(done: SetAside) -> dict[str, Any]:
    return {
        "queue": done.queue.name,
        "message_group": done.wish.group,
        "dead_letter_queue": done.dead_letters.name,
        "message": done.message.id if done.message else None,
        "received": done.message.received if done.message else None,
        "set_aside_by": done.who,
        "unrecorded": done.unrecorded,
        "others_received": done.others,
        "others_without_receives": done.spent,
        "problem": done.problem or None,
    }


def duration(span: timedelta) -> str:
    """Return a span in its largest unit, such as `3d`."""
    left = max(0, int(span.total_seconds()))
    size, unit = next((each for each in UNITS if left >= each[0]), UNITS[-1])
    return f"{left // size}{unit}"


def _copies(count: int) -> str:
    return f"copies: {count}, as what was sent to it twice is one letter"


def counted(count: int) -> str:
    return "1 letter" if count == 1 else f"{count:,} letters"


def _time(when: datetime | None) -> str | None:
    return when.astimezone(UTC).isoformat(timespec="seconds") if when else None
