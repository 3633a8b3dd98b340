"""The renderer makes of each variant what Copier makes: the same files, bytes and modes."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from rendering import data_of, render_from, template
from variants import Variant, all_variants, combined_variants, further_variants, parameters

from sls_patterns_cli.rendering.quick_worker import QuickWorker
from sls_patterns_cli.rendering.renderer import Renderer
from sls_patterns_cli.rendering.template_cache import TemplateCache

COMBINED = sorted(combined_variants(), key=str)
VARIANTS = dict.fromkeys((*all_variants(), *further_variants(), *COMBINED))


def one_of_each_pattern() -> set[Variant]:
    """Return a variant with several other answers of each pattern, and one without any."""
    patterns = {each.pattern for each in COMBINED}
    combined = {next(each for each in COMBINED if each.pattern == pattern) for pattern in patterns}
    return {next(iter(all_variants())), *combined}


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        path.relative_to(folder).as_posix(): (
            path.stat().st_mode,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in folder.rglob("*")
    }


@cache
def compiled() -> TemplateCache:
    return TemplateCache(template().with_name("nothing-is-kept"))


def by_copier(origin: Path, folder: Path, data: dict[str, Any]) -> Path:
    class Worker(QuickWorker):
        template_cache = compiled()

    with Worker(str(origin), folder, data=data, defaults=True, quiet=True) as worker:
        worker.run_copy()
    return folder


@pytest.mark.parametrize("variant", parameters(VARIANTS, one_of_each_pattern()))
def test_a_project_is_that_of_copier(variant: Variant, tmp_path: Path) -> None:
    theirs = by_copier(template(), tmp_path / "theirs", data_of(**variant.answers))
    ours = render_from(template(), tmp_path / "ours", **variant.answers)

    assert tree(ours) == tree(theirs)


SETTINGS = {"subdirectory", "templates_suffix", "answers_file", "external_data"} | {
    "min_copier_version",
    "envops",
    "exclude",
}
DETAILS = {"type", "qmark", "help", "when", "choices", "multiselect", "default", "validator"}
TYPES = {"bool", "int", "str", "json", "yaml"}


def test_the_template_uses_only_what_the_renderer_knows() -> None:
    """What else Copier has, such as tasks and secrets, the renderer would leave out."""
    renderer = Renderer(template(), compiled())

    assert {f"_{name}" for name in SETTINGS} >= renderer.settings.keys()
    assert renderer.settings["_templates_suffix"] == ".jinja"
    assert renderer.settings["_answers_file"] == ".copier-answers.yml"
    for name, details in renderer.questions.items():
        assert details.keys() <= DETAILS, name
        assert details["type"] in TYPES, name
    for pattern in renderer.settings["_exclude"]:
        assert "/" not in pattern or "_copier_operation == 'update'" in pattern
    assert not [path for path in template().rglob("*") if path.is_symlink()]
