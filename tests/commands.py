"""Runs `sls-patterns` or Copier's command in children that have already what it imports.

Argument: the module that starts it, as of `python -m`.

For each line of standard input, `{folder, environment, arguments}`, a child is forked; a line of
standard output has its exit code and what it printed. What one child has compiled of templates the
next ones have.
"""

import gc
import importlib
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from typing import IO, Any

from compiling import Compiled
from plumbum import local

from sls_patterns_cli import __main__ as sls_patterns
from sls_patterns_cli.cloudformation.translator import import_translator
from sls_patterns_cli.rendering import copier_without_prompts

IMPORTED = (
    "boto3",
    "sls_patterns_cli.check.command",
    "sls_patterns_cli.check.text",
    "sls_patterns_cli.cli.commands",
    "sls_patterns_cli.letters.command",
    "sls_patterns_cli.local.session",
    "sls_patterns_cli.updating.update",
)
"""What most commands of this tool import, beside Copier: that is a third of an update."""


def sls_patterns_program() -> Callable[[], None]:
    copier_without_prompts.import_copier()
    import_translator({})  # before boto3, as commands do
    for name in IMPORTED:
        importlib.import_module(name)
    return sls_patterns.main


def copier_program() -> Callable[[], None]:
    from copier._cli import CopierApp

    run: Callable[[], None] = CopierApp.run
    return run


PROGRAMS = {"sls_patterns_cli": sls_patterns_program, "copier": copier_program}


def run(
    program: Callable[[], None], folder: str, environment: dict[str, str], arguments: list[str]
) -> int:
    """Do as the program does."""
    try:
        enter(folder, environment)
        sys.argv = [sys.argv[0], *arguments]
        program()
    except SystemExit as end:
        return int(end.code or 0)
    except BaseException:  # noqa: BLE001 (told as the interpreter does)
        traceback.print_exc()
    return 1


def enter(folder: str, environment: dict[str, str]) -> None:
    """Be in the folder with this environment; plumbum, by which Copier runs git, has its own."""
    local.cwd.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    local.env.clear()
    local.env.update(environment)


def fork(
    program: Callable[[], None], request: dict[str, Any], compiled: Compiled, *streams: IO[str]
) -> int:
    """Run the program in a child with these streams, learn what it compiled, return its code."""
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            for number, stream in enumerate(streams):
                os.dup2(stream.fileno(), number)
            code = run(program, **request)
            with os.fdopen(writable, "wb") as told:
                told.write(compiled.new())
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    os.close(writable)
    with os.fdopen(readable, "rb") as told:
        new = told.read()
    if new:  # a child that was killed says nothing
        compiled.learn(new)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main() -> None:
    sys.path.pop(0)  # our modules are not the tool's
    program = PROGRAMS[sys.argv[1]]()
    compiled = Compiled()
    compiled.use()
    gc.collect()
    gc.freeze()
    with os.fdopen(os.dup(1), "w") as answers, open(os.devnull) as nothing:  # noqa: PTH123
        for line in sys.stdin:
            with tempfile.TemporaryFile("w+") as printed, tempfile.TemporaryFile("w+") as errors:
                code = fork(program, json.loads(line), compiled, nothing, printed, errors)
                printed.seek(0)
                errors.seek(0)
                answer = {"code": code, "stdout": printed.read(), "stderr": errors.read()}
            print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
