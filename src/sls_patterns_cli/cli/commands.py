"""The commands: what each takes, and which module does it."""

# ruff: noqa: FBT001, FBT002 - a command's flags are booleans

import errno
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from copy import copy
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sls_patterns_cli import catalog
from sls_patterns_cli.cli import kept_help, plain_parameters
from sls_patterns_cli.cli.extras import extra_missing
from sls_patterns_cli.cli.letters import letters_app
from sls_patterns_cli.cli.local import local_app
from sls_patterns_cli.cli.parameters import Json, ProjectPath, here, pairs
from sls_patterns_cli.errors import UserError
from sls_patterns_cli.rendering import answers, copier_without_prompts
from sls_patterns_cli.system import interrupts
from sls_patterns_cli.terminal import output
from sls_patterns_cli.terminal.progress import Progress
from sls_patterns_cli.terminal.suited_progress import suited_progress

if TYPE_CHECKING:
    from typer.models import CommandInfo

    from sls_patterns_cli.updating.outcome import Outcome
    from sls_patterns_cli.updating.replaced import Replaced


plain_parameters.install()

app = typer.Typer(
    help="Generate complete serverless projects for AWS, and prove them on this machine.",
    # Plain help and plain errors: importing rich costs more than all the rest.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
app.add_typer(local_app, name="local")
app.add_typer(letters_app, name="letters")


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit code; errors of the user become one line."""
    _open_what_is_closed()
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character shows its code.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        called = _narrowed(arguments[0] if arguments else "")
        code = called(arguments, prog_name="sls-patterns", standalone_mode=False)
        sys.stdout.flush()
    except UserError as error:
        output.show_error(error.message, error.log)
        return error.exit_code
    except typer.TyperException as error:
        output.show_error(error.format_message())
        return 2
    except typer.Abort:
        return 130
    except BrokenPipeError:
        # The reader has closed the pipe.
        _drop_output()
        return 1
    except OSError as error:
        # The second name of a move is where it leads; the first may be a file of ours.
        name = error.filename2 or error.filename
        if not name:
            if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
                raise
            _drop_output()
        output.show_error(f"{name or 'cannot write'}: {error.strerror}")
        return 1
    return code if isinstance(code, int) else 0


def _narrowed(name: str) -> typer.Typer:
    """The app with the one command or group of that name, if it has it: Typer builds all it has."""
    commands = [each for each in app.registered_commands if _name(each) == name]
    groups = [each for each in app.registered_groups if each.name == name]
    if kept_help.COMPLETION in os.environ or not (commands or groups):
        return app
    narrowed = copy(app)
    narrowed.registered_commands, narrowed.registered_groups = commands, groups
    return narrowed


def _name(command: "CommandInfo") -> str:
    return command.name or (command.callback.__name__ if command.callback else "")


def _open_what_is_closed() -> None:
    """Open standard streams that the parent process closed (`>&-`), to read and write nothing.

    In their order, so that each gets its number and no file of ours does.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115


def _drop_output() -> None:
    """Write what is still buffered to nowhere, so that it does not fail at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _listing() -> ModuleType:
    """What prints patterns: for a terminal, or in plain text."""
    if output.is_interactive():
        from sls_patterns_cli.cli import listing_in_terminal

        return listing_in_terminal
    from sls_patterns_cli.cli import listing

    return listing


def _show_version(wanted: bool) -> None:
    if wanted:
        output.show(f"sls-patterns {catalog.version()}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        output.show(context.get_help())


def _complete(kind: str) -> Any:
    """A completion of the values that the template offers for `kind` of option."""

    def values(context: typer.Context) -> list[str]:
        if kind == "pattern":
            return list(catalog.slugs())
        if kind == "region":
            return list(catalog.regions())
        if kind == "topic":
            from sls_patterns_cli.cli import explaining

            return explaining.names()
        # An option that still lacks its value ends the parsing.
        slug = context.params.get("pattern") or next(iter(context.args), None)
        patterns = [catalog.pattern(slug)] if slug in catalog.slugs() else catalog.patterns()
        offered = {
            value
            for pattern in patterns
            for value in {
                "topology": [topology.name for topology in pattern.offered],
                "runtime": pattern.runtimes,
                "iac": pattern.flavours,
                "datastore": pattern.datastores,
            }[kind]
        }
        return sorted(offered)

    return values


Pattern = Annotated[
    str, typer.Argument(autocompletion=_complete("pattern"), help="The pattern's name.")
]


@app.command(
    "list",
    # Words are what is left over: help would say of an argument that it is a list of texts.
    context_settings={"allow_extra_args": True},
    options_metavar="[OPTIONS] [WORD]...",
)
def list_patterns(context: typer.Context, json: Json = False) -> None:
    """List the patterns; with words, those that mention all of them."""
    words = context.args
    patterns = [each for each in catalog.all_listed() if all(map(each.mentions, words))]
    if not patterns:
        wanted = " and ".join(map(repr, words))
        raise UserError(f"no pattern mentions {wanted}; the patterns: {', '.join(catalog.slugs())}")
    if json:
        output.show_json([pattern.as_dict for pattern in patterns])
    else:
        _listing().show_patterns(patterns)


@app.command()
def choose(
    callers: Annotated[
        str | None, typer.Option(help="Who calls: people, services, or changes of files or logs.")
    ] = None,
    waits: Annotated[
        bool | None, typer.Option("--wait/--no-wait", help="Whether the caller waits for a result.")
    ] = None,
    ordered: Annotated[
        bool | None,
        typer.Option("--ordered/--unordered", help="Whether the order of messages matters."),
    ] = None,
    receivers: Annotated[
        str | None, typer.Option(help="Who processes a message: one, several, or one by-type.")
    ] = None,
    json: Json = False,
) -> int:
    """Name the patterns that suit what you need; a terminal asks three to five questions."""
    from sls_patterns_cli.catalog.declaration import SUITS
    from sls_patterns_cli.choosing import command

    options = {"callers": callers, "waits": waits, "ordered": ordered, "receivers": receivers}
    given = {question: answer for question, answer in options.items() if answer is not None}
    for question, answer in given.items():
        if answer not in SUITS[question]:
            allowed = ", ".join(map(str, SUITS[question]))
            raise UserError(f"--{question} is {answer!r}; choose from: {allowed}")
    ask = not json and sys.stdin.isatty() and sys.stdout.isatty()
    if not (ask or given):
        raise UserError("nothing is known: answer by options, or run it in a terminal")
    with interrupts.handled(), interrupts.allowed():
        return command.run(given, ask=ask, json=json)


@app.command()
def show(
    pattern: Pattern,
    topology: Annotated[
        str | None,
        typer.Option(
            autocompletion=_complete("topology"),
            help="The topology to show; the default is the first.",
        ),
    ] = None,
    json: Json = False,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="Print a Mermaid diagram.")] = False,
) -> None:
    """Show a pattern: its options, graph, failures and proofs."""
    if json and mermaid:
        raise UserError("--json and --mermaid cannot be combined")
    shown = catalog.pattern(pattern)
    arranged = shown.topology(topology)
    if json:
        from sls_patterns_cli.catalog.authorization import refusals

        output.show_json(
            {
                **shown.as_dict(),
                "topology": arranged.name,
                "nodes": [node.as_dict() for node in arranged.nodes],
                "edges": [edge.as_dict() for edge in arranged.edges],
                "alarms": catalog.alarms(shown.slug, arranged.name, arranged.datastores[0]),
                "proofs": [proof.as_dict() for proof in arranged.proofs],
                "refusals": {
                    auth: [proof.as_dict() for proof in proofs]
                    for auth, proofs in refusals(arranged, catalog.vocabulary()).items()
                },
            }
        )
    elif mermaid:
        from sls_patterns_cli.catalog import diagram

        output.show(diagram.mermaid(arranged).rstrip())
    else:
        _listing().show_pattern(shown, arranged)


@app.command()
def explain(
    topic: Annotated[
        str,
        typer.Argument(
            autocompletion=_complete("topic"), help="What to explain; the topics if left out."
        ),
    ] = "",
    json: Json = False,
) -> None:
    """Print the page of a topic that is the same in every project."""
    from sls_patterns_cli.cli import explaining

    if topic and json:
        output.show_json(explaining.as_dict(topic))
    elif topic:
        output.show(explaining.page(topic).rstrip())
    elif json:
        output.show_json(
            [{"topic": name, "title": title} for name, title in explaining.topics().items()]
        )
    else:
        titles = explaining.topics()
        width = max(map(len, titles))
        output.show("\n".join(f"{name:{width}}  {title}" for name, title in titles.items()))


@app.command()
def check(  # noqa: PLR0913, PLR0917 - the options of a command
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Templates, cdk.out folders, Terraform plans or folders; by default this folder."
        ),
    ] = None,
    json: Json = False,
    sarif: Annotated[bool, typer.Option("--sarif", help="Print SARIF, for code hosts.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Fail on warnings, too.")] = False,
    explain: Annotated[
        str | None,
        typer.Option(metavar="RULE", help="Print the page of a rule, and check nothing."),
    ] = None,
    at_least: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION",
            help="Fail if this command is older or cannot read SAM, and check nothing.",
        ),
    ] = None,
) -> int:
    """Check where failures end in any SAM or CloudFormation template, CDK app or Terraform plan."""
    from sls_patterns_cli.check import command

    if explain is not None:
        command.explain(explain)
        return 0
    if at_least is not None:
        command.require(at_least)
        return 0
    if json and sarif:
        raise UserError("--json and --sarif cannot be combined")
    try:
        with interrupts.handled():
            return command.run(paths or [here()], json=json, sarif=sarif, strict=strict)
    except ModuleNotFoundError as error:  # only SAM's templates need it
        raise extra_missing(error, "check") from error


@app.command()
def prove(
    path: Annotated[
        Path | None,
        typer.Argument(help="A template, a cdk.out folder or a project; by default this one."),
    ] = None,
    edge: Annotated[
        list[str] | None, typer.Option(metavar="A=>B", help="Only this edge; repeatable.")
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FAULT",
            help="What goes wrong: error, timeout, throttle, denied or poison; repeatable.",
        ),
    ] = None,
    json: Json = False,
) -> int:
    """Break the consumer of each asynchronous edge of any stack, and show where its events end."""
    try:
        from sls_patterns_cli.prove import command

        with interrupts.handled(), interrupts.allowed():
            return command.run(path or here(), edge or [], fault or [], json=json)
    except ModuleNotFoundError as error:
        raise extra_missing(error, "local") from error


@app.command(hidden=True)
def harness(
    stack: Annotated[str, typer.Option(metavar="NAME", help="The name of the deployed stack.")],
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Only smoke tests run, on a stack that may be in use.")
    ] = False,
) -> int:
    """Change, read and restore a stack for the proofs of a project, which start this themselves.

    It ends when standard input does, and restores what is still changed.
    """
    try:
        from sls_patterns_cli.harness import serving

        with interrupts.handled():
            return serving.serve(stack, smoke=smoke)
    except ModuleNotFoundError as error:
        raise extra_missing(error, "letters") from error


@app.command("deploy-role")
def deploy_role(
    path: Annotated[
        Path | None,
        typer.Argument(help="A template, a cdk.out folder or a project; by default this one."),
    ] = None,
    stack: Annotated[
        str, typer.Option(metavar="NAME", help="The name of the stack that the role deploys.")
    ] = "",
    environment: Annotated[
        str, typer.Option(metavar="NAME", help="The environment of the job that deploys.")
    ] = "production",
) -> int:
    """Print the template of a role with which GitHub Actions deploys a stack, and no more."""
    if not stack:
        raise UserError("--stack must name the stack that the role deploys")
    from sls_patterns_cli.deploy_role import template

    try:
        output.show(template.text(template.deploy_role(path or here(), stack, environment)))
    except ModuleNotFoundError as error:
        raise extra_missing(error, "deploy-role") from error
    return 0


@app.command()
def dashboard(
    path: Annotated[
        Path | None,
        typer.Argument(help="A template, cdk.out folder or folder; by default this folder."),
    ] = None,
    svg: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw a picture into this file.")
    ] = None,
) -> None:
    """Show the CloudWatch dashboards of any SAM or CloudFormation template or CDK app."""
    from sls_patterns_cli.dashboards import command

    try:
        command.run(path or here(), svg)
    except ModuleNotFoundError as error:  # only SAM's templates need it
        raise extra_missing(error, "check") from error


@app.command()
def openapi(
    path: ProjectPath = Path(),
    template: Annotated[
        Path | None,
        typer.Option(help="A template or cdk.out folder; by default what the project deploys."),
    ] = None,
    output_file: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Write to this file.")
    ] = None,
    server: Annotated[str, typer.Option(metavar="URL", help="The address of the API.")] = "",
    parameter: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A parameter of the stack, such as IssuerUrl."),
    ] = None,
) -> None:
    """Print an OpenAPI document of a project's API, made from its models."""
    from sls_patterns_cli.openapi import command

    try:
        command.run(path, template, output_file, server, parameter or [])
    except ModuleNotFoundError as error:  # SAM's templates need one, a missing Node.js the other
        extra = "local" if error.name == "uv" else "check"
        raise extra_missing(error, extra) from error


@app.command()
def doctor(path: ProjectPath = Path(), json: Json = False) -> int:
    """Say what this machine lacks for generated projects, and how to install it.

    In a project, or a folder below it, it is what that project needs. Exit code 1 if something
    would fail.
    """
    from sls_patterns_cli.doctor import command

    return command.run(path, json=json)


@app.command()
def new(  # noqa: PLR0913, PLR0917 - the options of a command
    pattern: Annotated[
        str | None,
        typer.Argument(
            autocompletion=_complete("pattern"), help="The pattern's name; asked for if left out."
        ),
    ] = None,
    dest: Annotated[
        Path | None, typer.Argument(help="The new folder; ./<name> if left out.")
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="The project's name; by default that of DEST, or of the pattern."),
    ] = None,
    topology: Annotated[
        str | None,
        typer.Option(autocompletion=_complete("topology"), help="The arrangement of the pattern."),
    ] = None,
    runtime: Annotated[
        str | None,
        typer.Option(autocompletion=_complete("runtime"), help="The language of the functions."),
    ] = None,
    runtime_version: Annotated[
        str | None, typer.Option(help="The Lambda runtime, such as python3.13.")
    ] = None,
    iac: Annotated[
        str | None,
        typer.Option(autocompletion=_complete("iac"), help="The IaC flavour: sam or cdk."),
    ] = None,
    datastore: Annotated[
        str | None,
        typer.Option(autocompletion=_complete("datastore"), help="Where the data is stored."),
    ] = None,
    region: Annotated[
        str | None, typer.Option(autocompletion=_complete("region"), help="The AWS region.")
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Answer any other question of the template."),
    ] = None,
    defaults: Annotated[
        bool, typer.Option("--defaults", help="Ask nothing; take the defaults.")
    ] = False,
    no_git: Annotated[bool, typer.Option("--no-git", help="Create no git repository.")] = False,
    json: Json = False,
) -> int:
    """Generate a new project; a terminal asks for what is left out."""
    wants_questions = not (defaults or json)
    ask = wants_questions and sys.stdin.isatty() and sys.stdout.isatty()
    options = {
        "pattern": ("PATTERN", pattern),
        "project_name": ("--name", name),
        "topology": ("--topology", topology),
        "runtime": ("--runtime", runtime),
        "runtime_version": ("--runtime-version", runtime_version),
        "iac": ("--iac", iac),
        "datastore": ("--datastore", datastore),
        "region": ("--region", region),
    }
    given = {
        question: (option, value)
        for question, (option, value) in options.items()
        if value is not None
    }
    _add_data(given, data)
    if "pattern" in given:
        catalog.known(given["pattern"][1])
    elif not ask:
        raise UserError(f"which pattern? choose from: {', '.join(catalog.slugs())}")

    from sls_patterns_cli.cli import new_project
    from sls_patterns_cli.system import new_folder

    answered: dict[str, Any] = {}

    def so_far() -> list[str]:
        if not answered:
            return []
        typed = {question: answer for question, (_, answer) in given.items()}
        return _command(typed | answered, options, dest, no_git=no_git)

    with new_project.answers_kept(so_far), interrupts.handled():
        # Before any question.
        target = None if dest is None else new_folder.absolute(dest)
        if target:
            new_folder.refuse_unless_free(target)
        from sls_patterns_cli.doctor import programs
        from sls_patterns_cli.rendering import render

        project = render.create(given, target, ask=ask, repository=not no_git, answered=answered)
    missing = programs.missing(project.answers)
    if json:
        output.show_json(
            {
                "path": str(project.path),
                "answers": project.answers,
                "files": project.files,
                "git": project.has_repository,
                "git_problem": project.git_problem,
                "missing_tools": missing,
            }
        )
    else:
        proven_with = catalog.entry(project.answers["pattern"]).proven_with
        proven = project.answers["datastore"] in proven_with[project.answers["topology"]]
        unasked = wants_questions and not ask and project.answers.keys() - given.keys()
        new_project.show_project(project, missing, proven=proven, unasked=bool(unasked))
        if answered:
            whole = _command(project.answers, options, dest, no_git=no_git)
            output.show(f"\nThe same without questions:\n  {shlex.join(whole)} --defaults")
    return 0


