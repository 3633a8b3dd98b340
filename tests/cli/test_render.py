"""Guards what render.py overrides in Copier: each test fails when Copier changes it."""

import os
import shutil
import subprocess
import sys
from functools import cached_property
from importlib import import_module
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import jinja2
import pytest
from command import Cli
from copier._main import Worker
from copier._template import Template
from questionary import Choice

from sls_patterns_cli import catalog
from sls_patterns_cli.errors import UserError
from sls_patterns_cli.rendering import copier_without_prompts, render

WEBHOOK = {"pattern": ("PATTERN", "scalable-webhook")}


def parameters(function: Any) -> list[str]:
    return [
        parameter.name
        for parameter in signature(function).parameters.values()
        if parameter.kind is not Parameter.KEYWORD_ONLY
    ]


def test_copier_still_has_what_is_overridden() -> None:
    assert parameters(Worker._ask) == ["self"]
    assert parameters(Worker._render_template) == ["self"]
    assert parameters(Worker._render_context) == ["self"]
    assert parameters(Worker._render_string) == ["self", "string", "extra_context"]
    assert isinstance(vars(Worker)["answers_relpath"], property)
    assert parameters(Worker._sync_git_index_executable_bit) == ["self", "dst_relpath", "src_mode"]
    for owner, name in ((Worker, "template"), (Worker, "jinja_env"), (Worker, "subproject")):
        assert isinstance(vars(owner)[name], cached_property)
    assert isinstance(vars(Template)["vcs"], cached_property)
    assert "unsafe_prompt" in Worker._ask.__code__.co_names
    compile_parameters = parameters(jinja2.Environment.compile)
    assert compile_parameters == ["self", "source", "name", "filename", "raw", "defer_init"]


def test_a_command_that_asks_nothing_loads_nothing_that_asks() -> None:
    program = """
import sys
from sls_patterns_cli.rendering import copier_without_prompts
copier_without_prompts.import_copier()
import copier
print(*{name.partition(".")[0] for name in sys.modules})
"""
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()

    assert "copier" in loaded
    assert not {"prompt_toolkit", "pygments", "questionary"}.intersection(loaded)


def test_what_stands_in_for_prompts_is_there_and_does_the_same() -> None:
    for module, names in copier_without_prompts.STAND_INS.items():
        assert all(hasattr(import_module(module), name) for name in names)
    stand_in = copier_without_prompts.STAND_INS["questionary.prompts.common"]["Choice"]
    for arguments in (("a", "b"), ("a", None), ("a", 0, "why not")):
        ours, theirs = stand_in(*arguments), Choice(*arguments)
        assert (ours.title, ours.value, ours.disabled) == (
            theirs.title,
            theirs.value,
            theirs.disabled,
        )


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
