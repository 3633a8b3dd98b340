"""Deploys a project again, part by part, whenever one of its files is saved."""

import time
from collections.abc import Iterator
from pathlib import Path

from watchfiles import Change, DefaultFilter, watch

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local.deployment import Deployment
from sls_patterns_cli.local.logs import LogFollower
from sls_patterns_cli.terminal.progress import Progress

MADE = ("build", "cdk.out", ".aws-sam", ".sls-patterns", "coverage", "dist")
"""Folders of a project that programs make."""

ELSEWHERE = ("tests", "docs", ".github")
"""Folders of a project that are not deployed."""

LOOK_MILLISECONDS = 500
"""How often it looks whether the logs can still be followed."""


class _Sources(DefaultFilter):
    """The files that are deployed, or that say what is."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self._root = root

    def __call__(self, change: Change, path: str) -> bool:
        folder = Path(path).relative_to(self._root).parts[0]
        return folder not in (*MADE, *ELSEWHERE) and super().__call__(change, path)


def deploy_changes(
    root: Path, deployment: Deployment, follower: LogFollower, progress: Progress
) -> None:
    """Deploy each change of the project in `root`; return when the logs are followed no more.

    A project that cannot be built or deployed is reported, and the next change tried.
    """
    is_watching = False
    for names in _changes(root, follower):
        if not is_watching:
            progress.log(f"Watching {root.name}; each saved change is deployed")
            is_watching = True
        if not names:
            continue
        started = time.monotonic()
        try:
            deployed = deployment.deploy_changes()
        except UserError as error:
            progress.log(f"Not deployed ({names}): {error.message}")
            continue
        if deployed:
            follower.find_groups()
            seconds = time.monotonic() - started
            progress.log(f"Deployed {', '.join(deployed)} in {seconds:.1f} s ({names})")


def _changes(root: Path, follower: LogFollower) -> Iterator[str]:
    """The names of files that have changed, or an empty text after a while without changes."""
    changes: set[tuple[Change, str]]
    for changes in watch(
        root,
        watch_filter=_Sources(root),
        rust_timeout=LOOK_MILLISECONDS,
        yield_on_timeout=True,
        raise_interrupt=True,
    ):
        if follower.has_ended:
            return
        yield ", ".join(sorted({Path(file).relative_to(root).as_posix() for _, file in changes}))
