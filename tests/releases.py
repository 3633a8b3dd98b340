"""What was released, by this repository's own history."""

import atexit
import shutil
import tarfile
import tempfile
from functools import cache
from itertools import product
from pathlib import Path

import yaml
from packaging.version import Version
from rendering import ROOT
from update.publication import git
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
def template_of(version: str) -> Path:
    """Return a plain folder with a released template."""
    folder = Path(tempfile.mkdtemp(prefix="sls-patterns-released-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    archive = folder / "template.tar"
    git(ROOT, "archive", f"--output={archive}", RELEASED[version], "copier.yml", "templates")
    with tarfile.open(archive) as content:
        content.extractall(folder, filter="data")
    archive.unlink()
    return folder


def variants_of(version: str) -> set[Variant]:
    """Return the variants that a release had."""
    variants = set()
    for file in template_of(version).glob("templates/patterns/*/pattern.yml"):
        declared = yaml.safe_load(file.read_bytes())
        for topology in declared["topologies"]:
            options = (declared["runtimes"], declared["flavours"], topology["datastores"])
            for runtime, iac, datastore in product(*options):
                variants.add(Variant(file.parent.name, topology["name"], runtime, iac, datastore))
    return variants
