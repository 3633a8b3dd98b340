"""The picture in the README: the tool at work, in a terminal, as it was. `make recording` draws it.

What is shown is what was printed, with three changes: where the project was made is written as the
home folder, what is rewritten in place stands as it ended, and long lists are cut short and say so.
"""

import io
import os
import re
import sys
import tempfile
from pathlib import Path

import pexpect
from command import environment
from rich.console import Console
from rich.text import Text

PICTURE = Path(__file__).parents[1] / "docs/recording.svg"
COLUMNS = 100
SECONDS = 600

COMMANDS = {
    "sls-patterns list": 20,
    "sls-patterns new scalable-webhook my-webhooks --defaults": 14,
    "cd my-webhooks": 0,
    "sls-patterns local test -- -vv --no-header": 40,
}
"""Each with how many of its lines are shown; more are cut out of the middle."""


def record(home: Path) -> list[str]:
    """Run the commands in a terminal; return the lines that it showed."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    variables = {"PATH": path, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
    shown: list[str] = []
    folder = home
    for command, most in COMMANDS.items():
        shown += ["", f"\x1b[1;32m$\x1b[0m \x1b[1m{command}\x1b[0m"]
        if command.startswith("cd "):
            folder /= command.removeprefix("cd ")
            continue
        printed, code = pexpect.run(
            command,
            cwd=str(folder),
            env=environment(home) | variables,
            timeout=SECONDS,
            encoding="utf-8",
            withexitstatus=True,
        )
        if code:
            raise SystemExit(f"{command}: exit code {code}\n{printed}")
        lines = printed.replace(str(home), "~").rstrip().split("\r\n")
        shown += shortened([line.rpartition("\r")[2] for line in lines], most)
    return shown[1:]


def shortened(lines: list[str], most: int) -> list[str]:
    left_out = len(lines) - most
    if left_out <= 0:
        return lines
    note = f"\x1b[2m  … {left_out} more lines …\x1b[0m"
    return [*lines[: most // 2], note, *lines[-(most // 2) :]]


def draw(lines: list[str]) -> str:
    console = Console(width=COLUMNS, record=True, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi("\n".join(lines)))
    picture = console.export_svg(title="sls-patterns", unique_id="recording")
    # Fonts from elsewhere: a picture in a page loads none.
    return re.sub(r"\s*@font-face \{.*?\}", "", picture, flags=re.DOTALL)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        PICTURE.write_text(draw(record(Path(temporary))))
