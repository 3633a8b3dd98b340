"""What is kept of rendered projects is used again only if it would become the same again."""

import shutil
import sys
from importlib import metadata
from pathlib import Path

import pytest
import rendering
from rendering import kept_from

from sls_patterns_cli import rendering as renderer

QUESTIONS = """
_subdirectory: project
---
pattern: {type: str, default: p}
project_name: {type: str, default: n}
"""


@pytest.fixture
def origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A template, what is rendered of which is kept in a folder of the test's own."""
    monkeypatch.setattr(rendering, "RENDERED", tmp_path / "rendered")
    (tmp_path / "template/project").mkdir(parents=True)
    (tmp_path / "template/copier.yml").write_text(QUESTIONS)
    (tmp_path / "template/project/name.jinja").write_text("{{ project_name }}\n")
    return tmp_path / "template"


def kept(origin: Path, version: str = "v0.0.0", **answers: str) -> Path:
    """Do as a new process does."""
    rendering._kept.cache_clear()
    rendering._renderer.cache_clear()
    return kept_from(origin, version, **{"pattern": "p", **answers})


def test_the_same_is_rendered_once(origin: Path) -> None:
    place = kept(origin)
    (place / "name").write_text("seen before\n")

    assert (kept(origin) / "name").read_text() == "seen before\n"


def test_other_answers_are_rendered_for_themselves(origin: Path) -> None:
    assert len({kept(origin), kept(origin, "v0.0.1"), kept(origin, project_name="o")}) == 3


@pytest.mark.parametrize("change", ["text", "mode", "name", "question"])
def test_another_template_is_rendered_anew(origin: Path, change: str) -> None:
    before = kept(origin)
    file = origin / "project/name.jinja"
    if change == "text":
        file.write_text("{{ project_name }}!\n")
    elif change == "mode":
        file.chmod(0o755)
    elif change == "name":
        file.rename(file.with_name("other.jinja"))
    else:
        (origin / "copier.yml").write_text(f"{QUESTIONS}more: {{type: str, default: d}}\n")

    assert kept(origin) != before


@pytest.mark.parametrize("change", ["renderer", "library", "python"])
def test_what_renders_otherwise_renders_anew(
    origin: Path, change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = kept(origin)
    if change == "renderer":
        copy = tmp_path / "copy"
        shutil.copytree(renderer.__path__[0], copy)
        monkeypatch.setattr(renderer, "__path__", [str(copy)])
        assert kept(origin) == before
        with (copy / "renderer.py").open("a") as module:
            module.write("# changed\n")
    elif change == "library":
        monkeypatch.setattr(metadata, "version", lambda _: "0.0.0")
    else:
        monkeypatch.setattr(sys, "version", "0.0.0")

    assert kept(origin) != before
