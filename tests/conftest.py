"""The command line as users run it: a process, in a folder that is not this repository."""

import signal
from pathlib import Path

import pytest
from command import Cli, environment

# What runs in the background or under nohup ignores them, and so would all that the tests start.
for number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    home, folder = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    folder.mkdir()
    return Cli(folder, environment(home))