def _command(
    answered: Mapping[str, Any],
    options: Mapping[str, tuple[str, str | None]],
    dest: Path | None,
    *,
    no_git: bool,
) -> list[str]:
    """The command that gives these answers."""
    words = ["sls-patterns", "new", str(answered["pattern"])]
    if dest is not None:
        words.append(output.shown(dest) if str(dest).startswith("-") else str(dest))
    for question, answer in answered.items():
        if question in options and question != "pattern":
            words += [options[question][0], str(answer)]
        elif question != "pattern":
            words += ["--data", f"{question}={answers.shown(answer)}"]
    return [*words, *["--no-git"] * no_git]


Data = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=VALUE", help="Change the answer to a question of the template."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Change nothing; show what would change.")]
TemplateSource = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Take the template from this git address: a mirror, or a fork. "
        "The environment variable SLS_PATTERNS_SOURCE does the same.",
    ),
]


@app.command()
def update(  # noqa: PLR0913, PLR0917 - the options of a command
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[PATH]...",
            help="The project's folder; by default the one that this folder is or lies in.",
        ),
    ] = None,
    to: Annotated[
        str | None, typer.Option(metavar="VERSION", help="The version; the newest if left out.")
    ] = None,
    data: Data = None,
    source: TemplateSource = None,
    dry_run: DryRun = False,
    apply_fixes: Annotated[
        bool,
        typer.Option(
            "--apply-fixes", help="Also apply fixes to your own files that are as released."
        ),
    ] = False,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Agree that other answers replace deployed resources."),
    ] = False,
    workspace: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Update every project in a folder and below it."),
    ] = None,
    branch: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Commit each update on a new branch, from the last."),
    ] = None,
    json: Json = False,
) -> int:
    """Merge a newer template, or other answers, into a project, or into several.

    Your own files are not changed without --apply-fixes. Exit code: 0 if all is done, 3 if
    something is left to settle by hand, 2 if an update was refused and has changed nothing.
    """
    given: dict[str, tuple[str, str]] = {}
    _add_data(given, data)
    with interrupts.handled():
        copier_without_prompts.import_copier()
        from sls_patterns_cli.updating import update

        progress = Progress() if json else suited_progress()
        update_one = partial(
            update.update,
            to=to,
            given=given,
            source=source,
            dry_run=dry_run,
            apply_fixes=apply_fixes,
            agree=(lambda _: None) if replace else partial(_agree, ask=not json),
            progress=progress,
        )
        folders = paths or ([] if workspace else [here()])
        if not (workspace or branch) and len(folders) == 1:
            return _show_outcome(update_one(folders[0]), json=json, made=not dry_run)
        from sls_patterns_cli.cli import fleet_report
        from sls_patterns_cli.updating import fleet

        if workspace:
            folders = [*folders, *fleet.projects(workspace)]
        told = update_one if json else fleet_report.announced(update_one, folders, progress)
        results = (
            fleet.update_on_branch(folders, told, branch)
            if branch
            else fleet.update_each(folders, told)
        )
        return fleet_report.show_fleet(results, json=json, made=not dry_run)


