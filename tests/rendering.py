"""Renders projects with Copier itself, from the template in the working tree."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]


@cache
def template() -> Path:
    """Return a plain folder with the template as it is: of a repository Copier takes HEAD."""
    folder = Path(tempfile.mkdtemp(prefix="sls-patterns-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    shutil.copy(ROOT / "copier.yml", folder)
    shutil.copytree(ROOT / "templates", folder / "templates")
    return folder


def render_project(destination: Path, **answers: str) -> Path:
    """Render a project as of a version that never changes; return its folder."""
    return render_from(template(), destination, **answers)


def render_from(origin: Path, destination: Path, **answers: str) -> Path:
    """Render a project from a plain folder with a template; return its folder."""
    from copier import run_copy

    source = {"_commit": "v0.0.0", "_src_path": "https://sls-patterns.invalid/sls-patterns.git"}
    # By default it would be the folder's, whose name is the tests' own affair.
    data = {"project_name": answers["pattern"], **answers, **source}
    run_copy(str(origin), destination, data=data, defaults=True, quiet=True)
    return destination
