"""How `new` renders: with Jinja alone, and with nothing that costs time."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jinja2
import pytest
from command import Cli

from sls_patterns_cli import catalog
from sls_patterns_cli.errors import UserError
from sls_patterns_cli.rendering import render

WEBHOOK = {"pattern": ("PATTERN", "scalable-webhook")}


def test_new_imports_neither_copier_nor_what_it_needs(tmp_path: Path) -> None:
    program = """
import sys
from sls_patterns_cli.__main__ import main
try:
    main()
finally:
    print(*{name.partition(".")[0] for name in sys.modules}, file=sys.stderr)
"""
    loaded = subprocess.run(
        [sys.executable, "-c", program, "new", "scalable-webhook", "--defaults"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stderr.split()

    assert "jinja2" in loaded
    assert not {"copier", "prompt_toolkit", "pathspec", "pygments"}.intersection(loaded)


def test_git_runs_for_the_first_commit_alone(cli: Cli, tmp_path: Path) -> None:
    found = shutil.which("git")
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin/git"
    fake.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\nexec {found} "$@"\n')
    fake.chmod(0o755)
    (Path(cli.environment["HOME"]) / ".gitconfig").write_text("[user]\nname=A\nemail=a@b.invalid\n")
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    assert cli("new", "scalable-webhook", PATH=path).returncode == 0
    calls = (tmp_path / "calls").read_text().splitlines()
    assert len(calls) == 3
    for call, subcommand in zip(calls, ("init", "add", "commit"), strict=True):
        assert f" {subcommand} " in call


def test_each_text_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[Any] = []
    compile_text = jinja2.Environment.compile

    def recorded(environment: jinja2.Environment, source: Any, *names: Any, **options: Any) -> Any:
        if isinstance(source, str):  # Copier asks for other values too, to learn that they are none
            compiled.append((source, names))
        return compile_text(environment, source, *names, **options)

    monkeypatch.setattr(jinja2.Environment, "compile", recorded)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    render.create(WEBHOOK, tmp_path / "project", ask=False, repository=False)
    assert len(compiled) > 50
    assert len(set(compiled)) == len(compiled)


def template_with(folder: Path, questions: str) -> Path:
    """A template whose only file records its answers."""
    project = folder / "templates/project"
    project.mkdir(parents=True)
    (folder / "copier.yml").write_text(f"_subdirectory: templates/project\n{questions}")
    name = "{{ _copier_conf.answers_file }}.jinja"
    (project / name).write_text("{{ _copier_answers | to_nice_yaml }}")
    return folder


def test_an_answer_to_a_question_that_is_not_asked_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = """
pattern: {type: str, default: p}
project_name: {type: str, default: n}
authorizer: {type: str, default: none, when: "{{ pattern == 'q' }}"}
"""
    template = template_with(tmp_path / "template", questions)
    monkeypatch.setattr(catalog, "template_root", lambda: template)
    given = {"authorizer": ("--data authorizer", "jwt")}
    with pytest.raises(UserError, match=r"^--data authorizer is not asked for with these answers$"):
        render.create(given, tmp_path / "project", ask=False, repository=False)
    assert not (tmp_path / "project").exists()
    given["pattern"] = ("PATTERN", "q")
    made = render.create(given, tmp_path / "project", ask=False, repository=False)
    assert made.answers["authorizer"] == "jwt"


def test_a_template_inside_a_repository_is_rendered_as_it_is_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = "pattern: {type: str, default: p}\nproject_name: {type: str, default: n}\n"
    template = template_with(tmp_path / "template", questions)
    (template / ".git").mkdir()  # Copier would try to clone it
    monkeypatch.setattr(catalog, "template_root", lambda: template)
    (template / "templates/project/new.txt").write_text("not committed yet")
    made = render.create({}, tmp_path / "project", ask=False, repository=False)
    assert "new.txt" in made.files


def test_an_include_that_is_not_found_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = "pattern: {type: str, default: p}\nproject_name: {type: str, default: n}\n"
    template = template_with(tmp_path / "template", questions)
    monkeypatch.setattr(catalog, "template_root", lambda: template)
    (template / "templates/project/new.txt.jinja").write_text("{% include 'missing.txt' %}")
    with pytest.raises(UserError, match=r"^the template is broken: it has no file missing\.txt"):
        render.create({}, tmp_path / "project", ask=False, repository=False)
    assert not (tmp_path / "project").exists()


def test_of_an_include_with_several_places_that_of_the_pattern_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = "pattern: {type: str, default: p}\nproject_name: {type: str, default: n}\n"
    template = template_with(tmp_path / "template", questions)
    monkeypatch.setattr(catalog, "template_root", lambda: template)
    own = "templates/patterns/p"
    places = f"['{own}/queue/logic', '{own}/logic', 'templates/datastores/none/logic']"
    (template / "templates/project/new.txt.jinja").write_text(f"{{% include {places} %}}")

    with pytest.raises(UserError, match=rf"it has no file {own}/logic$"):
        render.create({}, tmp_path / "project", ask=False, repository=False)
