"""What is synthesised is kept under all that decides it, and under nothing else."""

import sys
from collections.abc import Callable
from pathlib import Path

import kept
import pytest
import synthesis
from rendering import render_project
from synthesis import key, read_by_app, template_file

WEB = {"pattern": "simple-web-service", "topology": "rest-api", "datastore": "aurora-postgresql"}
MACHINE = {"pattern": "state-machine", "topology": "standard"}
GRADUAL = {"pattern": "strangler", "topology": "gradual"}
STREAM = {"pattern": "streamer", "topology": "direct"}
PYTHON = {"iac": "cdk", "runtime": "python"}
TYPESCRIPT = {"iac": "cdk", "runtime": "typescript"}


def changes(project: Path, file: str) -> bool:
    """Tell whether the key is another one once a file has one more line."""
    before = key(project)
    (changed,) = project.glob(file)
    changed.write_text(f"{changed.read_text()}\n")
    return key(project) != before


@pytest.mark.parametrize(
    ("answers", "file"),
    [
        (WEB | PYTHON, "app.py"),
        (WEB | PYTHON, "cdk.json"),
        (WEB | PYTHON, "requirements-dev.txt"),
        (WEB | PYTHON, "infrastructure/stack.py"),
        (STREAM | PYTHON, "infrastructure/api/deliver-batch.request.vtl"),
        (WEB | PYTHON, "src/*/migrations/0001_products.sql"),
        (WEB | PYTHON, "src/requirements.txt"),
        (WEB | TYPESCRIPT, "app.ts"),
        (WEB | TYPESCRIPT, "package.json"),
        (WEB | TYPESCRIPT, "tsconfig.json"),
        (WEB | TYPESCRIPT, "infrastructure/stack.ts"),
        (WEB | TYPESCRIPT, "src/migrations/0001_products.sql"),
        (MACHINE | TYPESCRIPT, "statemachines/order.asl.json"),
        (GRADUAL | PYTHON, "routes.txt"),
    ],
)
def test_what_an_app_reads_decides_what_is_synthesised(
    answers: dict[str, str], file: str, tmp_path: Path
) -> None:
    assert changes(render_project(tmp_path / "project", **answers), file)


@pytest.mark.parametrize(
    ("answers", "file"),
    [
        (WEB | PYTHON, "src/*/handlers/catalog.py"),
        (WEB | TYPESCRIPT, "src/handlers/catalog.ts"),
        (WEB | PYTHON, "README.md"),
        (WEB | PYTHON, "tests/unit/test_catalog.py"),
    ],
)
def test_what_functions_run_does_not(answers: dict[str, str], file: str, tmp_path: Path) -> None:
    assert not changes(render_project(tmp_path / "project", **answers), file)


@pytest.mark.parametrize("answers", [WEB | PYTHON, WEB | TYPESCRIPT])
def test_which_code_there_is_does(answers: dict[str, str], tmp_path: Path) -> None:
    project = render_project(tmp_path / "project", **answers)
    before = key(project)
    handler = next(project.glob("src/**/handlers/catalog.*"))

    handler.rename(handler.with_stem("products"))

    assert key(project) != before


def other_program(_: Path, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    (folder / "synthesis.mjs").write_text("// another one\n")
    monkeypatch.setattr(synthesis, "PROGRAM", folder / "synthesis.mjs")


def other_node(_: Path, monkeypatch: pytest.MonkeyPatch, __: Path) -> None:
    monkeypatch.setattr(synthesis, "node", lambda: "Node.js 99.0.0")


def other_python(_: Path, monkeypatch: pytest.MonkeyPatch, __: Path) -> None:
    monkeypatch.setattr(sys, "version", "99.0.0")


@pytest.mark.parametrize("change", [other_program, other_node, other_python])
def test_what_synthesises_decides_it_too(
    change: Callable[[Path, pytest.MonkeyPatch, Path], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = render_project(tmp_path / "project", **WEB, **TYPESCRIPT)
    before = key(project)

    change(project, monkeypatch, tmp_path)

    assert key(project) != before


@pytest.mark.parametrize(
    ("answers", "stack", "line"),
    [
        (
            GRADUAL | PYTHON,
            "infrastructure/stack.py",
            '__import__("pathlib").Path(__file__).parents[1].joinpath("README.md").read_text()\n',
        ),
        (
            GRADUAL | TYPESCRIPT,
            "infrastructure/stack.ts",
            'process.getBuiltinModule("node:fs").readFileSync(`${import.meta.dirname}/../README.md`);\n',
        ),
    ],
)
def test_a_stack_that_reads_anything_else_is_not_synthesised(
    answers: dict[str, str], stack: str, line: str, tmp_path: Path
) -> None:
    project = render_project(tmp_path / "project", **answers)
    (project / stack).write_text(f"{(project / stack).read_text()}{line}")

    with pytest.raises(pytest.fail.Exception, match=r"(?i)no such file or directory.*README\.md"):
        template_file(project)
    assert template_file(render_project(tmp_path / "next", **answers)).is_file()


def test_code_is_there_and_empty(tmp_path: Path) -> None:
    project = render_project(tmp_path / "project", **WEB, **PYTHON)

    read = read_by_app(project)

    assert read["src/simple_web_service/handlers/catalog.py"] == b""
    assert read["src/requirements.txt"]
    assert read["infrastructure/stack.py"]


def test_without_a_cache_nothing_of_another_run_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(kept.SWITCH, raising=False)
    kept_for_others = synthesis.kept_here()
    monkeypatch.setenv(kept.SWITCH, "1")
    places = set()
    for run in ("one", "other"):
        monkeypatch.setenv("PYTEST_XDIST_TESTRUNUID", run)
        places.add(synthesis.kept_here())

    assert len(places | {kept_for_others}) == 3
