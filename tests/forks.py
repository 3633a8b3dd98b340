"""Runs what Python projects hold, each in a process of its own that has its packages already.

For each line of standard input, `{project, environment, run, arguments}`, a child is forked that
runs the project's tests (`tests`, with pytest's arguments), its CDK app (`synthesis`, with the
folder for what is synthesised, and `build` unless code is left as it is) or one of the TOOLS; a
line of standard output has the exit code and what was printed. Runs in an environment of generated
projects or in a tool's, without this repository's modules.

What the children share is what packages hold once they are imported, which no project changes, and
the JavaScript that CDK runs on: starting that takes longer than a stack.
"""

import ast
import functools
import gc
import importlib
import json
import os
import runpy
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def imported(project: Path) -> Iterator[str]:
    """Yield the modules that a project's files import; some are names that a module holds."""
    for file in project.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.Import):
                yield from (each.name for each in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module
                yield from (f"{node.module}.{each.name}" for each in node.names)


def tests(arguments: list[str]) -> int:
    """Do as `python -m pytest` does."""
    import pytest

    return pytest.main(arguments)


def synthesis(arguments: list[str]) -> int:
    """Do as `cdk synth` does."""
    import aws_cdk as cdk

    output, *build = arguments
    # Given as arguments: the JavaScript below sees the environment that it was started in.
    context = json.loads(Path("cdk.json").read_text()).get("context", {})
    left: dict[str, list[str]] = {} if build else {"aws:cdk:bundling-stacks": []}
    cdk.App = functools.partial(cdk.App, outdir=output, context={**context, **left})
    runpy.run_path("app.py")
    return 0


def sam(arguments: list[str]) -> int:
    from samcli.cli.main import cli

    cli(arguments)
    return 0


def cfn_lint(arguments: list[str]) -> int:
    from cfnlint.runner import main

    sys.argv = ["cfn-lint", *arguments]
    main()
    return 0


def checkov(arguments: list[str]) -> int:
    from checkov.main import Checkov

    return Checkov(arguments).run() or 0


RUNS = {
    "tests": tests,
    "synthesis": synthesis,
    "sam": sam,
    "cfn-lint": cfn_lint,
    "checkov": checkov,
}
TOOLS = {
    "sam": (
        "samcli.commands.build.command",
        "samcli.commands.validate.validate",
        "cfnlint.api",
        "samtranslator.translator.translator",
    ),
    "cfn-lint": ("cfnlint.runner",),
    "checkov": ("checkov.main",),
}
"""What tools import, SAM once it knows its command."""


def fork(project: str, environment: dict[str, str], run: str, arguments: list[str]) -> int:
    """Return the exit code of the child."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            gc.disable()  # it soon ends
            os.chdir(project)
            os.environ.update(environment)
            sys.path.insert(0, project)
            code = RUNS[run](arguments)
        except SystemExit as end:
            code = int(end.code or 0)
        except BaseException:  # noqa: BLE001 (the child ends here, in whatever way)
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)  # what the parent has opened stays open
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        request = json.loads(line)
        with tempfile.TemporaryFile("w+") as printed:
            os.dup2(printed.fileno(), 1)
            os.dup2(printed.fileno(), 2)
            names = TOOLS.get(request["run"]) or imported(Path(request["project"]))
            for name in sorted({*names} - sys.modules.keys()):
                with suppress(ImportError):  # the project's own are not on the path
                    importlib.import_module(name)
            gc.freeze()  # children would copy the memory of what they look at for garbage
            code = fork(*map(request.get, ("project", "environment", "run", "arguments")))
            printed.seek(0)
            print(json.dumps({"code": code, "printed": printed.read()}), file=answers, flush=True)


if __name__ == "__main__":
    main()
