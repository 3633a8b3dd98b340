"""Renders projects as `new` does, from the template in the working tree.

What it renders is kept under the digest of the template and the answers, so that it is rendered
once however many tests and processes ask.
"""

import atexit
import fcntl
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from kept import digest, of_this_run

from sls_patterns_cli import rendering
from sls_patterns_cli.catalog import RESERVED_ADDRESS

if TYPE_CHECKING:
    from variants import Variant

    from sls_patterns_cli.rendering.renderer import Renderer
    from sls_patterns_cli.rendering.template_cache import TemplateCache

ROOT = Path(__file__).parents[1]
RENDERED = ROOT / "build/rendered"
PUBLIC = "https://git.example.com/sls-patterns.git"
ONE_DAY = 24 * 60 * 60


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


def render_from(origin: Path, destination: Path, version: str = "v0.0.0", **answers: str) -> Path:
    """Render a project from a plain folder that stays as it is; return the project's folder.

    The project records that it is of `version`.
    """
    shutil.copytree(kept_from(origin, version, **answers), destination, dirs_exist_ok=True)
    return destination


@contextmanager
def only(patterns: Collection[str]) -> Iterator[None]:
    """In the block no other pattern is rendered."""
    before = _ONLY.copy()
    _ONLY[:] = patterns
    try:
        yield
    finally:
        _ONLY[:] = before


_ONLY: list[str] = []


def digest_of(pattern: str) -> str:
    """Return the digest of all that decides what is rendered of a pattern."""
    return _kept(template(), pattern).name


def kept_from(origin: Path, version: str = "v0.0.0", **answers: str) -> Path:
    """Render such a project; return the folder that is kept, only to be read."""
    assert not _ONLY or answers["pattern"] in _ONLY, f"this test is about {_ONLY} alone"
    data = data_of(version, **answers)
    kept = _kept(origin, answers["pattern"]) / _digest(json.dumps(data, sort_keys=True).encode())
    with kept.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            _render(origin, kept, data)
    return kept


def data_of(version: str = "v0.0.0", **answers: str) -> dict[str, object]:
    """Return what is known of a project before its questions are answered."""
    source = {"_commit": version, "_src_path": RESERVED_ADDRESS}
    # By default it would be the folder's, whose name is the tests' own affair.
    return {"project_name": answers["pattern"], "new_project": True, **answers, **source}


def text_for(variant: "Variant", project: Path, file: Path) -> str:
    """Return what a template of a test in this repository is for a project."""
    renderer, _ = _renderer(template())
    answers = renderer.answers(data_of(**variant.answers), project)
    return str(renderer.jinja.from_string(file.read_text()).render(answers))


def _render(origin: Path, destination: Path, data: dict[str, object]) -> None:
    renderer, cache = _renderer(origin)
    with tempfile.TemporaryDirectory(dir=destination.parent) as folder:
        made = Path(folder) / "project"
        made.mkdir()
        renderer.write(renderer.answers(data, made), made)
        made.rename(destination)
    cache.save()  # for the workers that start after this


@cache
def _renderer(origin: Path) -> tuple["Renderer", "TemplateCache"]:
    """Return the renderer of this process, which reads and compiles each template once."""
    from sls_patterns_cli.rendering.renderer import Renderer
    from sls_patterns_cli.rendering.template_cache import TemplateCache

    cache = TemplateCache(of_this_run(RENDERED) / "templates")
    return Renderer(origin, cache), cache


@cache
def _kept(origin: Path, pattern: str) -> Path:
    """Return the folder of what this template renders of a pattern, with the tool as it is.

    Another pattern's files change nothing of it. Folders that nobody uses any more are removed.
    """
    rendered = of_this_run(RENDERED)
    rendered.mkdir(parents=True, exist_ok=True)
    for folder in RENDERED.iterdir():
        with suppress(FileNotFoundError):  # another worker has removed it
            if folder.stat().st_mtime < time.time() - ONE_DAY:
                shutil.rmtree(folder, ignore_errors=True)
    place = rendered / _digest(*_what_renders(), *_contents(origin, _others(origin, pattern)))
    place.mkdir(exist_ok=True)
    os.utime(place)
    return place


def _others(origin: Path, pattern: str) -> set[Path]:
    """Return the folders of other patterns, none of whose files this pattern is rendered from."""
    return {each for each in (origin / "templates/patterns").glob("*/") if each.name != pattern}


def _what_renders() -> Iterator[bytes]:
    """Yield what decides what becomes of a template: the renderer, its libraries, and Python."""
    yield sys.version.encode()
    for name in ("jinja2", "jinja2-ansible-filters", "pyyaml"):
        yield f"{name} {metadata.version(name)}".encode()
    yield from _contents(Path(rendering.__path__[0]))


def _contents(folder: Path, without: Collection[Path] = ()) -> Iterator[bytes]:
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        if "__pycache__" not in file.parts and not set(without) & {*file.parents}:
            name = f"{file.relative_to(folder)}\0{file.stat().st_mode}\0"
            yield name.encode() + file.read_bytes()


def _digest(*parts: bytes) -> str:
    return digest(*parts)[:16]
