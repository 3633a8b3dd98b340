"""Runs the proofs so that each is shown as it ends, and those that fail with the functions' logs.

The project's own test runner runs them; a reporter (`reporters/`) writes each result to a file.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sls_patterns_cli.local.emulator import tether
from sls_patterns_cli.local.project import Project
from sls_patterns_cli.terminal.progress import Progress

FILE = "SLS_PATTERNS_EVENTS"
"""The variable that names the file of a reporter."""

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


@dataclass
class Results:
    """Reads from a reporter's file what is new in it, and shows that."""

    file: Path
    progress: Progress
    found: int = 0
    ended: list[str] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    _name: str = ""
    _start: float = 0.0
    _read: int = 0

    def look(self) -> None:
        """Show what has happened since the last look."""
        for event in self._new():
            if event["event"] == "found":
                self.found += event["count"]
            elif event["event"] == "started":
                self._name, self._start = event["name"], event["at"]
                self.progress.running(f"{len(self.ended) + 1} of {self.found}: {self._name}")
            else:
                self.ended.append(event["outcome"])
                self.progress.item(self._name, event["seconds"], event["outcome"])
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


def run(
    project: Project, command: list[str], environment: Mapping[str, str], show: Progress, logs: Logs
) -> int:
    """Run the proofs by a command that has a reporter; return its exit code."""
    with TemporaryDirectory(prefix="sls-patterns-") as folder:
        results = Results(Path(folder) / "events", show)
        with show.stage("Proofs"):
            done = tether.run(
                command,
                cwd=project.root,
                env={**environment, FILE: str(results.file)},
                capture=True,
                watch=results.look,
            )
            results.look()
            counted = {outcome: results.ended.count(outcome) for outcome in results.ended}
            show.log(", ".join(f"{count} {outcome}" for outcome, count in counted.items()))
            if done.returncode:
                show.fail()
    for failed in results.failed:
        show.failure(failed.name, failed.text, logs(failed.start, failed.end)[-LOG_LINES:])
    if done.returncode and not results.failed:
        show.failure("the proofs' test runner", done.stdout, [])
    return done.returncode
