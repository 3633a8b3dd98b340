"""What is generated from the vocabulary and the patterns, beside the golden files.

`make golden` writes it, and a test fails where it is stale.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import yaml
from kinds_page import kinds_page
from pattern_schema import pattern_schema

from sls_patterns_cli import catalog
from sls_patterns_cli.compiled import compiled

ROOT = Path(__file__).parents[1]
PATTERNS = ROOT / "templates/patterns"
INDEX = PATTERNS / "index.yml"
LAST = 1000  # where a pattern is that does not say where


def index(patterns: Path = PATTERNS) -> str:
    """Return the choices of the question for the pattern, slugs by title, from their folders.

    What has the lowest `order` is offered first, and is the default.
    """
    declared = [
        (yaml.safe_load(file.read_text()), file.parent.name)
        for file in patterns.glob("*/pattern.yml")
    ]
    ordered = sorted((each.get("order", LAST), slug, each["title"]) for each, slug in declared)
    return "".join(f'"{title}": {slug}\n' for _, slug, title in ordered)


def generated() -> dict[Path, str]:
    """Return the text of each file that is generated."""
    return dict(_files())


def _files() -> Iterator[tuple[Path, str]]:
    for pattern in catalog.patterns():
        for file, text in compiled(pattern, catalog.vocabulary()).items():
            yield PATTERNS / pattern.slug / file, text
    schema = pattern_schema(catalog.vocabulary())
    yield ROOT / "templates/pattern.schema.json", f"{json.dumps(schema, indent=1)}\n"
    yield ROOT / "docs/kinds.md", kinds_page(catalog.vocabulary())


def stray() -> set[Path]:
    """Return the graphs that are there and that no pattern has any more."""
    return set(PATTERNS.glob("*/graphs/*.json")) - generated().keys()


def write() -> None:
    """Write all that is generated, and remove what is of a pattern no more."""
    # What Copier asks from: it cannot look into folders.
    INDEX.write_text(index(), newline="\n")
    catalog.slugs.cache_clear()
    for file, text in generated().items():
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, newline="\n")
    for file in stray():
        file.unlink()


if __name__ == "__main__":
    write()
