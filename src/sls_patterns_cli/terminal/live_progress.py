"""Progress in a terminal: what is going on, and below each other what is done.

Only the last line is drawn anew; all else scrolls up and stays, in a terminal of any size.
Imports Rich: import this module lazily.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.padding import Padding
from rich.text import Text

from sls_patterns_cli.terminal import rich_console
from sls_patterns_cli.terminal.progress import Progress

_COLOURS = {"passed": "green", "failed": "bold red", "skipped": "yellow"}
_MARKS = {"passed": "✓", "failed": "✗", "skipped": "-"}
_FRAMES, _ASCII_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧", "|/-\\"
_ASCII_MARKS = {"passed": "+", "failed": "x", "skipped": "-"}


@dataclass
class _Stage:
    title: str
    started: float
    elsewhere: float = 0.0
    """The seconds of stages within it, which have a line of their own."""
    lines: list[str] = field(default_factory=list)
    running: str = ""
    outcome: str = "passed"

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started - self.elsewhere


class LiveProgress(Progress):
    """A line with a spinner for what is going on, and a lasting one for each stage that is done."""

    live = True

    def __init__(self) -> None:
        super().__init__()
        self.console = rich_console.console()
        unicode = rich_console.in_unicode(self.console)
        self._marks = _MARKS if unicode else _ASCII_MARKS
        self._frames = _FRAMES if unicode else _ASCII_FRAMES
        self._stages: list[_Stage] = []

    def log(self, line: str) -> None:
        """Show a line; within a stage below its own."""
        if self._stages:
            self._stages[-1].lines.append(line)
        else:
            self.console.print(line, soft_wrap=True)

    @contextmanager
    def stage(self, title: str) -> Iterator[None]:
        """Show that `title` is going on within the block, how long it took and how it ended."""
        stage = _Stage(title, time.monotonic())
        outermost = not self._stages
        self._stages.append(stage)
        try:
            with Live(self, console=self.console, transient=True) if outermost else nullcontext():
                yield
        except BaseException:
            stage.outcome = "failed"
            raise
        finally:
            self._stages.pop()
            if self._stages:
                self._stages[-1].elsewhere += stage.seconds
            self._done(title, stage.seconds, stage.outcome)
            for line in stage.lines:
                self.console.print(Padding(Text(line, "dim"), (0, 0, 0, 2)))

    @contextmanager
    def step(self, line: str) -> Iterator[None]:
        """The same for a part of a stage."""
        with self.stage(line):
            yield

    def item(self, name: str, seconds: float, outcome: str) -> None:
        """Show one of many things that the stage has done."""
        self._done(f"  {name}", seconds, outcome)

    def fail(self) -> None:
        """Show the stage as failed, though nothing was raised in it."""
        self._stages[-1].outcome = "failed"

    def failure(self, name: str, text: str, log: Sequence[str]) -> None:
        """Show what failed, what is said about it, and what was logged meanwhile."""
        self.console.print()
        self.console.print(Text(f"{name} failed", "bold red"))
        self.console.print(Padding(Text(text.strip()), (0, 0, 0, 2)))
        if log:
            self.console.print(Text("  The functions' logs meanwhile:", "bold"))
            for line in log:
                self.console.print(Padding(Text(line, "dim"), (0, 0, 0, 4)))

    def running(self, text: str) -> None:
        """Show what the stage is doing now."""
        self._stages[-1].running = text

    def _done(self, title: str, seconds: float, outcome: str) -> None:
        mark = f"{title[: len(title) - len(title.lstrip())]}{self._marks[outcome]} "
        text = Text.assemble((mark, _COLOURS[outcome]), title.lstrip())
        self.console.print(self._row(text, seconds))

    def _row(self, text: Text, seconds: float) -> Text:
        """A text with seconds at its end, in a column where there is room for one."""
        column = min(self.console.width - 10, 60)
        space = " " * max(column - text.cell_len, 1)
        return Text.assemble(text, space, (f"{seconds:7.1f}s", "dim"))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The line of what is going on."""
        if not self._stages:
            return
        stage = self._stages[-1]
        text = Text(f"{stage.title}  {stage.running}".rstrip())
        text.truncate(max(options.max_width - 14, 10))
        frame = self._frames[int(time.monotonic() * 8) % len(self._frames)]
        yield self._row(Text.assemble((frame, "cyan"), " ", text), stage.seconds)
