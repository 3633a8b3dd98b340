"""Where the template comes from: the package, a mirror, a fork; and development versions."""

import shutil
from pathlib import Path

import pytest
from command import Cli
from update.projects import PACKAGE, Owned
from update.publication import Publication, git, publish

ANSWERS = ".copier-answers.yml"
RECORDED = "https://sls-patterns.invalid/sls-patterns.git"


@pytest.fixture
def checkout(cli: Cli, publication: Publication) -> Cli:
    """The command as of the publication's own checkout, which is v0.4.0.dev0."""
    # An editable install without the installing: what matters is where the package is.
    paths = {"PYTHONPATH": str(publication.folder / "src")}
    return Cli(cli.folder, cli.environment | paths)


def record(project: Owned, version: str, address: str = RECORDED) -> None:
    """Let the project come from another version, or place."""
    lines = [
        f"_commit: {version}" if line.startswith("_commit:") else line
        for line in project.read(ANSWERS).splitlines()
    ]
    lines = [f"_src_path: {address}" if line.startswith("_src_path:") else line for line in lines]
    project.write(ANSWERS, "\n".join(lines) + "\n")
    project.commit()


def test_a_checkout_finds_the_versions_in_its_history(
    project: Owned, checkout: Cli, publication: Publication, tmp_path: Path
) -> None:
    tagless = Publication(shutil.copytree(publication.folder, tmp_path / "tagless"))
    for version in ("v0.1.0", "v0.2.0", "v0.3.0"):
        git(tagless.folder, "tag", "--delete", version)
    record(project, "v0.1.0")
    cache = tmp_path / "cache"  # no other test's checkout keeps its versions there
    paths = {"PYTHONPATH": str(tagless.folder / "src"), "XDG_CACHE_HOME": str(cache)}
    there = Owned(project.folder, Cli(checkout.folder, checkout.environment | paths))
    assert there.update()["to"] == "v0.3.0"
    assert f"_src_path: {RECORDED}\n" in project.read(ANSWERS)
    assert "_commit: v0.3.0\n" in project.read(ANSWERS)
    (bundle,) = cache.glob("sls-patterns/*.bundle")
    before = bundle.stat()
    there.status()
    assert bundle.stat() == before  # made once
    tagless.version("0.4.0.dev1")
    there.status()
    assert bundle.stat() == before  # the same releases
    tagless.version("0.4.0")
    project.commit()
    assert there.update()["to"] == "v0.4.0"
    assert not bundle.exists()
    assert len([*bundle.parent.glob("*.bundle")]) == 1


def test_the_recorded_address_needs_no_network(project: Owned, checkout: Cli) -> None:
    record(project, "v0.1.0")
    there = Owned(project.folder, checkout)
    nowhere = "http://127.0.0.1:9"
    assert there.update(http_proxy=nowhere, https_proxy=nowhere)["to"] == "v0.3.0"


@pytest.mark.parametrize("how", ["option", "environment", "recorded", "as in CI"])
def test_a_teams_mirror_or_fork(
    project: Owned, publication: Publication, tmp_path: Path, how: str
) -> None:
    fork = tmp_path / "fork.git"
    git(tmp_path, "clone", "--quiet", "--bare", publication.folder, fork)
    git(fork, "tag", "v0.3.1", "v0.3.0")
    address = f"file://{fork}"
    if how == "recorded":
        record(project, "v0.1.0", address)
        report = project.update()
    elif how == "option":
        record(project, "v0.1.0")
        report = project.update("--source", address)
    else:
        record(project, "v0.1.0")
        source = f"git+{address}@v0.3.0" if how == "as in CI" else address
        report = project.update(SLS_PATTERNS_SOURCE=source)
    assert report["to"] == "v0.3.1"
    # What one machine takes its template from is not recorded for all.
    recorded = address if how == "recorded" else RECORDED
    assert f"_src_path: {recorded}\n" in project.read(ANSWERS)


def test_new_of_a_checkout_can_take_another_answer(checkout: Cli) -> None:
    assert checkout("new", "scalable-webhook", "--defaults").returncode == 0
    project = Owned(checkout.folder / "scalable-webhook", checkout)
    version = f"v{checkout('--version').stdout.split()[1]}"
    report = project.update(
        "--to", version, "--data", "datastore=aurora-postgresql", "--replace", code=3
    )
    assert (report["from"], report["base"], report["to"]) == (version, version, version)
    assert f"{PACKAGE}/adapters/events/aurora_postgresql.py" in report["added"]


def test_a_development_version_is_compared_with_the_release_before_it(project: Owned) -> None:
    project.update("--to", "v0.2.0", code=3)
    project.append("template.yaml", "# mine\n")
    record(project, "v0.3.0.dev0", str(project.read(ANSWERS).split("_src_path: ")[1].split()[0]))
    report = project.update("--dry-run")
    assert (report["from"], report["base"], report["to"]) == ("v0.3.0.dev0", "v0.2.0", "v0.3.0")
    done = project.run("update")
    assert "v0.3.0.dev0 is a development version that cannot be found" in done.stdout
    assert project.read("template.yaml").endswith("# mine\n")
    assert "_commit: v0.3.0\n" in project.read(ANSWERS)


def test_git_names_a_commit_between_releases_by_the_one_before(project: Owned) -> None:
    address = project.read(ANSWERS).split("_src_path: ")[1].split()[0]
    record(project, "v0.1.0-3-gabcdef0", address)
    report = project.update("--to", "0.2.0", code=3)
    assert (report["base"], report["to"]) == ("v0.1.0", "v0.2.0")


def test_before_the_first_release_there_is_nothing_to_compare_with(
    project: Owned, publication: Publication
) -> None:
    record(project, "v0.1.0.dev0", str(publication.folder))
    assert project.refused() == (
        f"v0.1.0.dev0 is a development version that {publication.folder} does not have, and there "
        "is no release before it to compare with; make a new project and move your code there"
    )


def test_without_any_release_there_is_only_the_packages_own(cli: Cli, tmp_path: Path) -> None:
    bare = publish(tmp_path / "template").folder
    shutil.rmtree(bare / ".git")
    tool = Cli(cli.folder, cli.environment | {"PYTHONPATH": str(bare / "src")})
    assert tool("new", "scalable-webhook", "made", "--defaults").returncode == 0
    project = Owned(cli.folder / "made", tool)
    assert project.update()["updated"] == []
    record(project, "v0.0.1")
    version = tool("--version").stdout.split()[1]
    assert project.refused() == (f"sls-patterns {version} has no version v0.0.1; it has v{version}")


def test_a_shallow_checkout_says_what_to_do(
    project: Owned, cli: Cli, publication: Publication, tmp_path: Path
) -> None:
    record(project, "v0.1.0")
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{publication.folder}", shallow)
    tool = Cli(cli.folder, cli.environment | {"PYTHONPATH": str(shallow / "src")})
    line = Owned(project.folder, tool).refused()
    assert line.startswith(f"{shallow} is a shallow clone")
    assert line.endswith("git fetch --unshallow --tags")
