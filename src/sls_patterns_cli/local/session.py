"""`local test` and `local up`: build, start, deploy, prove or stay, and leave nothing behind."""

import os
import shlex
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sls_patterns_cli import interrupts
from sls_patterns_cli.local import build, interpreters, modules, tether, timescale
from sls_patterns_cli.local import emulator as emulators
from sls_patterns_cli.local import project as projects
from sls_patterns_cli.local.emulator import Emulator
from sls_patterns_cli.local.interpreters import Interpreter
from sls_patterns_cli.local.project import Project

Report = Callable[[str], None]

Example = tuple[str, str]
"""What a call shows, and the shell command, which takes the stack's outputs as variables."""

EXPORTED = (
    "AWS_ENDPOINT_URL",
    "AWS_DEFAULT_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    timescale.VARIABLE,
)
"""What a shell needs of the environment in which clients talk to the emulator."""

PROOFS, PROOFS_PROJECT = "tests/e2e", "e2e"
"""The folder of the proofs; the name that vitest knows them by."""


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201 (the one place that prints)


def test(  # no test of pytest's
    path: Path,
    arguments: Sequence[str] = (),  # noqa: PT028
    report: Report = _print,  # noqa: PT028
) -> int:
    """Deploy the project in `path` locally, run its proofs and tear everything down.

    `arguments` go to the proofs' test runner. Returns its exit code; raises UserError, and
    SystemExit with 128 plus its number where a signal ends it.
    """
    started = time.monotonic()
    with interrupts.handled(), interrupts.allowed(), _stack(path, report) as stack:
        command, variables = _test_runner(stack, arguments, report)
        report(f"Ready after {time.monotonic() - started:.1f} s; running the proofs")
        environment = {
            **stack.emulator.client_environment(variables),
            "STACK_NAME": stack.project.stack_name,
        }
        environment.pop("VIRTUAL_ENV", None)
        return tether.run(command, cwd=stack.project.root, env=environment).returncode


def up(path: Path, examples: Sequence[Example] = (), report: Report = _print) -> int:
    """Deploy the project in `path` locally and stay, following its logs, until a signal ends it.

    Returns 0 when it is ended so; raises UserError.
    """
    from sls_patterns_cli.local.logs import LogFollower

    with interrupts.handled():
        try:
            with interrupts.allowed(), _stack(path, report) as stack:
                for line in _welcome(stack, examples):
                    report(line)
                with LogFollower(stack.emulator, stack.project.stack_name, report):
                    threading.Event().wait()
        except KeyboardInterrupt:
            report("Stopped")
    return 0


@dataclass(frozen=True)
class _Stack:
    project: Project
    interpreter: Interpreter
    emulator: Emulator
    outputs: dict[str, str]


@contextmanager
def _stack(
    path: Path, report: Report, parameters: Mapping[str, str] | None = None
) -> Iterator[_Stack]:
    """The project in `path`, deployed to an emulator that ends with the block.

    `parameters` are those of its template that have no default.
    """
    project = projects.load(path)
    emulators.require()
    interpreter, notice = interpreters.find(project.lambda_runtime)
    if notice:
        report(notice)
    emulator = Emulator(project.region, {project.lambda_runtime: interpreter.executable})
    try:
        emulator.launch()
        outputs = _deploy(project, interpreter, emulator, report, parameters or {})
        yield _Stack(project, interpreter, emulator, outputs)
    finally:
        emulator.stop()


def _test_runner(
    stack: _Stack, arguments: Sequence[str], report: Report
) -> tuple[list[str], Mapping[str, str]]:
    """The command that runs the proofs, and its environment before the stack's own variables."""
    project, interpreter = stack.project, stack.interpreter
    if project.runtime == "typescript":
        vitest = modules.install(project, interpreter, report) / "vitest/vitest.mjs"
        command = [str(interpreter.executable), str(vitest), "run", "--project", PROOFS_PROJECT]
        return [*command, *arguments], modules.environment(interpreter)
    python = build.test_environment(project, interpreter, report)
    return [str(python), "-m", "pytest", *_selection(project, arguments)], os.environ


def _selection(project: Project, arguments: Sequence[str]) -> list[str]:
    """The test runner's arguments: all proofs, unless some of the arguments name tests."""
    names_tests = any((project.root / each.partition("::")[0]).exists() for each in arguments)
    return list(arguments) if names_tests else [PROOFS, *arguments]


def _app_environment(
    project: Project, interpreter: Interpreter, report: Report
) -> Mapping[str, str]:
    """The variables of infrastructure that is a program, once what it needs is installed."""
    if project.iac == "cdk" and project.runtime == "typescript":
        modules.install(project, interpreter, report)
        return modules.environment_with_npx(project, interpreter)
    if project.iac == "cdk":
        build.test_environment(project, interpreter, report)
    return os.environ


def _deploy(
    project: Project,
    interpreter: Interpreter,
    emulator: Emulator,
    report: Report,
    parameters: Mapping[str, str],
) -> dict[str, str]:
    from sls_patterns_cli.local import cloudformation, deploy

    variables = _app_environment(project, interpreter, report)
    assembly = cloudformation.assemble(project, variables)
    packages = {
        key: build.package(project, code, interpreter, report)
        for key, code in assembly.code.items()
    }
    emulator.wait()
    report(f"Local AWS at {emulator.url}; functions run on {interpreter}")
    if changes := timescale.changes(assembly.template):
        report(f"Time is divided by {timescale.FACTOR}: {', '.join(changes)}")
    started = time.monotonic()
    deploy.upload(emulator, packages)
    outputs = deploy.deploy(emulator, project.stack_name, assembly.template, parameters)
    report(
        f"Deployed {project.stack_name}: {len(assembly.template['Resources'])} resources "
        f"in {time.monotonic() - started:.1f} s"
    )
    return outputs


def _welcome(stack: _Stack, examples: Sequence[Example]) -> Iterator[str]:
    variables = {
        **{
            name: value
            for name, value in stack.emulator.client_environment({}).items()
            if name in EXPORTED
        },
        **stack.outputs,
    }
    yield ""
    for name, value in variables.items():
        yield f"export {name}={shlex.quote(value)}"
    for title, command in examples:
        yield ""
        yield f"# {title}"
        yield command
    yield ""
    yield "The functions' logs follow; Ctrl-C stops everything."
