"""What was released, by this repository's own history."""

import json
import tarfile
from functools import cache
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import Any

import yaml
from packaging.version import Version
from prepared import prepared
from rendering import ROOT
from update.publication import git, git_bytes
from variants import Variant

from sls_patterns_cli import catalog
from sls_patterns_cli.updating import history


def released() -> dict[str, str]:
    try:
        return history.releases(ROOT)
    except history.HistoryError:  # an unpacked sdist, or a shallow clone
        return {}


RELEASED = released()
VERSIONS = list(RELEASED)

COMING = Version(Version(catalog.version()).base_version)
"""What the working tree leads to, or is."""


@cache
def released_repository() -> Path:
    """Return a bare repository with the template of each release and its tag, and nothing else.

    From this one's own, an update would fetch all of its history.
    """

    def make(folder: Path) -> None:
        history.write_bundle(ROOT, folder / "released.bundle")
        git(folder, "clone", "--quiet", "--bare", "released.bundle", "template.git")

    code = Path(history.__file__)
    folder = prepared("released versions", make, Path(__file__), code, json.dumps(RELEASED))
    return folder / "template.git"


@cache
def template_of(version: str) -> Path:
    """Return a plain folder with a released template."""

    def extract(folder: Path) -> None:
        with _archive(version, "copier.yml", "templates") as content:
            content.extractall(folder, filter="data")

    return prepared("template of a release", extract, Path(__file__), RELEASED[version])


@cache
def patterns_of(version: str) -> dict[str, dict[str, Any]]:
    """Return what the patterns of a release declared: topologies, runtimes and flavours."""

    def write(folder: Path) -> None:
        declared = {}
        with _archive(version, ":(glob)templates/patterns/*/pattern.yml") as content:
            for file in filter(tarfile.TarInfo.isfile, content):
                text = content.extractfile(file)
                declared[Path(file.name).parent.name] = yaml.safe_load(text)  # type: ignore[arg-type]
        (folder / "patterns.json").write_text(json.dumps(declared))

    folder = prepared("patterns of a release", write, Path(__file__), RELEASED[version])
    patterns: dict[str, dict[str, Any]] = json.loads((folder / "patterns.json").read_text())
    return patterns


def _archive(version: str, *paths: str) -> tarfile.TarFile:
    return tarfile.open(fileobj=BytesIO(git_bytes(ROOT, "archive", RELEASED[version], *paths)))


def variants_of(version: str) -> set[Variant]:
    """Return the variants that a release had."""
    return {
        Variant(slug, topology["name"], runtime, iac, datastore)
        for slug, declared in patterns_of(version).items()
        for topology in declared["topologies"]
        for runtime, iac, datastore in product(
            declared["runtimes"], declared["flavours"], topology["datastores"]
        )
    }