def _agree(resources: "Sequence[Replaced]", *, ask: bool) -> None:
    """Ask whether deployed resources may be replaced; raise UserError unless they may."""
    ids = ", ".join(each.id for each in resources)
    line = f"the next deployment would replace or leave behind {len(resources)} resources: {ids}"
    if not (ask and sys.stdin.isatty() and sys.stdout.isatty()):
        raise UserError(f"{line}; their data does not move; to go on, add --replace")
    with interrupts.allowed():
        agreed = typer.confirm(f"{line[0].upper()}{line[1:]}. Their data does not move. Go on?")
    if not agreed:
        raise UserError("nothing was changed")


def _show_outcome(outcome: "Outcome", *, json: bool, made: bool) -> int:
    if json:
        output.show_json(outcome.as_dict())
    else:
        from sls_patterns_cli.cli import update_report

        update_report.show_update(outcome, made=made)
    return 3 if outcome.must_be_settled else 0


@app.command()
def fix(  # noqa: PLR0913, PLR0917 - the options of a command
    path: ProjectPath = Path(),
    waive: Annotated[
        str | None, typer.Option(metavar="ID", help="Do without an open fix, for a --reason.")
    ] = None,
    reason: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Why the project does without the fix.")
    ] = None,
    prove: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Settle an open fix if its proof passes on this machine."),
    ] = None,
    source: TemplateSource = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> int:
    """Apply the open fixes of the updates so far to your own files that are as released.

    What is left is written as a patch, and as a text for each fix. Exit codes as for update; with
    --prove, that of the proof.
    """
    if prove is not None:
        if waive is not None or reason is not None:
            raise UserError("--prove and --waive cannot be combined")
        return _prove(path, prove, source)
    if (waive is None) != (reason is None):
        raise UserError("--waive ID and --reason TEXT belong together")
    if reason is not None and not reason.strip():
        raise UserError("--reason is empty")
    with interrupts.handled():
        copier_without_prompts.import_copier()
        from sls_patterns_cli.updating import update

        if waive is not None and reason is not None:
            from sls_patterns_cli.updating.record import RECORD

            update.waive(path, waive, reason)
            output.show(f"Fix {waive} is waived; commit {RECORD}")
            return 0
        outcome = update.fix(
            path,
            source=source,
            dry_run=dry_run,
            progress=Progress() if json else suited_progress(),
        )
    return _show_outcome(outcome, json=json, made=not dry_run)


