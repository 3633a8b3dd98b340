"""The command line as users run it: in a fork that has its imports, or as a process of its own."""

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from servers import server

COMMANDS = Path(__file__).with_name("commands.py")


@cache
def warm_cache() -> Path:
    """Return the cache of all these users: the template is compiled once for a worker's tests."""
    folder = Path(tempfile.mkdtemp(prefix="sls-patterns-cache-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def environment(home: Path) -> dict[str, str]:
    """The environment of a user without any settings, who lives in `home`."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("GIT_", "XDG_", "COPIER_", "NO_COLOR", "COLUMNS", "EMAIL", "SLS_"))
    }
    own = {"HOME": str(home), "XDG_CACHE_HOME": str(warm_cache()), "GIT_CONFIG_NOSYSTEM": "1"}
    return kept | own


WITHOUT_EXTRAS = """
import importlib.metadata, sys
EXTRAS = ("boto3", "botocore", "ministack", "samtranslator", "aws-sam-translator")
sys.modules.update(dict.fromkeys(EXTRAS))
version = importlib.metadata.version
def installed(name):
    if name in EXTRAS:
        raise importlib.metadata.PackageNotFoundError(name)
    return version(name)
importlib.metadata.version = installed
"""


def without_extras(folder: Path) -> dict[str, str]:
    """Return an environment in which Python starts as if no extra's packages were installed."""
    blocked = folder / "blocked"
    blocked.mkdir()
    (blocked / "sitecustomize.py").write_text(WITHOUT_EXTRAS)
    return {"PYTHONPATH": str(blocked)}


COMMAND = (sys.executable, "-m", "sls_patterns_cli")
COPIER = (sys.executable, "-m", "copier")
READ_AT_START = ("PYTHON", "LC_", "LANG")
"""What variables are called that Python reads as it starts: a fork would not see them."""


@dataclass(frozen=True)
class Cli:
    """Runs sls-patterns in `folder`, for a user without any settings."""

    folder: Path
    environment: dict[str, str]
    command: tuple[str, ...] = COMMAND

    def __call__(
        self, *arguments: str | Path, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run it without a terminal; `environment` adds to its environment.

        It runs in a fork of a process that has imported what commands do, or as a process of its
        own where the start makes a difference; `suite/test_command.py` compares them.
        """
        variables = self.environment | environment
        if self.command not in {COMMAND, COPIER} or any(
            name.startswith(READ_AT_START) and os.environ.get(name) != value
            for name, value in variables.items()
        ):
            return self.as_process(*arguments, **environment)
        request = {
            "folder": str(self.folder),
            "environment": variables,
            "arguments": [str(each) for each in arguments],
        }
        answer = server((sys.executable, COMMANDS, self.command[-1])).ask(request)
        return subprocess.CompletedProcess(
            arguments, answer["code"], answer["stdout"], answer["stderr"]
        )

    def as_process(
        self, *arguments: str | Path, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Do so as a shell starts it."""
        return subprocess.run(
            [*self.command, *arguments],
            cwd=self.folder,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def in_a_shell(self, redirection: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it from a shell that redirects its streams."""
        shell = ("sh", "-c", f'"$@" {redirection}', "sh")
        return Cli(self.folder, self.environment, (*shell, *self.command))(*arguments)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start it without a terminal."""
        return subprocess.Popen(
            [*self.command, *arguments],
            cwd=self.folder,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def wait_for(seconds: float, condition: Callable[[], object]) -> None:
    """Wait until `condition` holds; look so often that a moment is not missed."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)
