"""From one wheel to the next, without network, as a user does it; and plain Copier with them."""

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from command import COPIER, Cli, environment
from environments import environment as project_environment
from update.projects import PACKAGE, Owned
from update.publication import (
    CLEAN,
    Publication,
    git,
    prepared_publication,
    publish_three_releases,
)

UV = Path(sys.executable).with_name("uv")
# What leads to any host but this machine ends at once.
OFFLINE = {f"{scheme}_proxy": "http://127.0.0.1:9" for scheme in ("http", "https", "all")}

pytestmark = pytest.mark.xdist_group("wheels")


def build(origin: Path, out: Path, kind: str = "--wheel") -> Path:
    subprocess.run(
        [UV, "--quiet", "build", kind, "--no-build-isolation", origin, "--out-dir", out],
        env={**os.environ, "VIRTUAL_ENV": sys.prefix},
        check=True,
    )
    (built,) = [*out.glob("*.whl"), *out.glob("*.tar.gz")]
    return built


def bundle_in(wheel: Path) -> str:
    with zipfile.ZipFile(wheel) as content:
        return hashlib.sha256(content.read("sls_patterns_cli/_template.bundle")).hexdigest()


@dataclass(frozen=True)
class Wheels:
    publication: Publication
    older: Path
    newer: Path

    def install(self, wheel: Path, folder: Path) -> Path:
        """The command of an environment with the wheel; its dependencies are this one's."""
        uv: list[str | Path] = [UV, "--quiet", "--offline"]
        subprocess.run([*uv, "venv", "--python", sys.executable, folder], check=True)
        install: list[str | Path] = [
            "pip",
            "install",
            "--no-deps",
            "--compile-bytecode",
            "--python",
            folder,
            wheel,
        ]
        subprocess.run([*uv, *install], check=True)
        (packages,) = folder.glob("lib/python*/site-packages")
        (own,) = [path for path in sys.path if path.endswith("site-packages")]
        # Appended to sys.path: the wheel's package comes first.
        (packages / "dependencies.pth").write_text(f"{own}\n")
        return folder / "bin/sls-patterns"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Wheels:
    folder = tmp_path_factory.mktemp("wheels")
    publication = prepared_publication(publish_three_releases)
    older = folder / "older"
    git(folder, "clone", "--quiet", "--branch=v0.1.0", publication.folder, older)
    # As of then: the tags of what came later did not exist.
    git(older, "tag", "--delete", "v0.2.0", "v0.3.0")
    newer = folder / "newer"
    git(folder, "clone", "--quiet", "--branch=v0.3.0", publication.folder, newer)
    # Without any tag the history tells the same.
    git(newer, "tag", "--delete", "v0.1.0", "v0.2.0", "v0.3.0")
    return Wheels(publication, build(older, folder / "1"), build(newer, folder / "3"))


def test_a_project_of_the_older_wheel_is_updated_by_the_newer(
    wheels: Wheels, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    quiet = environment(home) | OFFLINE
    older = wheels.install(wheels.older, tmp_path / "older")
    tool = Cli(tmp_path, quiet, (str(older),))
    assert tool("--version").stdout == "sls-patterns 0.1.0\n"
    assert tool("new", "scalable-webhook", "--defaults").returncode == 0
    project = Owned(tmp_path / "scalable-webhook", tool)
    assert not list(project.folder.rglob("__pycache__"))
    for path, text in (
        (f"{PACKAGE}/handlers/receive.py", "\n# my handler\n"),
        (f"{PACKAGE}/logic.py", "\n# my rule\n"),
        ("samconfig.toml", "# my stack\n"),
    ):
        project.append(path, text)
    project.commit()
    assert project.status()["update"] is None
    shutil.copytree(project.folder, tmp_path / "plain")

    newer = wheels.install(wheels.newer, tmp_path / "newer")
    updated = Owned(project.folder, Cli(tmp_path, quiet, (str(newer),)))
    report = updated.update(code=3)
    assert (report["from"], report["to"]) == ("v0.1.0", "v0.3.0")
    assert report["kept"] == [
        {"path": "samconfig.toml", "renamed_to": "deploy.toml", "imported_by": None}
    ]
    assert report["conflicts"] == []
    assert "MemorySize: 512" in updated.read("template.yaml")
    assert updated.read(f"{PACKAGE}/handlers/receive.py").endswith("\n# my handler\n")
    assert updated.read(f"{PACKAGE}/logic.py").endswith("\n# my rule\n")
    assert updated.read("samconfig.toml").endswith("# my stack\n")

    # The same by Copier alone, from an address where the tags are.
    plain = Owned(tmp_path / "plain", Cli(tmp_path / "plain", quiet, ()))
    rewritten = f"url.file://{wheels.publication.folder}.insteadOf"
    address = "https://sls-patterns.invalid/sls-patterns.git"
    settings = {
        "GIT_CONFIG_KEY_0": rewritten,
        "GIT_CONFIG_VALUE_0": address,
    }
    done = Cli(plain.folder, quiet | settings, COPIER)(
        *("update", "--defaults", "--quiet"),
        GIT_CONFIG_COUNT="1",
        COPIER_CACHE_DIR=str(tmp_path / "cache"),
    )
    assert done.returncode == 0, done.stderr
    assert plain.exists("deploy.toml")
    # Copier drops the edits in what the template renamed, and says nothing: they are the only
    # difference.
    assert not plain.exists("samconfig.toml")
    git(updated.folder, "rm", "--quiet", "--force", "samconfig.toml")
    compared = subprocess.run(
        ["diff", "--recursive", "--exclude=.git", plain.folder, updated.folder],
        capture_output=True,
        text=True,
        check=False,
    )
    assert compared.stdout == ""

    tests = subprocess.run(
        [
            project_environment(updated.folder) / "python",
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
        ],
        cwd=updated.folder,
        env=CLEAN,
        capture_output=True,
        text=True,
        check=False,
    )
    assert tests.returncode == 0, tests.stdout


def test_two_builds_carry_the_same_bundle(wheels: Wheels, tmp_path: Path) -> None:
    again = tmp_path / "again"
    git(tmp_path, "clone", "--quiet", "--branch=v0.3.0", wheels.publication.folder, again)
    assert bundle_in(build(again, tmp_path / "out")) == bundle_in(wheels.newer)
    assert bundle_in(wheels.older) != bundle_in(wheels.newer)


def test_a_source_distribution_carries_the_bundle_on(wheels: Wheels, tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    git(tmp_path, "clone", "--quiet", "--branch=v0.3.0", wheels.publication.folder, origin)
    packed = build(origin, tmp_path / "sdist", "--sdist")
    shutil.unpack_archive(packed, tmp_path, filter="data")
    (unpacked,) = tmp_path.glob("sls_patterns_cli-*/")
    assert not (unpacked / ".git").exists()
    assert bundle_in(build(unpacked, tmp_path / "wheel")) == bundle_in(wheels.newer)


def test_without_history_the_wheel_is_built_and_says_what_it_lacks(
    wheels: Wheels, tmp_path: Path
) -> None:
    origin = tmp_path / "origin"
    ignored = shutil.ignore_patterns(".git")
    shutil.copytree(wheels.publication.folder, origin, ignore=ignored)
    wheel = build(origin, tmp_path / "wheel")
    with zipfile.ZipFile(wheel) as content:
        assert "sls_patterns_cli/_template.bundle" not in content.namelist()
