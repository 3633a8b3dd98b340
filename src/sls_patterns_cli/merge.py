"""Renders versions of the template and merges one into a project, by Copier's own update."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from functools import cached_property, partial
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from copier._main import as_operation
from copier._settings import SettingsModel
from copier._subproject import Subproject
from copier._template import Template as CopierTemplate
from copier.errors import CopierError, InvalidConfigFileError
from jinja2 import TemplateError
from packaging.version import Version
from plumbum import local
from yaml import YAMLError

from sls_patterns_cli import git
from sls_patterns_cli.errors import UserError
from sls_patterns_cli.render import (
    Compiled,
    Given,
    QuickWorker,
    refuse_unasked,
    refuse_without_effect,
    wrong_answer,
)
from sls_patterns_cli.source import Template


@dataclass(frozen=True)
class Rendering:
    """What a version of the template makes of answers: the content of each file by its path."""

    files: dict[str, bytes]
    left_alone: Callable[[Path], bool]
    """Whether an update leaves the file at a path to the user: `_exclude` in copier.yml."""


class Merger:
    """Works with two versions of the template that `address` stands for."""

    def __init__(self, address: str, old: Template, new: Template) -> None:
        self._new = new
        compiled: dict[Path, Compiled] = {}
        pinned = {template.version: template for template in (old, new)}

        class PinnedWorker(QuickWorker):
            """Takes the versions from where they are, which saves Copier cloning four times."""

            @cached_property
            def compiled(self) -> Compiled:
                return compiled.setdefault(self.template.local_abspath, {})

            @cached_property
            def template(self) -> CopierTemplate:
                return _pin(super().template, pinned[str(self.resolved_vcs_ref)])

            @cached_property
            def subproject(self) -> Subproject:
                subproject = super().subproject
                if subproject.template is not None:
                    _pin(subproject.template, old)
                return subproject

            @as_operation("update")
            def left_alone(self) -> Callable[[Path], bool]:
                del self.match_exclude  # which is for the operation before
                return self.match_exclude

        # Not the user's own settings for Copier: they would change defaults, or be broken.
        self._worker = partial(
            PinnedWorker, settings=SettingsModel(), defaults=True, overwrite=True, quiet=True
        )
        self._renderer = partial(self._worker, src_path=address)

    def render(self, version: str, answers: Mapping[str, Any]) -> Rendering:
        """All files of one of the versions; UserError if it cannot be made from the answers."""
        with TemporaryDirectory() as name:
            folder = Path(name)
            worker = self._renderer(dst_path=folder, vcs_ref=version, data=dict(answers))
            with worker, _explained({}):
                worker.run_copy()
                left_alone = worker.left_alone()
            files = {
                path.relative_to(folder).as_posix(): path.read_bytes()
                for path in folder.rglob("*")
                if path.is_file()
            }
        return Rendering(files, left_alone)

    def merge(self, project: Path, given: Given) -> None:
        """Merge what lies between the versions into `project`, which is a clean git repository.

        `given` changes answers. A file in conflict holds markers and is unmerged in git's index.
        Raises UserError for a wrong answer.
        """
        data = {question: answer for question, (_, answer) in given.items()}
        worker = self._worker(dst_path=project, vcs_ref=self._new.version, data=data)
        with worker, _apart(), _explained(given):
            refuse_unasked(given, worker.template)
            worker.run_update()
            refuse_without_effect(given, worker)


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


@contextmanager
def _explained(given: Given) -> Iterator[None]:
    """Within it Copier's errors are in this tool's words, and one line each."""
    try:
        with redirect_stderr(StringIO()):
            yield
    except InvalidConfigFileError as error:
        raise UserError("the template is broken: copier.yml cannot be read", 1) from error
    except CopierError as error:
        raise UserError(str(error), exit_code=1) from error
    except ValueError as error:
        raise wrong_answer(error, given) from error
    except (TemplateError, YAMLError) as error:
        raise UserError(f"the template is broken: {error}", exit_code=1) from error
    except OSError as error:
        # Such as a file of the user's where the template has a folder.
        where = Path(error.filename or "").name
        raise UserError(f"cannot merge {where}: {error.strerror}", exit_code=1) from error
