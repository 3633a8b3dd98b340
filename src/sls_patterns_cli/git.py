"""Makes a folder a git repository with one commit, whatever the user's git is set to."""

import os
import shutil
import subprocess
from pathlib import Path

_SETTINGS = {
    # The user's hooks, signing and line endings are for their own commits; this one must not
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
_ELSEWHERE = {
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


def is_inside_repository(path: Path) -> bool:
    """Whether `path`, which need not exist, lies in a repository's working tree."""
    return any((folder / ".git").exists() for folder in (path, *path.parents))


def first_commit(folder: Path, message: str) -> str | None:
    """Make `folder` a repository with one commit of all it holds, on the branch main.

    Returns None, or one line that says why there is no repository.
    """
    git = shutil.which("git")
    if git is None:
        return "git is not on this machine; an update of the project will need it"
    try:
        _run(git, folder, "init", "--quiet", "--template=", "--initial-branch=main")
        _run(git, folder, "add", "--all")
        commit = ("commit", "--quiet", "--no-verify", f"--message={message}")
        try:
            _run(git, folder, *commit)
        except subprocess.CalledProcessError:
            # Most likely git does not know who the user is; if it is something else, this fails.
            _run(git, folder, *commit, settings=_IDENTITY)
    except (OSError, subprocess.CalledProcessError) as error:
        shutil.rmtree(folder / ".git", ignore_errors=True)
        reason = error.stderr if isinstance(error, subprocess.CalledProcessError) else str(error)
        lines = reason.strip().splitlines() or ["no reason given"]
        return f"git made no repository ({lines[-1]}); an update of the project will need one"
    return None


def _run(git: str, folder: Path, *arguments: str, settings: dict[str, str] | None = None) -> None:
    options = [
        part
        for key, value in {**_SETTINGS, **(settings or {})}.items()
        for part in ("-c", f"{key}={value}")
    ]
    environment = {key: value for key, value in os.environ.items() if key not in _ELSEWHERE}
    subprocess.run(
        [git, *options, *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        check=True,
    )
