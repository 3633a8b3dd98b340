"""The pictures in the README: the tool at work, in terminals. `make recording` draws them.

Those of `list`, `show` and the prompts change with each pattern, so `make golden` draws them
(`--catalog`); `--failures` draws only the one of `prove` and `check`, `--daily` those of `choose`,
`doctor` and `local up --watch`.

What is shown is what was on the screen, with two changes: where the project was made is written as
the home folder, and long lists are cut short and say so.
"""

import io
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import writing
from command import environment
from conversation import DOWN, ENTER, Conversation
from rich.console import Console
from rich.style import Style
from rich.text import Text
from screen import Enough, Shown, plain_environment, see

from sls_patterns_cli.catalog import slugs

if TYPE_CHECKING:
    import pexpect

DOCS = Path(__file__).parents[1] / "docs"
PICTURES = DOCS / "pictures"
WIDE, NARROW = 110, 80
SECONDS = 600

LIST = ("sls-patterns", "list")
SHOW = ("sls-patterns", "show", "scalable-webhook")
NEW = ("sls-patterns", "new", "scalable-webhook", "my-webhooks")
TEST = ("sls-patterns", "local", "test")
CHOOSE = ("sls-patterns", "choose")
DOCTOR = ("sls-patterns", "doctor")
WATCH = ("sls-patterns", "local", "up", "--watch")

RECORDED = Path(__file__).parent / "recorded"
"""A stack that loses messages, and the same with what `check` asks for."""

FAILURES = (
    ("sls-patterns", "prove", "template.yaml"),
    ("sls-patterns", "check", "template.yaml"),
    ("diff", "template.yaml", "mended.yaml"),
    ("sls-patterns", "prove", "mended.yaml"),
)

# What pyte calls colours, and Rich otherwise.
COLOURS = {"brown": "yellow", "brightblack": "bright_black"}


def terminal(home: Path) -> dict[str, str]:
    """Return the environment of the commands in the pictures."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return plain_environment(environment(home)) | {"PATH": path}


def texts(command: Sequence[str], shown: Shown, home: Path) -> Iterator[Text]:
    """Return a command and what it left on the screen as Rich's texts, line by line."""
    yield Text.assemble(("$ ", "bold green"), (" ".join(command), "bold"))
    for line, cells in zip(shown.lines, shown.cells, strict=True):
        text = Text()
        for style, run in groupby(cells[: len(line)], _style):
            text.append("".join(cell.data for cell in run), style)
        plain = text.plain
        if (place := str(home)) in plain:
            start = plain.index(place)
            text = text[:start] + Text("~") + text[start + len(place) :]
        yield text


def _style(cell: object) -> Style:
    """Return a cell's style; what is dim comes as italics (screen.py)."""
    colour = str(getattr(cell, "fg", "default"))
    if re.fullmatch("[0-9a-f]{6}", colour):
        colour = f"#{colour}"
    return Style(
        color=COLOURS.get(colour, colour),
        bold=getattr(cell, "bold", False),
        dim=getattr(cell, "italics", False),
    )


