"""Runs the proofs so that each is shown as it ends, and those that fail with the functions' logs.

The project's own test runner runs them; a reporter (`reporters/`) writes each result to a file.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sls_patterns_cli.local import shares
from sls_patterns_cli.local.emulator import tether
from sls_patterns_cli.local.project import Project
from sls_patterns_cli.terminal.progress import Progress

FILE = "SLS_PATTERNS_EVENTS"
"""The variable that names the file of a reporter."""

NOTHING_RUN = 5
"""pytest's exit code where there was no test to run."""

REPORTERS = Path(__file__).parent / "reporters"

LOG_LINES = 40
"""How many of the last lines of a log are shown."""

Logs = Callable[[float, float], list[str]]
"""What the functions logged from one time to another, in seconds of the epoch."""


@dataclass(frozen=True)
class Failed:
    """A proof that failed, when it ran, and what its test runner says about it."""

    name: str
    start: float
    end: float
    text: str


@dataclass(frozen=True)
class Run:
    """A test runner with a reporter, and the stack on which it runs proofs."""

    command: Sequence[str]
    environment: Mapping[str, str]
    logs: Logs


@dataclass
class Tally:
    """What became of the proofs of all runs."""

    progress: Progress
    found: int = 0
    running: dict[Path, str] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    took: dict[str, float] = field(default_factory=dict)

    def show_running(self) -> None:
        running = ", ".join(self.running.values())
        self.progress.running(f"{len(self.ended) + 1} of {self.found}: {running}")


@dataclass
class Results:
    """Reads from a reporter's file what is new in it, and shows that."""

    file: Path
    tally: Tally
    failed: list[Failed] = field(default_factory=list)
    _id: str = ""
    _name: str = ""
    _start: float = 0.0
    _read: int = 0

    def look(self) -> None:
        """Show what has happened since the last look."""
        tally = self.tally
        for event in self._new():
            if event["event"] == "found":
                tally.found += event["count"]
            elif event["event"] == "started":
                self._id, self._name, self._start = event["id"], event["name"], event["at"]
                tally.running[self.file] = self._name
                tally.show_running()
            else:
                tally.running.pop(self.file, None)
                tally.ended.append(event["outcome"])
                tally.took[self._id] = event["seconds"]
                tally.progress.item(self._name, event["seconds"], event["outcome"])
                if event["outcome"] == "failed":
                    self.failed.append(Failed(self._name, self._start, event["at"], event["text"]))

    def _new(self) -> Iterator[dict[str, Any]]:
        if not self.file.exists():
            return
        with self.file.open("rb") as file:
            file.seek(self._read)
            # The last line may be written in part.
            whole = file.read().rpartition(b"\n")[0]
        self._read += len(whole) + (1 if whole else 0)
        yield from map(json.loads, whole.splitlines())


def run(project: Project, runs: Sequence[Run], show: Progress) -> int:
    """Run the proofs, all runs at the same time; return their exit code."""
    tally = Tally(show)
    with TemporaryDirectory(prefix="sls-patterns-") as folder:
        results = [Results(Path(folder) / f"events-{number}", tally) for number in range(len(runs))]

        def look() -> None:
            for each in results:
                each.look()

        commands = [
            (run.command, {**run.environment, FILE: str(each.file)})
            for run, each in zip(runs, results, strict=True)
        ]
        with show.stage("Proofs"):
            done = tether.run_side_by_side(commands, cwd=project.root, watch=look)
            look()
            counted = {outcome: tally.ended.count(outcome) for outcome in tally.ended}
            show.log(", ".join(f"{count} {outcome}" for outcome, count in counted.items()))
            code = _code([each.returncode for each in done])
            if code:
                show.fail()
    for run, each, ended in zip(runs, results, done, strict=True):
        for failed in each.failed:
            log = run.logs(failed.start, failed.end)[-LOG_LINES:]
            show.failure(failed.name, failed.text, log)
        is_empty = ended.returncode == NOTHING_RUN != code
        if ended.returncode and not is_empty and not each.failed:
            show.failure("the proofs' test runner", ended.stdout, [])
    if not code:
        shares.remember(project, tally.took)
    return code


def _code(codes: Sequence[int]) -> int:
    """The exit code of all; one whose share is empty by now is no failure."""
    return next((code for code in codes if code not in (0, NOTHING_RUN)), min(codes))
