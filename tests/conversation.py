"""A command in a terminal of some size, and somebody who looks at the screen and types."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pexpect
import pyte
from screen import Shown

SECONDS = 30

ENTER, ESCAPE, UP, DOWN = "\r", "\x1b", "\x1b[A", "\x1b[B"
CLEAR_LINE, CTRL_C = "\x15", "\x03"


class Conversation:
    """A command, and the screen that it draws."""

    def __init__(
        self,
        command: Sequence[str | Path],
        folder: Path,
        environment: Mapping[str, str],
        *,
        columns: int = 80,
        rows: int = 24,
    ) -> None:
        program, *arguments = map(str, command)
        self.process = pexpect.spawn(
            program,
            arguments,
            cwd=str(folder),
            env={"TERM": "xterm-256color", **environment},
            dimensions=(rows, columns),
        )
        self.raw = b""
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)

    @property
    def lines(self) -> list[str]:
        """The screen, without the spaces at the end of each line."""
        return [line.rstrip() for line in self._screen.display]

    @property
    def text(self) -> str:
        """The words on the screen, as if it had one line."""
        return " ".join(" ".join(self.lines).split())

    @property
    def shown(self) -> Shown:
        """The screen with its colours."""
        lines = self.lines
        while lines and not lines[-1]:
            lines.pop()
        columns = range(self._screen.columns)
        buffer = self._screen.buffer
        cells = [[buffer[row][column] for column in columns] for row in range(len(lines))]
        return Shown(lines, cells, self.raw, 0)

    def until(self, wanted: str | Callable[[], bool]) -> "Conversation":
        """Read until the screen has a text, or what is wanted holds."""
        holds = wanted if callable(wanted) else lambda: wanted in self.text
        while not holds():
            try:
                self._read()
            except (pexpect.TIMEOUT, pexpect.EOF) as error:
                shown = "\n".join(self.lines)
                raise AssertionError(f"{wanted} never came, but:\n{shown}") from error
        return self

    def send(self, *keys: str) -> "Conversation":
        """Type."""
        self.process.send("".join(keys))
        return self

    def end(self) -> int:
        """Read what is left; return the exit code."""
        try:
            while True:
                self._read()
        except pexpect.EOF:
            self.process.close()
        code: int = self.process.exitstatus
        return code

    def stop(self) -> None:
        """End the command."""
        self.process.close(force=True)

    def _read(self) -> None:
        data = self.process.read_nonblocking(100_000, timeout=SECONDS)
        self.raw += data
        self._stream.feed(data)
