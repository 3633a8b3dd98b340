"""Renders projects with Jinja alone as Copier would, byte for byte, from this package's template.

Copier stays in charge of all else. Tests compare each variant, and hold the template to what is
known here.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from sls_patterns_cli.rendering.answers import ANSWERS_FILE
from sls_patterns_cli.rendering.jinja import LOADER, Context, Environment
from sls_patterns_cli.rendering.questions import Question
from sls_patterns_cli.rendering.template_cache import TemplateCache

_SUFFIX = ".jinja"


def _declared(file: Path) -> dict[str, Any]:
    loader: Any = type("Loader", (LOADER,), {})
    loader.add_constructor("!include", lambda _, node: _declared(file.parent / node.value))
    parts = yaml.load_all(file.read_bytes(), loader)
    return {name: value for part in parts for name, value in part.items()}


class Renderer:
    """Renders any number of projects from the template in the folder `root`."""

    def __init__(self, root: Path, cache: TemplateCache) -> None:
        self._root = root
        declared = _declared(root / "copier.yml")
        self.settings = {name: declared.pop(name) for name in [*declared] if name[0] == "_"}
        self.questions: dict[str, Any] = declared
        self.jinja = Environment(root, self.settings.get("_envops", {}), cache)

    def begun(self, given: Context, place: Path) -> dict[str, Any]:
        """What a template can refer to before any question; the project will be at `place`."""
        known = {name: given[name] for name in given if name in self.questions}
        return {
            **given,
            "_external_data": {name: {} for name in self.settings.get("_external_data", {})},
            "_copier_answers": {"_src_path": str(self._root), **known},
            "_copier_conf": {"dst_path": place, "answers_file": ANSWERS_FILE},
        }

    def question(self, name: str, answers: Context) -> Question:
        """A question, in the place where `answers` are those before it."""
        return Question(name, self.questions[name], answers, self.jinja)

    def answers(
        self, given: Context, place: Path, ask: Callable[[Question], Any] | None = None
    ) -> dict[str, Any]:
        """All answers, with those to be recorded as `_copier_answers`; ValueError for a wrong one.

        What is not `given` is asked for, if somebody can `ask`, else it is the default.
        """
        answers = self.begun(given, place)
        for name in self.questions:
            question = self.question(name, answers)
            if name in given:
                answers[name] = question.checked(question.meaning(given[name]))
            elif question.is_asked and ask:
                answers[name] = ask(question)
            elif question.has_default:
                answers[name] = question.default
            elif question.is_asked:
                raise ValueError(f'Question "{name}" is required')
            answers["_copier_answers"].pop(name, None)
            if question.is_asked:
                answers["_copier_answers"][name] = answers[name]
        return answers

    def write(self, answers: Context, folder: Path) -> None:
        """Write the project with these answers into an empty folder."""
        operation = {**answers, "_copier_operation": "copy"}
        excluded = self.jinja.filled(self.settings.get("_exclude", []), operation)
        self._write(self.settings.get("_subdirectory", ""), [(folder, answers)], excluded)

    def _write(
        self, source: str, places: list[tuple[Path, Context]], excluded: Sequence[str]
    ) -> None:
        """Write a folder of the template, `source`, to its `places` in the project."""
        for entry in os.scandir(self._root / source):
            path, name = f"{source}/{entry.name}", entry.name.removesuffix(_SUFFIX)
            made = [
                (place / own, inner)
                for place, context in places
                for own, inner in self.jinja.names(name, context)
                if own and not any(fnmatchcase(own, pattern) for pattern in excluded)
            ]
            if made and entry.is_dir():
                for place, _ in made:
                    place.mkdir(exist_ok=True)
                self._write(path, made, excluded)
                continue
            for place, context in made:
                if entry.name == name:
                    place.write_bytes(Path(entry.path).read_bytes())
                else:
                    place.write_bytes(self.jinja.get_template(path).render(context).encode())
                with suppress(PermissionError):  # some file systems have no modes
                    shutil.copymode(entry.path, place)
