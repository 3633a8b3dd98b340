"""Renders two versions of the template with a project's answers, by Copier."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from packaging.version import Version
from plumbum import local

from sls_patterns_cli.rendering.answers import ANSWERS_FILE, Given
from sls_patterns_cli.rendering.copier_errors import explained
from sls_patterns_cli.rendering.copier_parts import SettingsModel, Subproject, as_operation
from sls_patterns_cli.rendering.copier_parts import Template as CopierTemplate
from sls_patterns_cli.rendering.quick_worker import QuickWorker
from sls_patterns_cli.rendering.refusals import refuse_unasked, refuse_without_effect
from sls_patterns_cli.rendering.template_cache import TemplateCache
from sls_patterns_cli.system import git
from sls_patterns_cli.system.new_folder import PREFIX
from sls_patterns_cli.updating.source import Template


@dataclass(frozen=True)
class Rendering:
    """What a version of the template makes of answers: the content of each file by its path."""

    files: dict[str, bytes]
    executable: frozenset[str]
    left_alone: Callable[[Path], bool]
    """Whether an update leaves the file at a path to the user: `_exclude` in copier.yml."""
    of_new_projects: Mapping[str, str] = field(default_factory=dict)
    """Of the version to which a project goes: what a new project gets for questions whose default
    is another one in a project that an earlier version made."""


class Versions:
    """Versions of the template that `address` stands for: from `old` to `new`, and others."""

    def __init__(
        self,
        records: Mapping[str, Any],
        address: str,
        old: Template,
        new: Template,
        *others: Template,
    ) -> None:
        self._new = new
        self._records = records
        # Most templates are the same in both, and in the version of the last `new`.
        cache = TemplateCache()
        pinned = {template.version: template for template in (old, new, *others)}

        class PinnedWorker(QuickWorker):
            """Takes the versions from where they are, which saves Copier cloning four times."""

            @cached_property
            def template_cache(self) -> TemplateCache:
                return cache

            @cached_property
            def template(self) -> CopierTemplate:
                return _pin(super().template, pinned[str(self.resolved_vcs_ref)])

            @cached_property
            def subproject(self) -> Subproject:
                subproject = super().subproject
                if subproject.template is not None:
                    _pin(subproject.template, old)
                return subproject

            def refuse_what_runs(self) -> None:
                """Raise a CopierError for tasks, migrations and extensions."""
                self._check_unsafe("update")

            @as_operation("update")
            def left_alone(self) -> Callable[[Path], bool]:
                vars(self).pop("match_exclude", None)  # which is for the operation before
                return self.match_exclude

        # Not the user's own settings for Copier: they would change defaults, or be broken.
        self._renderer = partial(
            PinnedWorker,
            src_path=address,
            settings=SettingsModel(),
            defaults=True,
            overwrite=True,
            quiet=True,
        )

    def render(self, version: str, answers: Mapping[str, Any]) -> Rendering:
        """All files of one of the versions; raises UserError if the answers do not fit."""
        with TemporaryDirectory(prefix=PREFIX) as name:
            # By its answers file the template sees that the project is not a new one.
            recorded = yaml.safe_dump({**answers, **self._records})
            (Path(name) / ANSWERS_FILE).write_text(recorded)
            worker = self._renderer(dst_path=Path(name), vcs_ref=version, data=dict(answers))
            with worker, _apart(), explained({}), redirect_stderr(StringIO()):
                worker.run_copy()
                return _rendering(worker)

    def renew(self, recorded: bytes, given: Given) -> Rendering:
        """All files of the new version for the project whose answers file holds `recorded`.

        `given` changes answers; what the new version asks for the first time gets its default.
        Raises UserError for a wrong answer.
        """
        data = {question: answer for question, (_, answer) in given.items()}
        with TemporaryDirectory(prefix=PREFIX) as name:
            (Path(name) / ANSWERS_FILE).write_bytes(recorded)
            worker = self._renderer(dst_path=Path(name), vcs_ref=self._new.version, data=data)
            with worker, _apart(), explained(given), redirect_stderr(StringIO()):
                worker.refuse_what_runs()
                questions = worker.template.questions_data
                refuse_unasked(given, questions, worker.jinja_env)
                worker.run_copy()
                refuse_without_effect(given, questions, worker.answers.hidden)
                defaults = worker.defaults_of_new_projects()
                return replace(_rendering(worker), of_new_projects=defaults)


def _rendering(worker: Any) -> Rendering:
    """What `worker` has written to its folder."""
    folder: Path = worker.dst_path
    made = {
        path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()
    }
    return Rendering(
        files={path: file.read_bytes() for path, file in made.items()},
        executable=frozenset(path for path, file in made.items() if file.stat().st_mode & 0o100),
        left_alone=worker.left_alone(),
    )


def _pin(template: CopierTemplate, version: Template) -> CopierTemplate:
    """`template` as of `version`, without asking git."""
    vars(template).update(
        vcs="git",
        local_abspath=version.folder.resolve(),
        commit=version.version,
        commit_hash=version.version,
        version=Version(version.version),
        git_index_modes={},  # the files have their modes
    )
    return template


@contextmanager
def _apart() -> Iterator[None]:
    """Within it nothing that the user's git is set to changes what Copier does with git."""
    with local.env(**git.APART):
        for name in git.ELSEWHERE & local.env.getdict().keys():
            del local.env[name]
        yield
