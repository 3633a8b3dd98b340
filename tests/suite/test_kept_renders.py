"""What tests render of a pattern is kept under a digest of its own files and the shared ones."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import rendering
from golden import read
from rendering import kept_from, template
from variants import all_variants, parameters

from sls_patterns_cli import catalog

PATTERNS = sorted(catalog.slugs())


@pytest.fixture
def origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the template, of which nothing is kept yet."""
    monkeypatch.setattr(rendering, "RENDERED", tmp_path / "rendered")
    shutil.copytree(template(), tmp_path / "template")
    return tmp_path / "template"


def place(origin: Path) -> Path:
    """Return where renders of a pattern are kept, as the template and the tool are now."""
    rendering._kept.cache_clear()
    return rendering._kept(origin, "router")


def append(file: Path) -> None:
    file.write_text(f"{file.read_text()}\n")


def remove(file: Path) -> None:
    file.unlink()


def rename(file: Path) -> None:
    file.rename(file.with_name("other.jinja"))


@pytest.mark.parametrize("change", [append, remove, rename])
@pytest.mark.parametrize(
    "path",
    [
        "copier.yml",
        "templates/patterns/index.yml",
        "templates/patterns/router/pattern.yml",
        "templates/project/README.md.jinja",
        "templates/iac/sam/references.jinja",
    ],
)
def test_what_decides_a_render_is_in_its_key(
    path: str, change: Callable[[Path], None], origin: Path
) -> None:
    before = place(origin)
    change(origin / path)

    assert place(origin) != before


@pytest.mark.parametrize("change", [append, remove, rename])
def test_another_patterns_files_are_not(change: Callable[[Path], None], origin: Path) -> None:
    before = place(origin)
    change(origin / "templates/patterns/notifier/pattern.yml")

    assert place(origin) == before


def test_without_a_cache_nothing_of_another_run_is_used(
    origin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = place(origin)
    monkeypatch.setenv("SLS_NO_CACHE", "1")
    places = set[Path]()
    for run in ("one", "other"):
        monkeypatch.setenv("PYTEST_XDIST_TESTRUNUID", run)
        places |= {place(origin), place(origin)}

    assert len(places) == 2
    assert kept not in places


@pytest.mark.parametrize("pattern", parameters(PATTERNS, PATTERNS[::6]))
def test_a_pattern_is_rendered_the_same_without_the_others(pattern: str, tmp_path: Path) -> None:
    alone = tmp_path / "template"
    shutil.copytree(template(), alone, copy_function=os.link)
    for other in (each for each in PATTERNS if each != pattern):
        shutil.rmtree(alone / "templates/patterns" / other)
    of_pattern = {v.iac: v for v in all_variants() if v.pattern == pattern}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(rendering, "RENDERED", tmp_path / "rendered")
        made = {v: read(kept_from(alone, **v.answers)) for v in of_pattern.values()}

    assert made == {v: read(kept_from(template(), **v.answers)) for v in of_pattern.values()}
