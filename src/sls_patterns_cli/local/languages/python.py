"""Python: uv installs packages, for the functions and for the proofs, which pytest runs."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local.emulator.runtimes import REQUIREMENTS_FOLDER
from sls_patterns_cli.local.languages import interpreters, uv
from sls_patterns_cli.local.languages.code import Code
from sls_patterns_cli.local.languages.interpreters import Interpreter
from sls_patterns_cli.local.languages.packages import zipped
from sls_patterns_cli.local.project import Project
from sls_patterns_cli.local.proofs import REPORTERS
from sls_patterns_cli.local.shares import Share
from sls_patterns_cli.terminal.progress import Progress

REQUIREMENTS = "requirements.txt"

LOCK = "requirements.lock"
"""What `make install` writes from REQUIREMENTS: all packages, with their versions and hashes."""

PROOFS = "tests/e2e"

SYNTAX_CHECK = """
import pathlib, sys
for file in sorted(pathlib.Path(sys.argv[1]).rglob("*.py")):
    try:
        compile(file.read_bytes(), str(file), "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        print(file, getattr(error, "lineno", None) or 1, getattr(error, "msg", error), sep="\\n")
        sys.exit(1)
"""

UNFINISHED = "unfinished"
"""Marks an environment into which something is being installed."""


class Python:
    bundled_by_cdk = False

    def __init__(self, project: Project, progress: Progress) -> None:
        self._project = project
        self._progress = progress

    @cached_property
    def interpreter(self) -> Interpreter:
        return interpreters.required(self._project.lambda_runtime, self._progress.log)

    def program_environment(self) -> Mapping[str, str]:
        self._environment()
        return os.environ

    def runtime_packages(self) -> Path:
        from sls_patterns_cli.local.workloads import runtime_packages

        folder = self._project.work / "runtimes" / self.interpreter.version_text
        return runtime_packages.python(folder, self.interpreter, (), self._progress)

    def package(self, code: Code) -> bytes:
        """The sources and, in the file REQUIREMENTS_FOLDER, where their requirements are.

        Those are installed once and not copied, thousands of files, into every package and out of
        it again. They are installed for the interpreter on this machine, not for the function's
        architecture: a wheel compiled for arm64 does not load on an x86-64 host.
        """
        if code.built:
            return zipped(code.folder)
        self._refuse_syntax_errors(code.folder)
        return zipped(code.folder, {REQUIREMENTS_FOLDER: str(self._requirements(code.folder))})

    def test_command(self, arguments: Sequence[str]) -> tuple[list[str], Mapping[str, str]]:
        return [str(self._environment()), "-m", "pytest", *self._selection(arguments)], os.environ

    def reporter(self, share: Share) -> tuple[list[str], Mapping[str, str]]:
        path = [str(REPORTERS), *filter(None, [os.environ.get("PYTHONPATH")])]
        variables = {"PYTHONPATH": os.pathsep.join(path), **share.variables}
        return ["-p", "sls_patterns_events"], variables

    def _selection(self, arguments: Sequence[str]) -> list[str]:
        """The test runner's arguments: all proofs, unless some of the arguments name tests."""
        root = self._project.root
        names_tests = any((root / each.partition("::")[0]).exists() for each in arguments)
        return list(arguments) if names_tests else [PROOFS, *arguments]

    def _refuse_syntax_errors(self, source: Path) -> None:
        """Raise UserError for the first module that the functions' interpreter cannot read."""
        python = str(self.interpreter.executable)
        check = ("-I", "-c", SYNTAX_CHECK, str(source))
        done = subprocess.run([python, *check], capture_output=True, text=True, check=False)
        if done.returncode:
            file, line, message = done.stdout.splitlines()
            name = Path(file).relative_to(self._project.root)
            raise UserError(f"{name}:{line}: {message}")

    def _requirements(self, source: Path) -> Path:
        """The folder into which the requirements of `source` are installed."""
        project, interpreter = self._project, self.interpreter
        lists = _lists(source)
        stamp = uv.fingerprint(lists)
        # CDK copies the sources and names them by their content, so by another name after a change.
        copied = source.is_relative_to(project.work)
        name = stamp[:12] if copied else source.name
        folder = project.work / "build" / f"{name}-{interpreter.version_text}"
        first = lists[0] if lists else source
        which = first.name if copied else first.relative_to(project.root)
        shown = f"{which} for the functions"
        wanted = uv.Wanted(uv.named(lists), shown, stamp, project.root)
        return uv.into_folder(folder, interpreter.executable, wanted, self._progress)

    def _environment(self) -> Path:
        """The Python of the project's `.venv`, once that has its requirements-dev.txt."""
        root = self._project.root
        environment = root / ".venv"
        python = environment / "bin" / "python"
        lists = lists_of_environment(root)
        stamp = uv.fingerprint(lists)
        made = environment / "pyvenv.cfg"
        if python.exists() and uv.is_current(made, stamp):
            return python
        with self._progress.step(f"Installing {lists[0].name} into .venv"):
            if not (python.exists() and made.exists()):
                interpreter = str(self.interpreter.executable)
                uv.run(
                    root, "venv", "--quiet", "--clear", "--python", interpreter, str(environment)
                )
            # What an interrupted installation has left may be half a package.
            again = ["--reinstall"] if uv.is_current(made, UNFINISHED) else []
            uv.mark_current(made, UNFINISHED)
            uv.install(root, python, uv.named(lists), *again)
        uv.mark_current(made, stamp)
        return python


def lists_of_environment(root: Path) -> list[Path]:
    """What is installed into `.venv`: the requirements of development, and those of functions."""
    lists = [each for source in sorted(root.glob("*/")) for each in _lists(source)]
    return [root / "requirements-dev.txt", *lists]


def _lists(source: Path) -> list[Path]:
    """The lists of a folder's packages; REQUIREMENTS as well, as it may be newer than the lock."""
    return [each for each in (source / LOCK, source / REQUIREMENTS) if each.is_file()]
