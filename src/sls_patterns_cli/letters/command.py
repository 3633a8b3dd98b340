"""The commands: find the stack, do what is asked for, print it, and return the exit code."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from sls_patterns_cli.cloudformation.document import Template
from sls_patterns_cli.cloudformation.sources import sources
from sls_patterns_cli.errors import UserError
from sls_patterns_cli.letters import deployed as deployments
from sls_patterns_cli.letters import discarding, listing, pausing, setting_aside, table, text
from sls_patterns_cli.letters.aws import Clients, connect, explained
from sls_patterns_cli.letters.ends import End, ends
from sls_patterns_cli.letters.history import history_of
from sls_patterns_cli.letters.lost import lost
from sls_patterns_cli.letters.owners import owner_of
from sls_patterns_cli.letters.policy import Needs, Verb, policy
from sls_patterns_cli.letters.redaction import Filter
from sls_patterns_cli.letters.redriving import Redrive, Redriven, Wish
from sls_patterns_cli.letters.selection import Selection
from sls_patterns_cli.letters.starters import Starter, others, starters
from sls_patterns_cli.letters.stores import HELD_SECONDS
from sls_patterns_cli.system import interrupts
from sls_patterns_cli.terminal import output
from sls_patterns_cli.terminal.progress import Progress
from sls_patterns_cli.terminal.sentences import listed
from sls_patterns_cli.terminal.suited_progress import suited_progress

DONE, LEFT = 0, 1
"""Everything was seen and done, or something stays; what cannot be done at all is 2."""

MOST_WITH_LOG = 3
"""Of so many letters of an end `show` has the log lines."""

NOTHING = "no letter is as you say"

Confirm = Callable[[str | Callable[[], str]], bool]
"""Asks a question; one that it takes reading to put is put only to somebody who is asked."""

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True)
class Where:
    """The stack that is meant; `template` is a file that takes the place of its own."""

    stack: str
    template: Path | None = None
    only: tuple[str, ...] = ()
    """The ends that are meant; all if there is none."""


def list_letters(where: Where, selection: Selection, *, json: bool) -> int:
    """Print the letters of a stack by end and cause.

    LEFT where not all were seen or read, and, if the whole stack is asked for, where failures are
    lost.
    """
    found = _Stack(where)
    reports, problems = _listed(found, selection, is_quiet=json)
    paused, unknown = _paused(found)
    problems = problems or unknown
    is_whole = not where.only and selection.is_everything
    gone = list(lost(found.deployed.stack)) if is_whole else []
    if json:
        output.show_json(
            {
                "stack": found.deployed.name,
                "complete": not problems and not any(report.unseen for report in reports),
                "ends": [
                    text.list_json(report, owner_of(report.end, found.deployed))
                    for report in reports
                ],
                "elsewhere": found.said,
                "lost": [asdict(each) for each in gone],
                "paused": [text.paused_json(each) for each in paused],
            }
        )
    else:
        for report in reports:
            table.show(report, owner_of(report.end, found.deployed))
        found.show_said()
        for each in paused:
            output.show(text.paused_line(each))
        for fault in gone:
            output.show("\n".join(text.lost_lines(fault)))
        if not reports and not problems:
            output.show(f"{found.deployed.name} has no end that keeps letters")
        elif not problems and not any(report.seen or report.unseen for report in reports):
            output.show("no dead letters")
    incomplete = any(report.unseen for report in reports)
    return LEFT if incomplete or problems or gone else DONE


def _listed(
    found: "_Stack", selection: Selection, *, is_quiet: bool
) -> tuple[list[listing.Listed], bool]:
    """Read all ends; in a terminal it says how far it is."""
    progress = Progress() if is_quiet else suited_progress()
    started = time.monotonic()

    def read(end: End) -> listing.Listed:
        def seen(count: int, total: int | None) -> None:
            seconds = time.monotonic() - started
            progress.running(text.progress(end.name, count, total, seconds))

        return listing.listed(end, selection, seen)

    with progress.stage(f"Read {listed([end.name for end in found.ends])}"):
        return _for_each(found.ends, read)


def show(
    where: Where, selection: Selection, *, payload: bool, redact: Sequence[str], json: bool
) -> int:
    """Print single letters; what failed only with `payload`, without what a filter hides."""
    found = _Stack(where)
    hidden = Filter(redact) if payload else None

    letters: list[dict[str, Any]] = []

    def tell(said: dict[str, Any]) -> None:
        if json:
            letters.append(said)
        else:  # at once, as there may be thousands
            output.show("\n".join(text.letter_lines(said)))

    def shown(end: End) -> int:
        with explained(end.name):
            seconds = end.store.retention_seconds()
        retention = timedelta(seconds=seconds) if seconds else None
        count = 0
        for way, letter, cause in listing.letters_of(end, selection):
            # A call or two for each: of thousands nobody reads the log.
            with_log = count < MOST_WITH_LOG
            past = history_of(way, letter, cause, retention, with_log=with_log)
            guess = listing.guess_of(way, letter, cause)
            tell(text.letter_json(way, letter, cause, guess, past, hidden))
            count += 1
        return count

    counts, problems = _for_each(found.ends, shown)
    if json:
        output.show_json(letters)
    if not any(counts) and not problems:
        output.show_error(NOTHING)
    return LEFT if problems or not any(counts) else DONE


def redrive(where: Where, wish: Wish, confirm: Confirm, *, json: bool) -> int:
    """Send letters back; LEFT where some stay that were to be sent."""
    found = _Stack(where)
    if not wish.dry_run and not confirm(lambda: _sending(found, wish.selection)):
        return LEFT
    said = output.show_error if json else output.show

    progress = Progress() if json else suited_progress()

    def sent(end: End) -> Redriven:
        one = Redrive(end, wish)
        one.watch = _watching(progress, end, wish.selection)
        try:
            return one.run(said)
        except KeyboardInterrupt:
            _say_interrupted(one)
            raise

    with progress.stage(f"Send back letters of {listed([end.name for end in found.ends])}"):
        reports, problems = _for_each(found.ends, sent)
    if json:
        output.show_json([text.redrive_json(each, dry_run=wish.dry_run) for each in reports])
    else:
        for each in reports:
            if each.seen or each.task:
                output.show("\n".join(text.redrive_lines(each, dry_run=wish.dry_run)))
        if not problems and not any(each.chosen for each in reports):
            output.show(NOTHING)
    return DONE if not problems and all(each.is_done for each in reports) else LEFT


def _watching(progress: Progress, end: End, selection: Selection) -> Callable[[Redriven], None]:
    """Return what shows how far the redrive of an end is."""
    started = time.monotonic()

    def watch(done: Redriven) -> None:
        is_any = not (selection.ids or selection.groups)
        total = done.counts.total if done.counts and is_any else None
        count, seconds = sum(done.verdicts.values()), time.monotonic() - started
        progress.running(text.progress(end.name, count, total, seconds))

    return watch


def _sending(found: "_Stack", selection: Selection) -> str:
    """Return the question before letters are sent back, with how many there are of what failed."""
    counts = Counter[str]()

    def count(end: End) -> str | None:
        with explained(end.name):
            told = end.store.counts() if selection.is_everything else None
        if told:
            counts[listed(end.failed)] += told.total
            return end.name if told.total else None
        before = counts.total()
        counts.update(way.failed for way, _, _ in listing.letters_of(end, selection))
        return end.name if counts.total() > before else None

    ends, _ = _for_each(found.ends, count)
    return text.sending_question(+counts, [name for name in ends if name])


def discard(where: Where, selection: Selection, file: Path, confirm: Confirm, *, json: bool) -> int:
    """Copy letters into a new file, and delete them; LEFT where an end cannot be read."""
    copy = discarding.Copy(file)
    copy.require_new()
    found = _Stack(where)
    counts, problems = _for_each(found.ends, lambda end: (end, discarding.chosen(end, selection)))
    total = sum(count for _, count in counts)
    if not total:
        output.show_error(NOTHING)
        return LEFT
    chosen = {end.name: count for end, count in counts if count}
    if not confirm(lambda: text.discarding_question(chosen, output.shown(file))):
        return LEFT
    with copy:
        done, more = _for_each(
            [end for end, count in counts if count],
            lambda end: (end.name, discarding.discard(end, selection, copy)),
        )
    if json:
        output.show_json([{"end": name, "discarded": count} for name, count in done])
    else:
        for name, count in done:
            output.show(f"{name}: {count} discarded, and copied to {output.shown(file)}")
    return LEFT if problems or more else DONE


def count_discarded(where: Where, selection: Selection, *, json: bool) -> int:
    """Print how many letters a discard would delete; LEFT where there are none to be read."""
    found = _Stack(where)
    counts, problems = _for_each(
        found.ends, lambda end: (end.name, discarding.chosen(end, selection))
    )
    chosen = [(name, count) for name, count in counts if count]
    if json:
        output.show_json([{"end": name, "discarded": 0, "chosen": count} for name, count in chosen])
    for name, count in () if json else chosen:
        output.show(f"{name}: {count} would be discarded")
    if not chosen:
        output.show_error(NOTHING)
    return LEFT if problems or not chosen else DONE


def pause(where: Where, function: str, confirm: Confirm, *, json: bool) -> int:
    """Disable what starts a function; LEFT where something of it goes on."""
    return _switch(where, function, confirm, on=False, json=json)


def resume(where: Where, function: str, confirm: Confirm, *, json: bool) -> int:
    """Enable what the template has enabled to start a function; LEFT where some of it is not."""
    return _switch(where, function, confirm, on=True, json=json)


def _switch(where: Where, function: str, confirm: Confirm, *, on: bool, json: bool) -> int:
    found = _Stack(where)
    chosen = pausing.starters_of(found.starters, found.deployed, function)
    name = chosen[0].function
    if not confirm(text.question(chosen, on=on)):
        return LEFT
    try:
        switched, problems = _for_each(chosen, lambda each: pausing.switch(each, on=on))
    except KeyboardInterrupt:
        output.show_error(
            "interrupted: AWS may go on with it; sls-patterns letters list says what is paused"
        )
        raise
    going_on = [] if on else others(found.deployed, name)
    if json:
        output.show_json(text.switched_json(name, switched, going_on))
    else:
        for line in text.switched_lines(name, switched, going_on):
            output.show(line)
    return LEFT if problems else DONE


def _paused(found: "_Stack") -> tuple[list[Starter], bool]:
    """Return what is disabled now and enabled in the template, and whether some is not known."""
    asked, problems = _for_each(found.starters, lambda each: (each, pausing.is_paused(each)))
    return [each for each, is_paused in asked if is_paused], problems


def set_aside(
    where: Where, queue: str, wish: setting_aside.Wish, confirm: Confirm, *, json: bool
) -> int:
    """Move the head of a message group to the dead-letter queue; LEFT where it stays."""
    found = _Stack(where)
    source, end = setting_aside.fifo_queue(found.deployed, found.clients, queue)
    if not confirm(f"Move the head of group {wish.group} of {source.name} to {end.name}?"):
        return LEFT
    said = output.show_error if json else output.show
    consumers = [each for each in found.starters if each.edge.source == source.name]
    asked, _ = _for_each(consumers, lambda each: (each.function, pausing.is_paused(each)))
    running = [function for function, is_paused in asked if not is_paused]
    for each in running:
        said(text.running_line(source.name, each))
    with explained("Who sets it aside"):
        who = found.clients("sts").get_caller_identity()["Arn"]
    done = setting_aside.SetAside(source, end, wish, who)
    try:
        with setting_aside.Setting(done, found.clients, said) as setting:
            setting.run()
    except KeyboardInterrupt:
        held = setting_aside.TAKEN_SECONDS
        output.show_error(
            f"interrupted: nothing is set aside; what is held is shown again in {held} s at most"
        )
        raise
    if json:
        output.show_json(text.set_aside_json(done))
    for line in () if json else text.set_aside_lines(done):
        output.show(line)
    if done.problem:
        output.show_error(f"{done.name}: {done.problem}")
    return LEFT if done.problem else DONE


def show_policy(where: Where, verbs: Iterable[Verb]) -> int:
    """Print the least that a role needs for some commands on a stack."""
    found = _Stack(where)
    needs = Needs(found.deployed, found.ends, found.starters, found.clients)
    with explained(found.deployed.name):
        output.show_json(policy(needs, verbs))
    return DONE


class _Stack:
    """The deployed stack that a command is about."""

    def __init__(self, where: Where) -> None:
        self.clients: Clients = connect()
        template = _template(where.template) if where.template else None
        self.deployed = deployments.read(where.stack, self.clients, template)
        found, self.said = ends(self.deployed, self.clients)
        self.starters = starters(self.deployed, self.clients)
        meant = {name: _named(name, found) for name in where.only}
        unknown = sorted(name for name, end in meant.items() if end is None)
        if unknown:
            known = ", ".join(end.name for end in found) or "none"
            raise UserError(f"{', '.join(unknown)} keeps no letters here: {known} do.")
        self.ends = [end for end in found if not where.only or end in meant.values()]

    def show_said(self) -> None:
        for line in self.said:
            output.show(line)


def _named(name: str, found: Sequence[End]) -> End | None:
    """Return the end with this logical id, which may be without the hash that CDK adds."""
    exact = [end for end in found if end.name == name]
    meant = exact or [end for end in found if deployments.CDK_HASH.sub("", end.name) == name]
    return meant[0] if len(meant) == 1 else None


def _for_each(found: Sequence[S], do: Callable[[S], T]) -> tuple[list[T], bool]:
    """Do something with each, such as an end; print a line where that cannot be, and go on.

    Returns the results, and whether there was such a one.
    """
    results, failed = [], False
    for each in found:
        try:
            results.append(do(each))
        except UserError as error:
            output.show_error(error.message)
            failed = True
    return results, failed


def _template(path: Path) -> Template:
    read = list(sources(path))
    if len(read) != 1:
        raise UserError(f"{path} has {len(read)} templates: name one.")
    return read[0].template


def _say_interrupted(one: Redrive) -> None:
    if one.sending:
        said = f"letter {one.sending.id} may have been sent, and is still there: it may come twice"
    else:
        said = "no letter is lost or doubled"
    output.show_error(
        f"interrupted: {said}; what is held is shown again in {HELD_SECONDS} s at most"
    )


def confirmed(*, yes: bool) -> Confirm:
    """Return what asks in a terminal; elsewhere it raises UserError unless `yes` says so."""

    def confirm(question: str | Callable[[], str]) -> bool:
        if yes:
            return True
        if not (sys.stdin.isatty() and output.is_interactive()):
            raise UserError("Nobody can be asked here: --yes agrees.")
        asked = question if isinstance(question, str) else question()
        with interrupts.allowed():
            return input(f"{asked} [y/N] ").strip().lower() in {"y", "yes"}

    return confirm
