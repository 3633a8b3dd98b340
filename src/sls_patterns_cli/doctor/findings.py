"""What was found on this machine and in a project: each thing, and how to mend it."""

import os
import re
import socket
from collections.abc import Iterator, Mapping
from configparser import ConfigParser, Error
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from packaging.version import InvalidVersion, Version

from sls_patterns_cli import catalog
from sls_patterns_cli.doctor import mending, programs
from sls_patterns_cli.rendering import answers

State = Literal["ok", "mend", "note"]
"""`mend`: something will fail. `note`: something could be better, or is not needed."""

EXTRAS = {
    "check": ("aws-sam-translator", "check reads templates of SAM"),
    "letters": ("boto3", "letters talks to AWS"),
    "local": ("ministack", "local and prove run projects on this machine"),
}
"""The extras of this package: a package of each, and what for."""

LOCKS = {
    "python": ("src/requirements.lock", "make install"),
    "typescript": ("package-lock.json", "npm install"),
}
"""The file with the versions of all packages, which belongs into git, and what writes it."""


@dataclass(frozen=True)
class Finding:
    """One thing: its name, how it is, what was found, and how to mend it."""

    name: str
    state: State
    found: str
    mend: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The finding as `--json` prints it."""
        return asdict(self)


def of_machine(recorded: Mapping[str, object]) -> Iterator[Finding]:
    """Yield what this machine has of what any project, or one with these answers, needs."""
    if recorded:
        for need in programs.needs(recorded):
            yield _program(need, lacking="mend")
    else:
        yield _program(programs.Need("git", "projects and their updates"), lacking="mend")
        for need in programs.of_some_projects():
            yield _program(need, lacking="note")
    if recorded.get("runtime") == "python":
        yield from _python_of_functions(str(recorded.get("runtime_version", "")))
    yield from _old_aws_cli()
    yield Finding("docker", "ok", "not needed: the local stack runs without containers")
    for extra, (package, purpose) in EXTRAS.items():
        yield _extra(extra, package, purpose)
    yield _credentials(os.environ)
    yield _region(os.environ, recorded)
    yield _ports()


def of_project(root: Path, recorded: Mapping[str, object]) -> Iterator[Finding]:
    """Yield what is to be said of the project in a folder, with its answers."""
    yield _age(recorded)
    file, command = LOCKS.get(str(recorded.get("runtime")), ("", ""))
    if file and (root / file).is_file():
        yield Finding(file, "ok", "is there; keep it in git")
    elif file:
        yield Finding(
            file, "note", "is missing: others may get other packages", f"{command}, then commit it"
        )


def project_of(path: Path) -> tuple[Path, dict[str, Any]] | None:
    """The project in a folder or above it, with its answers; None if there is none.

    Raises UserError for one that is broken.
    """
    root = answers.project_around(path)
    return None if root is None else (root, answers.read(root))


def _program(need: programs.Need, *, lacking: State) -> Finding:
    found = programs.version_of(need.program)
    if found is None:
        says = f"not installed; {need.wanted} is needed for {need.purpose}"
        return Finding(need.program, lacking, says, mending.mend(need))
    version = ".".join(map(str, found))
    if found[: len(need.oldest)] < need.oldest:
        says = f"{version}; {need.wanted} is needed for {need.purpose}"
        return Finding(need.program, lacking, says, mending.mend(need))
    return Finding(need.program, "ok", version)


def _python_of_functions(runtime_version: str) -> Iterator[Finding]:
    """Yield a note if unit tests run on another Python than the functions."""
    wanted = tuple(map(int, re.findall(r"\d+", runtime_version)))
    if (programs.version_of("python3") or ())[:2] == wanted or len(wanted) != 2:
        return
    name = f"python{wanted[0]}.{wanted[1]}"
    if programs.version_of(name) is None:
        says = "not installed; `make install` takes python3 for unit tests"
        yield Finding(name, "note", says, mending.PAGES["python3"])


def _old_aws_cli() -> Iterator[Finding]:
    found = programs.version_of("aws")
    if found and found[0] == 1:
        yield Finding(
            "aws 2",
            "note",
            "version 1 sends `aws sqs` to AWS, past the local stack",
            mending.PAGES["aws"],
        )


def _extra(extra: str, package: str, purpose: str) -> Finding:
    try:
        version = metadata.version(package)
    except metadata.PackageNotFoundError:
        says = f"not installed: {purpose}"
        return Finding(
            f"[{extra}]", "note", says, f"install {catalog.DISTRIBUTION} with its extra [{extra}]"
        )
    return Finding(f"[{extra}]", "ok", f"{package} {version}")


def _credentials(environment: Mapping[str, str]) -> Finding:
    """Say where credentials are, and nothing of them; whether they are good only AWS knows."""
    if environment.get("AWS_ACCESS_KEY_ID"):
        return Finding("credentials", "ok", "in the environment")
    profile = environment.get("AWS_PROFILE", "default")
    for file, section in _configured(environment, profile):
        if section in _sections(file):
            return Finding("credentials", "ok", f"profile {profile}")
    return Finding(
        "credentials",
        "note",
        f"none for the profile {profile}; only deployments need them",
        "aws configure sso",
    )


def _configured(environment: Mapping[str, str], profile: str) -> list[tuple[Path, str]]:
    """The two files of the AWS CLI and SDKs, and how each names the profile.

    https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
    """
    home = Path(environment.get("HOME", str(Path.home()))) / ".aws"
    in_config = profile if profile == "default" else f"profile {profile}"
    return [
        (Path(environment.get("AWS_SHARED_CREDENTIALS_FILE", home / "credentials")), profile),
        (Path(environment.get("AWS_CONFIG_FILE", home / "config")), in_config),
    ]


def _sections(file: Path) -> Mapping[str, Mapping[str, str]]:
    parser = ConfigParser(interpolation=None)
    try:
        parser.read_string(file.read_text("utf-8"))
    except (OSError, ValueError, Error):
        return {}
    return {name: dict(parser[name]) for name in parser.sections()}


def _region(environment: Mapping[str, str], recorded: Mapping[str, object]) -> Finding:
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    if recorded:
        return Finding("region", "ok", f"{recorded.get('region')}, by the project's Makefile")
    for file, section in (
        () if region else _configured(environment, environment.get("AWS_PROFILE", "default"))
    ):
        region = region or _sections(file).get(section, {}).get("region")
    if region:
        return Finding("region", "ok", region)
    return Finding("region", "note", "none is configured; each project has its own")


def _ports() -> Finding:
    try:
        with socket.create_server(("127.0.0.1", 0)):
            return Finding("ports", "ok", "the local stack takes free ones of 127.0.0.1")
    except OSError as error:
        return Finding("ports", "mend", f"nothing may listen on 127.0.0.1: {error.strerror}")


def _age(recorded: Mapping[str, object]) -> Finding:
    """Compare the version that made a project, or last updated it, with this one."""
    made_by = str(recorded.get("_commit", ""))
    try:
        version, own = Version(made_by.removeprefix("v")), Version(catalog.version())
    except InvalidVersion:
        return Finding("template", "note", f"{made_by or 'unknown'} is no version of the template")
    if version < own:
        return Finding(
            "template", "note", f"{version}; this is {own}", "sls-patterns update --dry-run"
        )
    if version > own:
        return Finding(
            "template",
            "mend",
            f"{version}; this is {own}, which is older",
            "install a newer sls-patterns-cli",
        )
    return Finding("template", "ok", str(version))
