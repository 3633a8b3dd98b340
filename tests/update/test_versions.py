"""Guards what versions.py overrides in Copier: each test fails when Copier changes it."""

import shutil
from functools import cached_property
from inspect import signature
from pathlib import Path

from copier import _main
from copier._main import Worker
from copier._subproject import Subproject
from copier._template import Template
from copier._vcs import get_repo
from update.projects import Owned


def test_copier_still_has_what_is_overridden() -> None:
    for owner, names in (
        (Worker, ("template", "subproject", "match_exclude", "resolved_vcs_ref")),
        (Subproject, ("template",)),
        (Template, ("vcs", "local_abspath", "commit", "commit_hash", "version", "git_index_modes")),
    ):
        for name in names:
            assert isinstance(vars(owner)[name], cached_property), name
    assert list(signature(_main.as_operation).parameters) == ["value"]
    assert get_repo("gh:owner/name") == "https://github.com/owner/name.git"


def test_copier_clones_nothing_and_git_runs_few_times(project: Owned, tmp_path: Path) -> None:
    found = shutil.which("git")
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin/git"
    fake.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\nexec {found} "$@"\n')
    fake.chmod(0o755)
    project.update(PATH=f"{tmp_path / 'bin'}:{project.cli.environment['PATH']}")
    calls = (tmp_path / "calls").read_text().splitlines()
    # Whatever the number of files; each that both sides changed is one more.
    assert len(calls) < 30
    assert not [call for call in calls if "clone" in call or "fileMode" in call]
