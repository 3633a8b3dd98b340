"""Patterns that are test material: a graph each, with stubs for the code that no graph can hold.

A folder `tests/graphs/<slug>/` looks like one of `templates/patterns/`, and holds what is written
by hand: `pattern.yml`, definitions, a handler that no stub can stand for. Everything else that a
rendered project includes from its pattern is filled in here.
"""

import atexit
import shutil
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from rendering import render_from, template
from variants import Variant, variants_of

from sls_patterns_cli import catalog
from sls_patterns_cli.compiled import compiled
from sls_patterns_cli.pattern import Pattern, Topology

GRAPHS = Path(__file__).parent
STUB = GRAPHS / "stub.py"


@dataclass(frozen=True)
class Graph:
    """One variant of a graph."""

    variant: Variant
    topology: Topology = field(hash=False)

    def __str__(self) -> str:
        return str(self.variant)

    def render(self, destination: Path, **answers: str) -> Path:
        """Render its project, with more answers; return the folder."""
        return render_from(overlaid(), destination, **self.variant.answers, **answers)


@cache
def graphs() -> tuple[Graph, ...]:
    """Return every variant of every graph."""
    return tuple(
        Graph(variant, pattern.topology(variant.topology).on(variant.datastore))
        for pattern in map(_pattern, slugs())
        for variant in variants_of(pattern)
    )


def slugs() -> list[str]:
    return sorted(file.parent.name for file in GRAPHS.glob("*/pattern.yml"))


@cache
def overlaid() -> Path:
    """Return the template with the graphs among its patterns, as a plain folder."""
    folder = Path(tempfile.mkdtemp(prefix="sls-patterns-graphs-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    shutil.copytree(template(), folder, dirs_exist_ok=True)
    patterns = folder / "templates/patterns"
    for slug in slugs():
        shutil.rmtree(patterns / slug, ignore_errors=True)
        shutil.copytree(GRAPHS / slug, patterns / slug)
        _fill_in(patterns / slug, _declared(slug))
        for file, text in compiled(_pattern(slug), catalog.vocabulary()).items():
            _write(patterns / slug / file, text)
    index = "".join(f'"{_declared(slug)["title"]}": {slug}\n' for slug in slugs())
    (patterns / "index.yml").write_text(index)
    return folder


@cache
def _pattern(slug: str) -> Pattern:
    return Pattern.from_declaration(slug, _declared(slug), catalog.vocabulary())


def _declared(slug: str) -> dict[str, Any]:
    declared: dict[str, Any] = yaml.safe_load((GRAPHS / slug / "pattern.yml").read_text())
    return declared


def _fill_in(pattern: Path, declared: dict[str, Any]) -> None:
    """Write whatever the templates include of a pattern and this one has not."""
    brought = [
        node for datastore in catalog.vocabulary().datastores.values() for node in datastore.nodes
    ]
    for name in ("about", "cost", "failures"):
        _write(pattern / f"readme/{name}.md.jinja", "A graph under test.\n")
    python = pattern / "python"
    for name in ("logic", "models", "tests/e2e/service", "tests/unit/conftest"):
        _write(python / f"{name}.py.jinja")
    _write(python / "tests/unit/test_logic.py.jinja")
    for topology in declared["topologies"]:
        _write(python / f"tests/e2e/test_{topology['name']}.py.jinja")
        for node in [*topology["nodes"], *brought]:
            name = node["name"].replace("-", "_")
            if node["kind"] == "function":
                _write(python / f"handlers/{name}.py.jinja", _stub(topology, node["name"]))
            elif node["kind"] == "datastore":
                _write(python / f"adapters/{name}/__init__.py.jinja")
                for store in topology["datastores"]:
                    module = store.replace("-", "_")
                    _write(python / f"adapters/{name}/{store}.py.jinja")
                    _write(python / f"tests/e2e/{name}/{store}.py.jinja")
                    _write(python / f"tests/unit/test_{name}_{module}.py.jinja")
            else:
                _write(python / f"adapters/{name}.py.jinja")
            _write(python / f"tests/unit/test_{name}.py.jinja")


def _stub(topology: dict[str, Any], function: str) -> str:
    polled = [
        f"{edge['from'].replace('-', '_').upper()}_QUEUE_URL"
        for edge in topology["edges"]
        if edge["to"] == function and edge.get("by") == "poll"
    ]
    return STUB.read_text().replace("= ()\n", f"= {tuple(polled)}\n", 1)


def _write(file: Path, text: str = "") -> None:
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
