"""A key of what is kept changes with each file that the look reads, and with what reads it."""

import json
import shutil
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import kept
import looks
import pytest
from kept import Look, digest
from proofs import proving
from rendering import render_project

ANSWERS = {"pattern": "state-machine", "topology": "standard", "iac": "sam"}
LookAt = Callable[[Path], Look]


def infrastructure(project: Path) -> Look:
    return looks.infrastructure(project, project / "template.yaml")


def files_that_change(look: LookAt, project: Path) -> set[str]:
    """Return the files of which one line more is another key."""
    before, found = digest(*look(project)), set()
    for file in sorted(each for each in project.rglob("*") if each.is_file()):
        if file.is_symlink() or looks.LEFT & {*file.relative_to(project).parts}:
            continue
        text = file.read_text()
        file.write_text(f"{text}\n")
        if digest(*look(project)) != before:
            found.add(file.relative_to(project).as_posix())
        file.write_text(text)
    assert digest(*look(project)) == before
    return found


CODE = {"python": ".py", "typescript": ".ts"}


@pytest.mark.parametrize(
    ("look", "runtime", "read", "not_read"),
    [
        (looks.style_of_python, "python", {"pyproject.toml"}, {"README.md", "template.yaml"}),
        (looks.types_of_python, "python", {"pyproject.toml"}, {"README.md", "template.yaml"}),
        (
            looks.code_in_typescript,
            "typescript",
            {"eslint.config.js", "tsconfig.json", "package.json"},
            {"README.md", "template.yaml"},
        ),
    ],
)
def test_what_checks_code_reads_all_of_it_and_its_settings(
    look: LookAt, runtime: str, read: set[str], not_read: set[str], tmp_path: Path
) -> None:
    project = render_project(tmp_path / "project", **ANSWERS, runtime=runtime)
    code = {each.relative_to(project).as_posix() for each in project.rglob(f"*{CODE[runtime]}")}

    found = files_that_change(look, project)

    assert code | read <= found
    assert not not_read & found


@pytest.mark.parametrize(
    ("runtime", "settings"),
    [
        ("python", {"pyproject.toml"}),
        ("typescript", {"vitest.config.ts", "tsconfig.json", "package.json"}),
    ],
)
def test_unit_tests_read_the_code_themselves_and_their_settings(
    runtime: str, settings: set[str], tmp_path: Path
) -> None:
    project = render_project(tmp_path / "project", **ANSWERS, runtime=runtime)
    code = {
        each.relative_to(project).as_posix()
        for folder in ("src", "tests/unit", "statemachines")
        for each in (project / folder).rglob("*.*")
    }

    found = files_that_change(looks.unit_tests, project)

    assert code | settings <= found
    assert not {"README.md", "Makefile"} & found


@pytest.mark.parametrize("runtime", ["python", "typescript"])
def test_builds_and_tests_of_a_stack_read_all_but_pages(runtime: str, tmp_path: Path) -> None:
    project = render_project(tmp_path / "project", **ANSWERS, runtime=runtime)
    every = {
        each.relative_to(project).as_posix()
        for each in project.rglob("*.*")
        if each.is_file() and ".github" not in each.parts
    }

    found = files_that_change(looks.all_but_pages, project)

    assert {each for each in every if not each.endswith(looks.FOR_PEOPLE)} <= found
    assert "README.md" not in found


def test_what_reads_a_template_reads_definitions_and_the_settings_of_checkov(
    tmp_path: Path,
) -> None:
    project = render_project(tmp_path / "project", **ANSWERS)
    definitions = {each.relative_to(project).as_posix() for each in project.glob("statemachines/*")}
    assert definitions

    found = files_that_change(infrastructure, project)

    assert found == {"template.yaml", ".checkov.yaml", *definitions}


@pytest.mark.parametrize(
    ("look", "runtime"),
    [
        (looks.types_of_python, "python"),
        (looks.unit_tests, "python"),
        (looks.all_but_pages, "python"),
        (looks.code_in_typescript, "typescript"),
        (looks.unit_tests, "typescript"),
        (looks.all_but_pages, "typescript"),
    ],
)
def test_another_set_of_packages_is_another_key(
    look: LookAt, runtime: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = render_project(tmp_path / "project", **ANSWERS, runtime=runtime)
    place = tmp_path / "place"
    (place / "bin").mkdir(parents=True)
    monkeypatch.setattr(looks, "environment", lambda _: place / "bin")
    monkeypatch.setattr(looks, "link_modules", lambda _: relink(project, place))

    def key(**versions: str) -> str:
        (place / "installed.txt").write_text(json.dumps(versions))
        (place / "package-lock.json").write_text(json.dumps(versions))
        packages = place / "lib/python3.13/site-packages"
        shutil.rmtree(packages, ignore_errors=True)
        for name, version in versions.items():
            of = packages / f"{name}-{version}.dist-info"
            of.mkdir(parents=True)
            needs = "Requires-Dist: lib (>=1)\n" if name == "mypy" else ""
            (of / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n{needs}")
        return digest(*look(project))

    before = key(mypy="1", lib="1")
    assert key(mypy="2", lib="1") != before
    assert key(mypy="1", lib="2") != before
    assert (key(mypy="1", lib="1", others="1") == before) == (runtime == "python")


def relink(project: Path, place: Path) -> None:
    link = project / "package-lock.json"
    link.unlink(missing_ok=True)
    link.symlink_to(place / "package-lock.json")


def test_another_version_of_a_tool_is_another_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = render_project(tmp_path / "project", **ANSWERS, runtime="python")
    before = digest(*looks.style_of_python(project))

    monkeypatch.setattr(metadata, "version", lambda _: "0")

    assert digest(*looks.style_of_python(project)) != before


def test_what_was_proven_of_all_but_pages_is_not_proven_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "FILE", tmp_path / "kept.sqlite3")
    monkeypatch.delenv(kept.SWITCH, raising=False)
    project = render_project(tmp_path / "project", **ANSWERS, runtime="python")

    def is_new(*proofs: str) -> bool:
        with proving.unless_proven("proofs", project, *proofs) as found:
            return found

    assert [is_new(), is_new("a"), is_new("b"), is_new("a"), is_new()] == [True] * 3 + [False] * 2
    assert {*looks.all_but_pages(project)} <= {*proving.look(project)}


def test_a_line_of_the_tool_or_of_what_it_requires_is_another_key_of_proofs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proving, "ROOT", tmp_path)
    module = tmp_path / "src/package/module.py"
    module.parent.mkdir(parents=True)
    keys = set()
    for code, required in (("one", "a==1"), ("two", "a==1"), ("two", "a==2")):
        module.write_text(code)
        (tmp_path / "requirements.lock").write_text(required)
        keys.add(proving.tool.__wrapped__())

    assert len(keys) == 3