@app.command()
def status(
    path: ProjectPath = Path(),
    source: TemplateSource = None,
    fixes: Annotated[
        bool, typer.Option("--fixes", help="Show only the open fixes, with what they change.")
    ] = False,
    json: Json = False,
) -> int:
    """Compare a project with its template.

    Shows what an update would change, which fixes are open, and which files of the template you
    have edited or removed.
    """
    with interrupts.handled():
        copier_without_prompts.import_copier()
        from sls_patterns_cli.cli import update_report
        from sls_patterns_cli.updating import update

        found = update.status(path, source=source)
    if json:
        output.show_json(found.fixes_as_dict() if fixes else found.as_dict())
    elif fixes:
        update_report.show_fixes(found)
    else:
        update_report.show_status(found)
    return 0


def _add_data(given: dict[str, tuple[str, str]], answered: Sequence[str] | None) -> None:
    """Add what --data answers to what is answered already."""
    for key, value in pairs("--data", "KEY=VALUE", answered):
        if key in given:
            raise UserError(f"--data {key} and {given[key][0]} answer the same question")
        given[key] = (f"--data {key}", value)


def _prove(path: Path, wanted: str, source: str | None) -> int:
    """Run the proofs of a fix, and settle it if they pass."""
    try:
        from sls_patterns_cli.local import session
        from sls_patterns_cli.updating import proving
        from sls_patterns_cli.updating.record import RECORD

        code = proving.prove(
            path, wanted, source, lambda files: session.test(path, files, suited_progress())
        )
    except ModuleNotFoundError as error:
        raise extra_missing(error, "local") from error
    if code == 0:
        output.show(f"Fix {wanted} is proven; commit {RECORD} and the proof")
    return code
