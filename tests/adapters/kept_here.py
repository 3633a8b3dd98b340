"""Unit tests of code that projects share, which run here, in rendered projects.

Each stands as a template in the folder of its language, or of a topology that has another one,
and is rendered with a project's answers.
"""

from collections.abc import Iterator
from pathlib import Path

from rendering import ROOT, _renderer, data_of, template
from variants import Variant

HERE = Path(__file__).parent
FOLDER = Path("tests/unit")


def unit_tests_of(variant: Variant, project: Path) -> dict[Path, str]:
    """Return the tests of those adapters that a project has: where they belong, and their text."""
    renderer, _ = _renderer(template())
    answers = renderer.answers(data_of(**variant.answers), project)
    name_of = {"python": "test_{}.py", "typescript": "{}.test.ts"}[variant.runtime].format
    found = {}
    for subject in answers["tested_elsewhere"]:
        name = name_of(subject)
        files = (place / f"{name}.jinja" for place in places_of(variant))
        file = next(each for each in files if each.exists())
        found[FOLDER / name] = renderer.jinja.from_string(file.read_text()).render(answers)
    return found


def places_of(variant: Variant) -> Iterator[Path]:
    """Yield where such a test may stand: here, or in templates if a released project has it."""
    yield from (HERE / variant.runtime / variant.topology, HERE / variant.runtime)
    pattern = f"patterns/{variant.pattern}"
    for owner in (
        f"{pattern}/{variant.topology}",
        pattern,
        f"datastores/{variant.datastore}",
        "shared",
    ):
        yield ROOT / "templates" / owner / variant.runtime / FOLDER


def add_tests(variant: Variant, project: Path) -> list[str]:
    """Write them into a project; return where."""
    tests = unit_tests_of(variant, project)
    for place, text in tests.items():
        (project / place).write_text(text)
    return [str(place) for place in tests]
