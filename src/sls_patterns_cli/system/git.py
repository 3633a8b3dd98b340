"""Runs git: makes a folder a repository with one commit, and reads repositories."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.system import interrupts

_SETTINGS = {
    # The user's hooks, signing and line endings are for their own commits; these must not
    # fail on them, ask for a passphrase or leave a daemon behind.
    "core.hooksPath": os.devnull,
    "core.excludesFile": os.devnull,
    "core.safecrlf": "false",
    "core.fsmonitor": "false",
    "commit.gpgSign": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    # Without it git invents an identity from the host's name.
    "user.useConfigOnly": "true",
}

_IDENTITY = {"user.name": "sls-patterns", "user.email": "sls-patterns@localhost"}

# What would lead git to another repository: `git rev-parse --local-env-vars`.
ELSEWHERE = {
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_TEMPLATE_DIR",
    "GIT_WORK_TREE",
}


def _config(settings: Mapping[str, str]) -> dict[str, str]:
    """The environment that sets what a configuration file would."""
    listed = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings.items()):
        listed |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return listed


APART = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_PARAMETERS": "",
    # No hooks.
    "GIT_TEMPLATE_DIR": "",
    **_config(
        {
            # Without them git reads files of the user's whose places are built in.
            "core.attributesFile": os.devnull,
            "core.excludesFile": os.devnull,
            "gc.auto": "0",
            "maintenance.auto": "false",
        }
    ),
}
"""The environment of a repository that is this tool's own: nothing of the user's changes it."""


PROJECTS_ATTRIBUTES = _config({"core.attributesFile": os.devnull})
"""The environment in which git reads a project's attributes, not those of the user's machine."""


class GitError(UserError):
    """git failed; the message is what git said, as one line."""


def environment(added: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without what would lead git to another repository."""
    inherited = {key: value for key, value in os.environ.items() if key not in ELSEWHERE}
    return inherited | dict(added)


def output(
    folder: Path,
    *arguments: str | Path,
    given: bytes = b"",
    added: Mapping[str, str] | None = None,
) -> bytes:
    """What git prints when it runs in `folder` with `given` on its stdin.

    `added` adds to its environment. Raises GitError if it fails or is not there.
    """
    try:
        return _output(["git", *arguments], folder, {"LC_ALL": "C"} | dict(added or {}), given)
    except FileNotFoundError as error:
        raise GitError("git is not installed; an update needs it") from error
    except subprocess.CalledProcessError as error:
        lines = _lines(error.stderr)
        # Advice may follow what went wrong, and the cause come before it.
        said = [line for line in lines if line.startswith(("error: ", "fatal: "))]
        reason = (said or lines[-1:])[0]
        raise GitError(reason.removeprefix("error: ").removeprefix("fatal: ")) from error


def merged(
    ours: bytes, base: bytes, theirs: bytes, scratch: Path, *, union: bool = False
) -> tuple[bytes, bool]:
    """The three-way merge of a text, and whether it holds conflicts between markers.

    With `union` it has the lines of both sides instead. `scratch` is a folder for its use. Raises
    GitError if git fails.
    """
    sides = {"before updating": ours, "last update": base, "after updating": theirs}
    command: list[str | Path] = ["git", "merge-file", "--stdout", *(["--union"] if union else [])]
    for label in sides:
        command += ["-L", label]
    with TemporaryDirectory(dir=scratch) as name:
        for number, content in enumerate(sides.values()):
            file = Path(name, str(number))
            file.write_bytes(content)
            command.append(file)
        try:
            return _output(command, scratch, APART), False
        except subprocess.CalledProcessError as error:
            # The number of conflicts, up to 127; beyond that it failed.
            if error.returncode in range(1, 128):
                return error.output, True
            raise GitError(_lines(error.stderr)[-1]) from error


def repository_around(path: Path) -> Path | None:
    """The repository in whose working tree `path`, which need not exist, lies; None without one."""
    return next((each for each in (path, *path.parents) if (each / ".git").exists()), None)


def first_commit(folder: Path, message: str) -> str | None:
    """Make `folder` a repository with one commit of all it holds, on the branch main.

    Returns None, or one line that says why there is no repository.
    """
    git = shutil.which("git")
    if git is None:
        return "git is not installed; an update of the project will need it"
    try:
        _run(git, folder, "init", "--quiet", "--template=", "--initial-branch=main")
        _run(git, folder, "add", "--all")
        _commit(git, folder, message)
    except subprocess.CalledProcessError as error:
        reason = _lines(error.stderr)[-1]
    except OSError as error:
        reason = str(error)
    else:
        return None
    shutil.rmtree(folder / ".git", ignore_errors=True)
    return f"git made no repository ({reason}); an update of the project will need one"


def commit(folder: Path, message: str) -> None:
    """Commit what is staged, without hooks and signature. Raises GitError if git fails."""
    try:
        _commit("git", folder, message)
    except subprocess.CalledProcessError as error:
        raise GitError(_lines(error.stderr)[-1]) from error


def _commit(git: str, folder: Path, message: str) -> None:
    arguments = ("commit", "--quiet", "--no-verify", f"--message={message}")
    try:
        _run(git, folder, *arguments)
    except subprocess.CalledProcessError:
        # Most likely git does not know who the user is; if it is something else, this fails.
        _run(git, folder, *arguments, settings=_IDENTITY)


def _run(git: str, folder: Path, *arguments: str, settings: dict[str, str] | None = None) -> None:
    options = [
        part
        for key, value in {**_SETTINGS, **(settings or {})}.items()
        for part in ("-c", f"{key}={value}")
    ]
    _output([git, *options, *arguments], folder)


def _output(
    command: Sequence[str | Path],
    folder: Path,
    added: Mapping[str, str] | None = None,
    given: bytes = b"",
) -> bytes:
    """What the command prints; a signal can end the wait, but not lose what was just started."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=folder, env=environment(added or {}), stdin=pipe, stdout=pipe, stderr=pipe
    ) as process:
        try:
            with interrupts.allowed():
                printed, errors = process.communicate(given)
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, command, printed, errors)
    return printed


def _lines(said: bytes) -> list[str]:
    return said.decode(errors="replace").strip().splitlines() or ["no reason given"]
