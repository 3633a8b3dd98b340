"""`local`: a project on this machine, without AWS."""

# ruff: noqa: FBT002 - a command's flags are booleans

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from sls_patterns_cli import catalog
from sls_patterns_cli.cli.extras import extra_missing
from sls_patterns_cli.cli.parameters import Json, ProjectPath, pairs
from sls_patterns_cli.errors import UserError
from sls_patterns_cli.rendering import answers
from sls_patterns_cli.system import interrupts
from sls_patterns_cli.terminal import output
from sls_patterns_cli.terminal.suited_progress import suited_progress

if TYPE_CHECKING:
    from sls_patterns_cli.local.running import Running

local_app = typer.Typer(help="Run a project on this machine, without AWS.", rich_markup_mode=None)

OfProject = Annotated[Path, typer.Option("--project", metavar="PATH", help="The project's folder.")]


class _PassesArguments(TyperCommand):
    """A command whose arguments after `--` are for another program."""

    def parse_args(self, context: Any, arguments: list[str]) -> list[str]:
        if "--" in arguments:
            split = arguments.index("--")
            context.obj = arguments[split + 1 :]
            arguments = arguments[:split]
        return super().parse_args(context, arguments)


@local_app.command("test", cls=_PassesArguments, options_metavar="[OPTIONS]")
def local_test(context: typer.Context, path: ProjectPath = Path()) -> int:
    """Deploy a project on this machine and run its proofs.

    Arguments after -- go to the proofs' test runner, whose exit code is returned.
    """
    with _extra():
        from sls_patterns_cli.local import session

        return session.test(path, context.obj or [], suited_progress())


@local_app.command()
def up(
    path: ProjectPath = Path(),
    env: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write what a shell or an editor needs to this file."),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Deploy each change of the project as it is saved.")
    ] = False,
    parameter: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A parameter of the template; may be repeated."),
    ] = None,
    trust_code: Annotated[
        bool,
        typer.Option(
            "--trust-code",
            help="Agree that code of a project that this tool has not generated is run.",
        ),
    ] = False,
) -> int:
    """Deploy a project on this machine and follow its logs.

    PATH is a generated project, any other SAM or CDK project, a template, or a folder that
    `cdk synth` has written.
    """
    given = dict(pairs("--parameter", "NAME=VALUE", parameter))
    with _extra():
        from sls_patterns_cli.local import session

        wish = session.Wish(given, trusts=trust_code, variables_to=env, watch=watch)
        return session.up(path, _examples(path), suited_progress(), wish)


@local_app.command()
def env(path: ProjectPath = Path(), json: Json = False) -> int:
    """Print the variables of the stack that `local up` runs, for a shell to evaluate."""
    with _running(path) as stack:
        if json:
            output.show_json(stack.variables)
        else:
            output.show("\n".join(stack.exports()))
    return 0


@local_app.command()
def invoke(
    function: Annotated[str, typer.Argument(help="The function's logical id, or the start of it.")],
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="The event, as JSON; - reads standard input."),
    ] = None,
    project: OfProject = Path(),
) -> int:
    """Invoke a function of the stack that `local up` runs, and print what it returns.

    Without FILE the event is {}. Its log goes to the standard error; exit code 1 if it fails.
    """
    event = b"{}" if file is None else _read(file)
    with _running(project) as stack:
        from sls_patterns_cli.local import invoking

        answer = invoking.invoke(stack, function, event)
        sys.stderr.write(answer.log)
        output.show(answer.payload)
    return 1 if answer.failed else 0


@local_app.command()
def send(
    node: Annotated[
        str,
        typer.Argument(
            help="The logical id, or the start of it, of a queue, topic, event bus, stream, "
            "delivery stream, bucket, table, function or state machine."
        ),
    ],
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="What is sent; - reads standard input.")
    ],
    attribute: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A message attribute; may be repeated."),
    ] = None,
    key: Annotated[
        str,
        typer.Option(
            metavar="KEY", help="The message group, partition key, object key or execution name."
        ),
    ] = "",
    project: OfProject = Path(),
) -> int:
    """Send a message, event, record or object into the stack that `local up` runs."""
    attributes = dict(pairs("--attribute", "NAME=VALUE", attribute))
    body = _read(file)
    with _running(project) as stack:
        from sls_patterns_cli.local import sending

        message = sending.Message(body, attributes, key)
        output.show(sending.send(stack, node, message))
    return 0


@local_app.command()
def logs(path: ProjectPath = Path()) -> int:
    """Print what the functions of the stack that `local up` runs log, until Ctrl-C."""
    with interrupts.handled(), _running(path) as stack:
        from sls_patterns_cli.local.logs import LogFollower

        try:
            with interrupts.allowed(), LogFollower(stack, stack.stack, output.show) as follower:
                follower.wait()
        except KeyboardInterrupt:
            return 0
    return 0


@contextmanager
def _extra() -> Iterator[None]:
    """Say which extra is missing if a module of it is."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise extra_missing(error, "local") from error


@contextmanager
def _running(path: Path) -> "Iterator[Running]":
    """The stack that `local up` runs of a project, without the user's own configuration of AWS."""
    with _extra():
        from sls_patterns_cli.local import running
        from sls_patterns_cli.local.emulator import server

        with server.unconfigured():
            yield running.find(path)


def _read(file: Path) -> bytes:
    return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()


def _examples(path: Path) -> list[tuple[str, str]]:
    """Calls that show the project's pattern at work: each a title and a command."""
    try:
        recorded = answers.read(path, "pattern")
        pattern = catalog.pattern(recorded["pattern"])
    except UserError:
        return []  # No project of this tool's: whether it can run is not for examples to say.
    return [
        (example.title, example.command) for example in pattern.examples if example.fits(recorded)
    ]
