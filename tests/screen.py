"""What a person sees: a command under a pseudo-terminal, and the screen that it leaves."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pexpect
import pyte
from pyte.screens import Char

ROWS = 300
"""Higher than any output, so that nothing scrolls out."""

DIM = re.compile(rb"\x1b\[([0-9;]*)m")


@dataclass(frozen=True)
class Shown:
    """What was on the screen at the end, without the spaces at the end of each line."""

    lines: list[str]
    cells: list[list[Char]]
    raw: bytes
    code: int

    @property
    def text(self) -> str:
        """The whole screen."""
        return "\n".join(self.lines)


Talk = Callable[["pexpect.spawn[bytes]"], None]


class Enough(Exception):  # noqa: N818 - ends a conversation, and is no error
    """Raised by a `Talk` when the screen shows what is wanted: the command is ended then."""


def see(  # noqa: PLR0913 - what a terminal is
    command: Sequence[str | Path],
    folder: Path,
    environment: Mapping[str, str],
    columns: int = 100,
    *,
    talk: Talk | None = None,
    seconds: float = 60,
) -> Shown:
    """Run a command in a terminal of that width; `talk` answers what it asks."""
    heard: list[bytes] = []

    class Log:
        def write(self, data: bytes) -> None:
            heard.append(data)

        def flush(self) -> None:
            pass

    program, *arguments = map(str, command)
    process = pexpect.spawn(
        program,
        arguments,
        cwd=str(folder),
        env={"TERM": "xterm-256color", **environment},
        dimensions=(ROWS, columns),
        timeout=seconds,
    )
    process.logfile_read = Log()
    try:
        if talk:
            talk(process)
        process.expect(pexpect.EOF)
    except Enough:
        pass
    raw = b"".join(heard)
    process.close(force=True)
    screen = pyte.Screen(columns, ROWS)
    pyte.ByteStream(screen).feed(DIM.sub(_dim_as_italics, raw))
    lines = [line.rstrip() for line in screen.display]
    while lines and not lines[-1]:
        lines.pop()
    cells = [[screen.buffer[row][column] for column in range(columns)] for row in range(len(lines))]
    return Shown(lines, cells, raw, process.exitstatus or 0)


def colour_of(shown: Shown, text: str) -> str:
    """Return the colour of the first place where the screen has a text."""
    row = next(number for number, line in enumerate(shown.lines) if text in line)
    return str(shown.cells[row][shown.lines[row].index(text)].fg)


def _dim_as_italics(found: re.Match[bytes]) -> bytes:
    """pyte knows no dim text, and nothing here is in italics."""
    numbers = found[1].split(b";")
    if b"38" in numbers or b"48" in numbers:
        return found[0]
    return b"\x1b[%sm" % b";".join(b"3" if number == b"2" else number for number in numbers)


def plain_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which nothing but the terminal decides what is shown."""
    unset = {"NO_COLOR", "COLUMNS", "LINES", "FORCE_COLOR", "PYTHONIOENCODING", "CI"}
    kept = {key: value for key, value in environment.items() if key not in unset}
    return kept | {"PATH": environment.get("PATH", os.defpath), "PYTHONUTF8": "1"}
