"""TypeScript: packages come from npm, esbuild bundles the functions, vitest runs the proofs."""

import re
import tempfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from sls_patterns_cli.local.languages import interpreters, modules
from sls_patterns_cli.local.languages.code import Code
from sls_patterns_cli.local.languages.interpreters import Interpreter
from sls_patterns_cli.local.languages.packages import zipped
from sls_patterns_cli.local.project import Project
from sls_patterns_cli.local.proofs import REPORTERS
from sls_patterns_cli.local.shares import Share
from sls_patterns_cli.terminal.progress import Progress

PROOFS = "e2e"
"""The name that vitest knows the proofs by."""


class TypeScript:
    bundled_by_cdk = True

    def __init__(self, project: Project, progress: Progress) -> None:
        self._project = project
        self._progress = progress

    @cached_property
    def interpreter(self) -> Interpreter:
        return interpreters.required(self._project.lambda_runtime, self._progress.log)

    def _installed(self) -> Path:
        """The folder with the project's npm packages, once they are there."""
        return modules.install(self._project, self.interpreter, self._progress)

    def program_environment(self) -> Mapping[str, str]:
        self._installed()
        return modules.environment_with_npx(self._project, self.interpreter)

    def runtime_packages(self) -> Path:
        return self._installed()

    def package(self, code: Code) -> bytes:
        if code.built:
            return zipped(code.folder)
        packages = self._installed()
        with tempfile.TemporaryDirectory(prefix="sls-patterns-bundle-") as folder:
            modules.bundle(packages, code, self.interpreter, Path(folder))
            return zipped(Path(folder))

    def test_command(self, arguments: Sequence[str]) -> tuple[list[str], Mapping[str, str]]:
        vitest = self._installed() / "vitest/vitest.mjs"
        command = [str(self.interpreter.executable), str(vitest), "run", "--project", PROOFS]
        # The files run one after the other anyway; in one process they import the SDK once.
        return [*command, "--no-isolate", *arguments], modules.environment(self.interpreter)

    def reporter(self, share: Share) -> tuple[list[str], Mapping[str, str]]:
        names = "|".join(map(_named, sorted(share.ids)))
        pattern = f"^(?!(?:{names})$)" if share.others else f"^(?:{names})$"
        chosen = ["--testNamePattern", pattern] if share.ids else []
        return ["--reporter", str(REPORTERS / "vitest-events.mjs"), *chosen], share.variables


def _named(test: str) -> str:
    """A pattern for the full name of a test; before version 5, vitest joined it by spaces alone."""
    return "(?: >)? ".join(map(re.escape, test.split(" > ")))
