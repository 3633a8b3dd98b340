"""`letters`: the dead letters of a deployed stack."""

# ruff: noqa: FBT002 - a command's flags are booleans

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sls_patterns_cli.cli.extras import extra_missing
from sls_patterns_cli.cli.parameters import Json, here
from sls_patterns_cli.errors import UserError
from sls_patterns_cli.rendering import answers
from sls_patterns_cli.system import interrupts

if TYPE_CHECKING:
    from sls_patterns_cli.letters.command import Where
    from sls_patterns_cli.letters.selection import Selection

letters_app = typer.Typer(
    help="List, send back and discard the dead letters of a deployed stack.", rich_markup_mode=None
)

PathGiven = Annotated[
    Path | None,
    typer.Argument(
        help="A generated project, or with --stack a template; by default this folder's project."
    ),
]
Stack = Annotated[str, typer.Option(metavar="NAME", help="The name of the deployed stack.")]
Ends = Annotated[
    list[str] | None,
    typer.Option(
        "--end", metavar="NAME", help="Only this end, by its logical id; may be repeated."
    ),
]
Ids = Annotated[
    list[str] | None,
    typer.Option("--id", metavar="ID", help="The letter with this id; may be repeated."),
]
Groups = Annotated[
    list[str] | None,
    typer.Option("--group", metavar="ID", help="Letters of a group of `list`; may be repeated."),
]
Older = Annotated[
    str | None, typer.Option(metavar="AGE", help="Letters that are older, such as 12h or 3d.")
]
Newer = Annotated[
    str | None, typer.Option(metavar="AGE", help="Letters that are newer, such as 30m.")
]
Function = Annotated[str, typer.Argument(help="The function, by its logical id or its name.")]
Yes = Annotated[bool, typer.Option("--yes", help="Agree; nobody is asked.")]


@letters_app.command("list")
def list_letters(  # noqa: PLR0913, PLR0917 - the options of a command
    path: PathGiven = None,
    stack: Stack = "",
    end: Ends = None,
    id_: Ids = None,
    group: Groups = None,
    json: Json = False,
) -> int:
    """List what is in each end of a stack, by cause."""
    with _running():
        from sls_patterns_cli.letters import command

        chosen = _selection(id_, group, None, None)
        return command.list_letters(_where(path, stack, end), chosen, json=json)


@letters_app.command()
def show(  # noqa: PLR0913, PLR0917 - the options of a command
    path: PathGiven = None,
    stack: Stack = "",
    end: Ends = None,
    id_: Ids = None,
    group: Groups = None,
    older_than: Older = None,
    newer_than: Newer = None,
    payload: Annotated[
        bool, typer.Option("--payload", help="Also show what failed, and the error in full.")
    ] = False,
    redact: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WORD", help="Hide fields with this word in their name, too; may be repeated."
        ),
    ] = None,
    json: Json = False,
) -> int:
    """Show single letters; what is in them only with --payload."""
    with _running():
        from sls_patterns_cli.letters import command

        chosen = _selection(id_, group, older_than, newer_than)
        where = _where(path, stack, end)
        return command.show(where, chosen, payload=payload, redact=redact or (), json=json)


@letters_app.command()
def redrive(  # noqa: PLR0913, PLR0917 - the options of a command
    path: PathGiven = None,
    stack: Stack = "",
    end: Ends = None,
    id_: Ids = None,
    group: Groups = None,
    older_than: Older = None,
    newer_than: Newer = None,
    every: Annotated[bool, typer.Option("--all", help="All letters.")] = False,
    execution: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Restart this execution, too, although it was stopped; may be repeated.",
        ),
    ] = None,
    all_readers: Annotated[
        bool,
        typer.Option(
            "--all-readers", help="Send records of a delivery to all readers of its stream, too."
        ),
    ] = False,
    rate: Annotated[
        float | None, typer.Option(metavar="N", help="Send at most so many letters a second.")
    ] = None,
    wait: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Wait so long for the first letter of each cause, and then for what fails again.",
        ),
    ] = None,
    no_canary: Annotated[
        bool,
        typer.Option(
            "--no-canary",
            help="Send all at once, and not one letter of each cause before the others.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Send nothing; say what would be sent.")
    ] = False,
    yes: Yes = False,
    json: Json = False,
) -> int:
    """Send letters back to what failed."""
    with _running():
        from sls_patterns_cli.letters import command, redriving

        chosen = _selection(id_, group, older_than, newer_than)
        if chosen.is_everything and not every:
            raise UserError(
                "Say which letters: --id, --group, --older-than, --newer-than, or --all."
            )
        if every and not chosen.is_everything:
            raise UserError("--all cannot be combined with --id, --group or an age.")
        redriving.check_rate(rate)
        _check_wait(wait or 0)
        names = frozenset(execution or ())
        wish = redriving.Wish(chosen, rate, wait, dry_run, names, all_readers, not no_canary)
        where = _where(path, stack, end)
        return command.redrive(where, wish, command.confirmed(yes=yes), json=json)


