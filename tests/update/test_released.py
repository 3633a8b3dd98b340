"""Every version that was really released updates to the newest, and no edit is lost."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest
import yaml
from command import Cli
from copier import run_copy
from environments import environment
from proofs.proving import prove
from rendering import ROOT
from static.test_project import run_npm, run_unit_tests
from tools import run
from update.projects import Owned
from update.publication import git
from variants import Variant

from sls_patterns_cli import history


@dataclass(frozen=True)
class Made:
    """A project of a released version, and the variant, which that version had."""

    version: str
    variant: Variant

    def __str__(self) -> str:
        return f"{self.version}-{self.variant}"

    @property
    def wiring(self) -> str:
        cdk = {"python": "infrastructure/stack.py", "typescript": "infrastructure/stack.ts"}
        return "template.yaml" if self.variant.iac == "sam" else cdk[self.variant.runtime]

    def comment(self, text: str) -> str:
        return f"// {text}\n" if self.variant.runtime == "typescript" else f"# {text}\n"


def released() -> dict[str, str]:
    try:
        return history.releases(ROOT)
    except history.HistoryError:  # an unpacked sdist, or a shallow clone
        return {}


RELEASED = released()
VERSIONS = list(RELEASED)


def of_all_versions_but_the_newest() -> Iterator[Made]:
    """Every pattern of a version in each of its runtimes and flavours, as it has them first."""
    folder = "templates/patterns/"
    for version in VERSIONS[:-1]:
        commit = RELEASED[version]
        for entry in git(ROOT, "ls-tree", "-d", "--name-only", commit, folder).splitlines():
            declared = yaml.safe_load(git(ROOT, "show", f"{commit}:{entry}/pattern.yml"))
            topology = declared["topologies"][0]
            for runtime, iac in product(declared["runtimes"], declared["flavours"]):
                slug, datastore = entry.removeprefix(folder), topology["datastores"][0]
                yield Made(version, Variant(slug, topology["name"], runtime, iac, datastore))


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This repository with all tags, as plain Copier needs them."""
    folder = tmp_path_factory.mktemp("released") / "template.git"
    git(ROOT, "clone", "--quiet", "--bare", "--no-tags", f"file://{ROOT}", folder)
    for version, commit in RELEASED.items():
        git(folder, "tag", version, commit)
    return folder


def generated(cli: Cli, clone: Path, made: Made) -> Owned:
    """A project as the released version makes it, committed."""
    project = Owned(cli.folder / "project", cli)
    run_copy(
        f"git+file://{clone}",
        project.folder,
        data=made.variant.answers,
        vcs_ref=made.version,
        defaults=True,
        quiet=True,
    )
    git(project.folder, "init", "--quiet")
    project.commit()
    return project


@pytest.mark.skipif(len(VERSIONS) < 2, reason="fewer than two versions were released")
@pytest.mark.parametrize("made", list(of_all_versions_but_the_newest()), ids=str)
def test_a_released_version_updates_to_the_newest(cli: Cli, clone: Path, made: Made) -> None:
    project = generated(cli, clone, made)
    (logic,), (model,), (test,), (edited, *handlers) = (
        [
            file.relative_to(project.folder).as_posix()
            for file in sorted(project.folder.glob(pattern))
            if file.stem != "__init__"
        ]
        for pattern in (
            "src/**/logic.*",
            "src/**/models.*",
            "tests/unit/*logic*",
            "src/**/handlers/*",
        )
    )
    deleted = [*handlers[:1], "README.md"]
    mine = made.comment("mine")
    for path in (logic, edited, test, made.wiring):
        project.append(path, mine)
    project.append("Makefile", "# my target\n")
    git(project.folder, "rm", "--quiet", *deleted)
    renamed = model.replace("models", "shapes")
    git(project.folder, "mv", model, renamed)
    added = f"{Path(edited).parent}/notify{Path(edited).suffix}"
    project.write(added, mine)
    project.commit()

    done = project.run("update", "--json")
    assert done.returncode in {0, 3}, done.stderr
    assert f"_commit: {VERSIONS[-1]}\n" in project.read(".copier-answers.yml")
    for path in (logic, edited, test):
        assert project.read(path).endswith(mine)
    assert mine in project.read(made.wiring)
    assert "# my target\n" in project.read("Makefile")
    assert project.read(added) == mine
    for path in (*deleted, model):
        assert not project.exists(path)
    assert project.exists(renamed)
    shutil.rmtree(project.folder)


@pytest.mark.skipif(len(VERSIONS) < 2, reason="fewer than two versions were released")
def test_an_untouched_project_of_any_version_becomes_a_new_one(cli: Cli, clone: Path) -> None:
    origin = f"git+file://{clone}"
    data = {"pattern": "scalable-webhook", "project_name": "hook"}
    newest = cli.folder / "newest"
    run_copy(origin, newest, data=data, vcs_ref=VERSIONS[-1], defaults=True, quiet=True)
    project = Owned(cli.folder / "project", cli)
    run_copy(origin, project.folder, data=data, vcs_ref=VERSIONS[0], defaults=True, quiet=True)
    git(project.folder, "init", "--quiet")
    project.commit()
    report = project.update("--json")
    for path in (*report["updated"], *report["added"], ".copier-answers.yml"):
        assert project.read(path) == (newest / path).read_text()
    for path in report["removed"]:
        assert not (newest / path).exists()


# Proofs that show a mend in handlers, logic or models: an update brings the proof, and leaves the
# mend to whoever owns these files, as the changelog says.
OF_WHAT_THE_USER_MENDS = {
    "simple-web-service": {"bad-input-refused"},
    "scalable-webhook": {"poison-in-dlq", "size-limit"},
    "state-machine": {"bad-input-refused"},
}


@pytest.mark.exhaustive
@pytest.mark.skipif(len(VERSIONS) < 2, reason="fewer than two versions were released")
@pytest.mark.parametrize("made", list(of_all_versions_but_the_newest()), ids=str)
def test_an_updated_project_passes_its_own_checks(cli: Cli, clone: Path, made: Made) -> None:
    project = generated(cli, clone, made)
    done = project.run("update", "--json")
    assert done.returncode == 0, done.stderr
    project.commit()

    if made.variant.runtime == "python":
        tools = environment(project.folder)
        for command in (("ruff", "check"), ("ruff", "format", "--check"), ("mypy",)):
            run([tools / command[0], *command[1:]], project.folder)
    else:
        for script in ("lint", "typecheck"):
            run_npm(project.folder, "run", script)
    run_unit_tests(made.variant, project.folder)
    proven = prove(project.folder)

    assert proven.passed, proven.printed
    assert proven.failed <= OF_WHAT_THE_USER_MENDS[made.variant.pattern], proven.printed