def shortened(lines: list[Text], most: int) -> list[Text]:
    """Return no more lines than that: the rest is cut out of the middle."""
    left_out = len(lines) - most
    if left_out <= 0:
        return lines
    note = Text(f"  ... {left_out} more lines ...", "dim")
    return [*lines[: most // 2], note, *lines[-(most // 2) :]]


def draw(lines: Sequence[Text], columns: int, name: str) -> str:
    """Return the picture of a terminal with these lines."""
    console = Console(width=columns, record=True, file=io.StringIO(), force_terminal=True)
    for line in lines:
        console.print(line, soft_wrap=True)
    picture = console.export_svg(title="sls-patterns", unique_id=name)
    # Fonts from elsewhere: a picture in a page loads none.
    picture = re.sub(r"\s*@font-face \{.*?\}", "", picture, flags=re.DOTALL)
    return "\n".join(line.rstrip() for line in picture.splitlines()) + "\n"


Picture = tuple[str, int, list[Text]]
"""A picture's name, the width of its terminal, and its lines."""


def catalog(home: Path, variables: Mapping[str, str]) -> Iterator[Picture]:
    """Run the commands that show the patterns; return their pictures."""
    for columns, width in ((WIDE, "wide"), (NARROW, "80")):
        for name, command in (("list", LIST), ("show", SHOW)):
            shown = see(command, home, variables, columns)
            yield f"{name}-{width}", columns, list(texts(command, shown, home))
    with tempfile.TemporaryDirectory() as folder:
        for name, shown in prompts([sys.executable, "-m", "sls_patterns_cli"], folder, variables):
            yield name, NARROW, list(texts(NEW[:2], shown, home))


def record(home: Path, variables: Mapping[str, str]) -> Iterator[Picture]:
    """Make a project and prove it; return the pictures."""
    made = see((*NEW, "--defaults"), home, variables, WIDE)
    assert made.code == 0, made.text
    project = home / NEW[-1]
    tested = {}
    for columns, width in ((WIDE, "wide"), (NARROW, "80")):
        shown = see(TEST, project, variables, columns, seconds=SECONDS)
        assert shown.code == 0, shown.text
        tested[columns] = list(texts(TEST, shown, home))
        yield f"local-test-{width}", columns, tested[columns]
    yield (
        "recording",
        WIDE,
        [
            *shortened(list(texts((*NEW, "--defaults"), made, home)), 14),
            Text(),
            *texts(("cd", NEW[-1]), Shown([], [], b"", 0), home),
            Text(),
            *tested[WIDE],
        ],
    )


def failures(home: Path, variables: Mapping[str, str]) -> Iterator[Picture]:
    """Lose a message, add what `check` asks for, and see it kept; return the picture."""
    lines: list[Text] = []
    for command in FAILURES:
        shown = see(command, RECORDED, variables, WIDE)
        lines += [*texts(command, shown, home), Text()]
    yield "failures", WIDE, lines[:-1]


def daily(home: Path, variables: Mapping[str, str]) -> Iterator[Picture]:
    """Choose a pattern, see what the machine lacks, and save a change that is deployed."""
    shown = see(CHOOSE, home, variables, WIDE, talk=choosing)
    yield "choose", WIDE, list(texts(CHOOSE, shown, home))
    assert see((*NEW, "--defaults"), home, variables, WIDE).code == 0
    project = home / NEW[-1]
    yield "doctor", WIDE, list(texts(DOCTOR, see(DOCTOR, project, variables, WIDE), home))
    logic = next(project.glob("src/*/logic.py"))

    def watching(process: "pexpect.spawn[bytes]") -> None:
        process.expect("each saved change is deployed")
        logic.write_text(f'{logic.read_text()}\nGREETING = "welcome"\n')
        process.expect(r"Deployed .* in [0-9.]+ s \(src/")
        process.expect("\n")
        raise Enough

    shown = see(WATCH, project, variables, WIDE, seconds=SECONDS, talk=watching)
    yield "watch", WIDE, list(texts(WATCH, shown, home))


def choosing(process: "pexpect.spawn[bytes]") -> None:
    """Answer what `choose` asks for a service that tells several others what has happened."""
    for question, last, keys in (
        ("Who calls", "log line", DOWN + ENTER),
        ("Must the caller wait", "acknowledgement", DOWN + ENTER),
        ("Must messages be processed", "yes", ENTER),
        ("Who processes one message", "by its type", DOWN + ENTER),
    ):
        process.expect(question)
        process.expect(last)
        process.send(keys)


def everything(home: Path, variables: Mapping[str, str]) -> Iterator[Picture]:
    for drawing in (record, failures, daily):
        with tempfile.TemporaryDirectory(dir=home) as folder:
            yield from drawing(Path(folder), variables)


DRAWN = {"--catalog": catalog, "--failures": failures, "--daily": daily}


def prompts(
    program: Sequence[str | Path], folder: str | Path, variables: Mapping[str, str]
) -> Iterator[tuple[str, Shown]]:
    """Choose a pattern and answer the questions of `new`; return the screens of two of them."""
    screen = Conversation([*program, "new"], Path(folder), variables, columns=NARROW)
    try:
        screen.until("type to filter").send("queue").until("? Which pattern? queue")
        screen.until("> Scalable Webhook").until("═> process ─> events")
        screen.until(lambda: not screen.lines[-1].startswith(f"{len(slugs())} of"))
        screen.until(lambda: screen.text.endswith("Ctrl-C end"))
        yield "picker", screen.shown
        screen.send(ENTER).until("project's name?")
        for question in ("Which topology", "Which runtime", "Which version", "Which IaC flavour"):
            screen.send(ENTER).until(f"? {question}").until("Esc back")
        screen.send(ENTER).until("? Which datastore").send(DOWN).until("> aurora-postgresql")
        screen.send(ENTER).until("change functions?").send(ENTER).until("Which AWS region?")
        screen.send("ireland").until("1 of").send(ENTER).until("dashboard?").send(ENTER)
        screen.until("Should stages").send(ENTER).until("be traced?").send(ENTER)
        screen.until("optional parameters").send(ENTER).until("Cancel, and write nothing")
        screen.until(lambda: screen.text.endswith("Ctrl-C end"))
        yield "review", screen.shown
    finally:
        screen.stop()


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        of = DRAWN[sys.argv[1]] if len(sys.argv) > 1 else everything
        for name, columns, lines in of(home, terminal(home)):
            file = (DOCS if name == "recording" else PICTURES) / f"{name}.svg"
            writing.write(file, draw(lines, columns, name))


if __name__ == "__main__":
    main()