@letters_app.command()
def discard(  # noqa: PLR0913, PLR0917 - the options of a command
    path: PathGiven = None,
    stack: Stack = "",
    end: Ends = None,
    id_: Ids = None,
    group: Groups = None,
    to: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The new file that gets a copy of each.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Delete nothing; say what would be deleted.")
    ] = False,
    yes: Yes = False,
    json: Json = False,
) -> int:
    """Delete letters, after a copy of each to a file (JSON lines)."""
    with _running():
        from sls_patterns_cli.letters import command

        if not (id_ or group):
            raise UserError("Say which letters: --id or --group.")
        chosen = _selection(id_, group, None, None)
        if dry_run:
            return command.count_discarded(_where(path, stack, end), chosen, json=json)
        if to is None:
            raise UserError("--to must name a new file, which gets a copy of each letter.")
        where = _where(path, stack, end)
        return command.discard(where, chosen, to, command.confirmed(yes=yes), json=json)


@letters_app.command()
def pause(
    function: Function,
    path: PathGiven = None,
    stack: Stack = "",
    yes: Yes = False,
    json: Json = False,
) -> int:
    """Disable what starts a function: event source mappings, rules and schedules."""
    with _running():
        from sls_patterns_cli.letters import command

        where = _where(path, stack, None)
        return command.pause(where, function, command.confirmed(yes=yes), json=json)


@letters_app.command()
def resume(
    function: Function,
    path: PathGiven = None,
    stack: Stack = "",
    yes: Yes = False,
    json: Json = False,
) -> int:
    """Enable what starts a function again, where its template enables it."""
    with _running():
        from sls_patterns_cli.letters import command

        where = _where(path, stack, None)
        return command.resume(where, function, command.confirmed(yes=yes), json=json)


@letters_app.command("set-aside")
def set_aside(  # noqa: PLR0913, PLR0917 - the options of a command
    queue: Annotated[str, typer.Argument(help="The FIFO queue, by its logical id or its name.")],
    message_group: Annotated[str, typer.Argument(help="The id of the message group.")],
    path: PathGiven = None,
    stack: Stack = "",
    id_: Annotated[
        str, typer.Option("--id", metavar="ID", help="Only if this message is the head.")
    ] = "",
    wait: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Wait so long for the head; by default the visibility timeout and 60 s.",
        ),
    ] = None,
    yes: Yes = False,
    json: Json = False,
) -> int:
    """Move the head of a blocked message group to the dead-letter queue."""
    with _running():
        from sls_patterns_cli.letters import command, setting_aside

        _check_wait(wait or 0)
        wish = setting_aside.Wish(message_group, id_, wait)
        where = _where(path, stack, None)
        return command.set_aside(where, queue, wish, command.confirmed(yes=yes), json=json)


@letters_app.command()
def policy(
    given: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[VERB]... [PATH]",
            help="list, show, redrive, discard, pause, resume, set-aside; by default list and "
            "show. Then a generated project, or with --stack a template.",
            show_default=False,
        ),
    ] = None,
    stack: Stack = "",
    end: Ends = None,
) -> int:
    """Print the least that a role needs for some of these commands, as JSON."""
    with _running():
        from sls_patterns_cli.letters import command
        from sls_patterns_cli.letters.policy import VERBS

        verbs = [verb for verb in VERBS if verb in (given or ())]
        path = _path([each for each in given or () if each not in VERBS], VERBS)
        return command.show_policy(_where(path, stack, end), verbs or ["list", "show"])


def _path(given: list[str], verbs: Sequence[str]) -> Path | None:
    """Return the path among arguments that are no verbs; raises UserError for any other."""
    if not given:
        return None
    if len(given) > 1 or not Path(given[0]).exists():
        raise UserError(f"{given[0]} is no verb and no path; the verbs are {', '.join(verbs)}.")
    return Path(given[0])


@contextmanager
def _running() -> Iterator[None]:
    try:
        with interrupts.handled():
            yield
    except ModuleNotFoundError as error:
        raise extra_missing(error, "letters") from error


def _check_wait(wait: float) -> None:
    if wait < 0:
        raise UserError(f"--wait {wait:g} is less than 0 seconds.")


def _where(path: Path | None, stack: str, only: list[str] | None) -> "Where":
    """Return the stack that is meant; raises UserError where nothing names it."""
    from sls_patterns_cli.letters.command import Where

    names = tuple(only or ())
    folder = path or here()
    if stack:
        is_project = path is None or (folder / answers.ANSWERS_FILE).is_file()
        return Where(stack, None if is_project else path, names)
    if not (folder / answers.ANSWERS_FILE).is_file():
        raise UserError(f"{folder} is no generated project: name the stack with --stack.")
    return Where(answers.read(folder, "project_name")["project_name"], None, names)


def _selection(
    ids: list[str] | None, groups: list[str] | None, older: str | None, newer: str | None
) -> "Selection":
    from sls_patterns_cli.letters.selection import Selection, age

    return Selection(
        frozenset(ids or ()),
        frozenset(groups or ()),
        age(older) if older else None,
        age(newer) if newer else None,
    )
