"""Whoever has only Copier gets the same: the real command, from a git address, without --trust."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from command import COPIER, Cli
from update.projects import PACKAGE, Owned, snapshot
from update.publication import Publication, git

from sls_patterns_cli.rendering.renderer import Renderer
from sls_patterns_cli.rendering.template_cache import TemplateCache


def copier(cli: Cli, folder: Path, *arguments: str | Path) -> None:
    cache = {"COPIER_CACHE_DIR": str(folder.parent / "cache")}
    done = Cli(folder, cli.environment, COPIER)(*arguments, **cache)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def pair(cli: Cli, publication: Publication) -> tuple[Owned, Owned]:
    """Two equal projects that `copier copy` made of v0.1.0 from a git address."""
    data = ("--data", "pattern=scalable-webhook", "--data", "project_name=scalable-webhook")
    answers = (*data, "--vcs-ref", "v0.1.0", "--defaults")
    bare = cli.folder / "origin.git"
    git(cli.folder, "clone", "--quiet", "--bare", publication.folder, bare)
    copier(cli, cli.folder, "copy", "--quiet", *answers, f"git+file://{bare}", "plain")
    plain = Owned(cli.folder / "plain", cli)
    git(plain.folder, "init", "--quiet")
    plain.commit()
    return plain, Owned(shutil.copytree(plain.folder, cli.folder / "ours"), cli)


def test_copier_update_gives_the_tree_that_the_command_gives(pair: tuple[Owned, Owned]) -> None:
    for project in pair:
        project.append(f"{PACKAGE}/handlers/receive.py", "# my handler\n")
        project.append(f"{PACKAGE}/logic.py", "# my rule\n")
        project.prepend("template.yaml", "# my wiring\n")
        project.append("pyproject.toml", "# my tools\n")
        project.write(f"{PACKAGE}/handlers/notify.py", "# my own\n")
        git(project.folder, "rm", "--quiet", f"{PACKAGE}/handlers/process.py", "Makefile")
        project.commit()
    plain, ours = pair
    copier(plain.cli, plain.folder, "update", "--defaults")
    assert ours.update()["to"] == "v0.3.0"
    assert snapshot(plain.folder) == snapshot(ours.folder)
    assert plain.changed() == ours.changed()
    assert "MemorySize: 512" in ours.read("template.yaml")
    assert ours.read("template.yaml").startswith("# my wiring\n")


def test_copier_update_with_another_answer_and_deleted_files_gives_the_same(
    pair: tuple[Owned, Owned],
) -> None:
    # Each of these was a failure of `_skip_if_exists`: a handler came back, another was deleted,
    # a deleted file together with another answer ended in a traceback, an old adapter stayed.
    for project in pair:
        project.append(f"{PACKAGE}/handlers/receive.py", "# mine\n")
        git(project.folder, "rm", "--quiet", f"{PACKAGE}/handlers/process.py", "README.md")
        git(project.folder, "mv", f"{PACKAGE}/logic.py", f"{PACKAGE}/rules.py")
        project.commit()
    plain, ours = pair
    change = ("--data", "datastore=aurora-postgresql")
    copier(plain.cli, plain.folder, "update", "--defaults", *change)
    ours.update(*change, "--replace", code=3)  # the old adapter's unit test fits no more
    assert snapshot(plain.folder) == snapshot(ours.folder)
    assert plain.read(f"{PACKAGE}/handlers/receive.py").endswith("# mine\n")
    assert not plain.exists(f"{PACKAGE}/handlers/process.py")
    assert not plain.exists(f"{PACKAGE}/logic.py")
    assert not plain.exists("README.md")
    assert not plain.exists(f"{PACKAGE}/adapters/events/dynamodb.py")
    assert plain.exists(f"{PACKAGE}/adapters/events/aurora_postgresql.py")


@pytest.mark.parametrize("by", ["copier", "command"])
def test_a_project_of_the_renderer_is_updated_as_one_of_copier(
    pair: tuple[Owned, Owned], cli: Cli, by: str
) -> None:
    plain, rendered = pair
    template = cli.folder / "template"
    git(cli.folder, "clone", "--quiet", "--branch", "v0.1.0", cli.folder / "origin.git", template)
    for path in rendered.folder.iterdir():
        if path.name != ".git":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    data = {
        **yaml.safe_load(plain.read(".copier-answers.yml")),
        "pattern": "scalable-webhook",
        "new_project": True,
    }
    renderer = Renderer(template, TemplateCache(cli.folder / "nothing-is-kept"))
    renderer.write(renderer.answers(data, rendered.folder), rendered.folder)
    assert rendered.changed() == []

    for project in pair:
        project.append(f"{PACKAGE}/logic.py", "# my rule\n")
        project.prepend("template.yaml", "# my wiring\n")
        project.commit()
        if by == "copier":
            copier(cli, project.folder, "update", "--defaults")
        else:
            assert project.update()["to"] == "v0.3.0"

    assert snapshot(rendered.folder) == snapshot(plain.folder)
    assert rendered.changed() == plain.changed()
    assert "MemorySize: 512" in rendered.read("template.yaml")


def test_a_handler_that_the_template_removes_stays(pair: tuple[Owned, Owned]) -> None:
    plain, ours = pair
    for project in pair:
        copier(project.cli, project.folder, "update", "--defaults", "--vcs-ref", "v0.2.0")
        project.write(f"{PACKAGE}/handlers/audit.py", "# mine\n")
        project.commit()
    copier(plain.cli, plain.folder, "update", "--defaults")
    ours.update(code=3)
    assert snapshot(plain.folder) == snapshot(ours.folder)
    assert plain.read(f"{PACKAGE}/handlers/audit.py") == "# mine\n"


def test_neither_bytecode_nor_what_a_desktop_leaves_reaches_a_project(
    cli: Cli, publication: Publication, tmp_path: Path
) -> None:
    # pip compiles what a wheel carries, in the place where the template is rendered from.
    littered = tmp_path / "littered"
    shutil.copytree(publication.folder, littered, ignore=shutil.ignore_patterns(".git"))
    subprocess.run([sys.executable, "-m", "compileall", "-q", littered / "templates"], check=False)
    for folder in (littered / "templates/project").rglob("*src*"):
        (folder / "__pycache__").mkdir()
        (folder / "__pycache__/left.cpython-311.pyc").write_bytes(b"")
        (folder / ".DS_Store").write_bytes(b"")
    assert list((littered / "templates/project").rglob("*.pyc"))
    copier(
        cli,
        cli.folder,
        "copy",
        "--defaults",
        "--data",
        "pattern=scalable-webhook",
        littered,
        "made",
    )
    made = {Path(path).name for path in snapshot(cli.folder / "made")}
    assert "receive.py" in made
    assert not [name for name in made if name.endswith(".pyc") or name == ".DS_Store"]
    assert not list((cli.folder / "made").rglob("__pycache__"))
