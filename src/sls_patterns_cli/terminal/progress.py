"""Shows how far a command is: in plain lines here, and live in a terminal (live_progress.py)."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

Write = Callable[[str], None]


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201 (flushed, so that a pipe gets each line at once)


class Progress:
    """Prints plain lines; stages print nothing."""

    live = False
    """Whether proofs are to be shown one by one; else their test runner has the terminal."""

    def __init__(self, write: Write = _print) -> None:
        self._write = write

    def log(self, line: str) -> None:
        """Show a line."""
        self._write(line)

    @contextmanager
    def stage(self, title: str) -> Iterator[None]:  # noqa: ARG002 - shown in a terminal only
        """Show that `title` is going on within the block, how long it took and how it ended."""
        yield

    @contextmanager
    def step(self, line: str) -> Iterator[None]:
        """The same for a part of a stage that is worth a line everywhere."""
        self.log(line)
        yield

    def item(self, name: str, seconds: float, outcome: str) -> None:
        """Show one of many things that the stage has done: `passed`, `failed` or `skipped`."""
        self.log(f"  {name} {outcome} ({seconds:.1f} s)")

    def fail(self) -> None:
        """Show the stage as failed, though nothing was raised in it."""

    def failure(self, name: str, text: str, log: Sequence[str]) -> None:
        """Show what failed, what is said about it, and what was logged meanwhile."""
        self.log(f"{name} failed")
        for line in text.strip().splitlines():
            self.log(f"  {line}")
        for line in log:
            self.log(f"    {line}")

    def running(self, text: str) -> None:
        """Show what the stage is doing now."""
