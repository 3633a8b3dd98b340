"""Which proofs run on a second stack beside the first, by how long each took the last time.

Most of a proof is waiting, so two stacks with half of the proofs each take little more than half of
the time. A first run, and one whose proofs are few or quick, has one stack.
"""

import json
import os
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sls_patterns_cli.local.project import Project

WORTH_SECONDS = 4.0
"""A second stack takes a second or two to start, and memory."""

VARIABLE = "SLS_PATTERNS_SHARE"
"""Tells a reporter (`reporters/`) which share of the proofs its test runner runs, in JSON."""


@dataclass(frozen=True)
class Share:
    """The proofs that a stack runs: those with these ids, or all `others`, new ones among them."""

    ids: Collection[str]
    others: bool = False

    @property
    def variables(self) -> dict[str, str]:
        return {VARIABLE: json.dumps({"ids": sorted(self.ids), "others": self.others})}


def of(project: Project) -> tuple[Share, ...]:
    """Return the share of each stack; a single one has all."""
    took = _known(project)
    beside = _lighter_half(took)
    saved = min(sum(took[each] for each in beside), sum(took.values()) / 2)
    if (os.cpu_count() or 1) < 2 or saved < WORTH_SECONDS:
        return (Share((), others=True),)
    return Share(beside, others=True), Share(beside)


def remember(project: Project, took: Mapping[str, float]) -> None:
    """Keep how many seconds each proof took."""
    project.work.mkdir(exist_ok=True)
    temporary = _file(project).with_suffix(f".{os.getpid()}")
    temporary.write_text(json.dumps(took))
    temporary.replace(_file(project))


def _known(project: Project) -> dict[str, float]:
    with suppress(OSError, ValueError, TypeError, AttributeError):
        known = json.loads(_file(project).read_bytes())
        return {str(each): float(seconds) for each, seconds in known.items()}
    return {}


def _file(project: Project) -> Path:
    return project.work / "proofs.json"


def _lighter_half(took: Mapping[str, float]) -> frozenset[str]:
    """The longest goes to the half that is shorter so far, and so on."""
    halves: list[list[str]] = [[], []]
    sums = [0.0, 0.0]
    for each in sorted(took, key=lambda name: (-took[name], name)):
        shorter = sums.index(min(sums))
        halves[shorter].append(each)
        sums[shorter] += took[each]
    return frozenset(halves[sums.index(min(sums))])
