"""A `local up` in another process."""

import signal
import subprocess
from pathlib import Path

from command import Cli
from local.support import wait_until


class Up:
    """A `local up` of a project, which has been deployed, and what it prints."""

    def __init__(self, cli: Cli, root: Path, *options: str, seconds: float) -> None:
        """`seconds` is how long a busy machine may take."""
        self.root = root
        self._printed = root.parent / f"{root.name}.log"
        with self._printed.open("w") as printed:
            self._process = subprocess.Popen(
                [*cli.command, "local", "up", str(root), *options],
                stdout=printed,
                stderr=subprocess.STDOUT,
                env=cli.environment,
                start_new_session=True,
            )
        wait_until(lambda: "Ctrl-C stops everything" in self.printed or self.code, seconds)
        assert self.code is None, self.printed

    @property
    def printed(self) -> str:
        return self._printed.read_text()

    @property
    def code(self) -> int | None:
        return self._process.poll()

    def end(self, number: signal.Signals = signal.SIGINT) -> None:
        if self.code is None:
            self._process.send_signal(number)
        self._process.wait(20)
