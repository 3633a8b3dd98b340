"""Patterns that are test material: a graph each, with stubs for the code that no graph can hold.

A folder `tests/graphs/<slug>/` looks like one of `templates/patterns/`, and holds what is written
by hand: `pattern.yml`, definitions, a handler that no stub can stand for. Everything else that a
rendered project includes from its pattern is filled in here.
"""

import atexit
import json
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
from sls_patterns_cli.catalog.compiler import compiled
from sls_patterns_cli.catalog.declaration import read_pattern
from sls_patterns_cli.catalog.model import Pattern, Topology

GRAPHS = Path(__file__).parent
PACKAGES = [
    *("@aws-lambda-powertools/batch", "@aws-lambda-powertools/metrics"),
    *(f"@aws-sdk/client-{service}" for service in ("dynamodb", "lambda", "s3", "sns", "sqs")),
]
"""The npm packages of all graphs: what their stubs import, and what queues bring with them.

Each graph has them all, so that they are installed once.
"""


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
        (patterns / slug / "pattern.yml").write_text(yaml.safe_dump(_declared(slug)))
        _fill_in(patterns / slug, _declared(slug))
        for file, text in compiled(_pattern(slug), catalog.vocabulary()).items():
            _write(patterns / slug / file, text)
    index = "".join(f'"{_declared(slug)["title"]}": {slug}\n' for slug in slugs())
    (patterns / "index.yml").write_text(index)
    return folder


@cache
def _pattern(slug: str) -> Pattern:
    return read_pattern(slug, _declared(slug), catalog.vocabulary())


def _declared(slug: str) -> dict[str, Any]:
    declared: dict[str, Any] = yaml.safe_load((GRAPHS / slug / "pattern.yml").read_text())
    declared["dependencies"] = {"python": [], "typescript": PACKAGES}
    declared["test_dependencies"] = {"python": [], "typescript": []}
    return declared


@dataclass(frozen=True)
class Language:
    """How a runtime names the files of a pattern."""

    folder: str
    extension: str
    joint: str  # between the words of a name
    test: str  # the name of a unit test
    proofs: str  # the name of a topology's proofs
    store: str  # the adapter of a datastore

    def file(self, name: str) -> str:
        return f"{name.replace('-', self.joint)}.{self.extension}.jinja"

    def test_of(self, subject: str) -> str:
        return f"tests/unit/{self.file(self.test.format(subject))}"


LANGUAGES = (
    Language("python", "py", "_", "test_{}", "test_{}", "class {}: ...\n"),
    Language("typescript", "ts", "-", "{}.test", "{}.test", "export const {} = {{}};\n"),
)


def _fill_in(pattern: Path, declared: dict[str, Any]) -> None:
    """Write whatever the templates include of a pattern and this one has not."""
    for name in ("about", "changes", "cost", "failures"):
        _write(pattern / f"readme/{name}.md.jinja", "A graph under test.\n")
    _write(pattern / "openapi.yml.jinja", "{}\n")
    for language in LANGUAGES:
        _fill_in_code(pattern / language.folder, declared, language)


def _fill_in_code(folder: Path, declared: dict[str, Any], language: Language) -> None:
    brought = [
        node for datastore in catalog.vocabulary().datastores.values() for node in datastore.nodes
    ]
    for name in ("logic", "models", "tests/e2e/service"):
        _write(folder / language.file(name))
    _write(folder / language.test_of("logic"))
    for name in {each for edge in catalog.vocabulary().edges.values() for each in edge.adapters}:
        shared = template() / f"templates/shared/{language.folder}/adapters"
        if not (shared / language.file(name)).exists():
            _write(folder / "adapters" / language.file(name))
            _write(folder / language.test_of(name))
    for topology in declared["topologies"]:
        # The name of a topology stays as it is in either language.
        proofs = language.proofs.format(topology["name"])
        _write(folder / f"tests/e2e/{proofs}.{language.extension}.jinja")
        for node in [*topology["nodes"], *brought]:
            name = node["name"]
            if node["kind"] == "function":
                _write(folder / "handlers" / language.file(name), _stub(name, language))
            elif node["kind"] == "datastore":
                place = name.replace("-", language.joint)
                adapter = (
                    f"{name.removesuffix('s').replace('-', ' ').title().replace(' ', '')}Store"
                )
                for store in topology["datastores"]:
                    text = language.store.format(adapter)
                    _write(folder / f"adapters/{place}" / language.file(store), text)
                    _write(folder / f"tests/e2e/{place}" / language.file(store))
                    _write(folder / language.test_of(f"{name}-{store}"))
            else:
                _write(folder / "adapters" / language.file(name))
            _write(folder / language.test_of(name))


def _stub(function: str, language: Language) -> str:
    """Return the stub of a language, with the function that it stands for."""
    text = (GRAPHS / f"stub.{language.extension}").read_text()
    return text.replace('NODE = "";', f"NODE = {json.dumps(function)};", 1)


def _write(file: Path, text: str = "") -> None:
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
