"""The programs that generated projects and their commands need, and which this machine has."""

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

Version = tuple[int, ...]

CDK_NODE = 22
"""The oldest Node.js that the CDK CLI supports: https://docs.aws.amazon.com/cdk/v2/guide/node-versions.html"""

SECONDS = 20
"""How long a program may take to print its version; the SAM CLI takes about one second."""


@dataclass(frozen=True)
class Need:
    """A program, the oldest version that will do, and what it is needed for."""

    program: str
    purpose: str
    oldest: Version = ()

    @property
    def wanted(self) -> str:
        """The program and its version, such as `node 24 or newer`."""
        version = ".".join(map(str, self.oldest))
        return f"{self.program} {version} or newer" if version else self.program


def needs(answers: Mapping[str, object]) -> list[Need]:
    """What the commands of a project with these answers need, each program once."""
    found: dict[str, Need] = {}
    for need in _needs(answers):
        before = found.get(need.program)
        if before is None or before.oldest < need.oldest:
            found[need.program] = need
    return list(found.values())


def _needs(answers: Mapping[str, object]) -> Iterator[Need]:
    yield Need("git", "the project's history, and updates")
    yield Need("make", "the project's commands")
    if answers.get("runtime") == "python":
        yield Need("python3", "unit tests")
    if answers.get("runtime") == "typescript":
        version = tuple(map(int, re.findall(r"\d+", str(answers.get("runtime_version", "")))))
        yield Need("node", "unit tests", version)
        yield Need("npm", "the packages")
    if answers.get("iac") == "cdk":
        yield Need("node", "the CDK CLI", (CDK_NODE,))
        yield Need("npx", "the CDK CLI")
    if answers.get("iac") == "sam":
        yield Need("sam", "`make deploy`")
    yield Need("aws", "`make deploy` and the examples")


def of_some_projects() -> list[Need]:
    """What some projects need, by their answers."""
    return [
        Need("make", "the commands of projects"),
        Need("python3", "projects in Python"),
        Need("node", "projects in TypeScript, and the CDK"),
        Need("npm", "projects in TypeScript"),
        Need("sam", "projects in SAM"),
        Need("aws", "deployments"),
    ]


def missing(answers: Mapping[str, object]) -> list[str]:
    """The programs that a project with these answers needs and that are not on the PATH."""
    return [need.program for need in needs(answers) if shutil.which(need.program) is None]


@cache
def version_of(program: str) -> Version | None:
    """The version of a program on the PATH; None if it is not there or prints none."""
    file = shutil.which(program)
    if file is None:
        return None
    try:
        done = subprocess.run(
            [file, "--version"], capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"\d+(?:\.\d+)+", done.stdout or done.stderr)
    return tuple(map(int, found[0].split("."))) if found else None
