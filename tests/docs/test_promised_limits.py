"""Each number that the projects promise is in docs/limits.md, with the tests that hold it."""

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import pytest
import yaml
from rendering import ROOT

DOCUMENT = ROOT / "docs/limits.md"
TEMPLATES = ROOT / "templates"
ADAPTERS = ROOT / "tests/adapters"
"""Has the unit tests of code that projects share."""
SHARED = {"shared", *(each.name for each in (TEMPLATES / "datastores").iterdir())}
BROKEN = (ROOT / "tests/contract/broken.yml").read_text()
ROW = re.compile(
    r"^\| (?P<number>[^|]+) \| (?P<where>[^|]+) \| (?P<below>[^|]+) \| (?P<above>[^|]+) \|$",
    re.MULTILINE,
)
OF_THIS_REPOSITORY = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
PYTHON = re.compile(r"`([\w-]+)/(test_\w+)::(test_\w+)`")
TYPESCRIPT = re.compile(r"TypeScript `([\w-]+)/([\w-]+)::([^`]+)`")
PROOF = re.compile(r"proof `([\w-]+)` of `([\w-]+)`")
RULE = re.compile(r'rule: "([^"]+)"')
# Of one language, since the other has no such limit.
PYTHON_ONLY = "Python only"
# As another cell of the row says.
REPEATED = re.compile(r"the same (test|proof)|as before")


class Row(NamedTuple):
    number: str
    where: str
    below: str
    above: str

    @property
    def held(self) -> str:
        return f"{self.below}; {self.above}"


def rows() -> Iterator[Row]:
    for row in ROW.finditer(DOCUMENT.read_text()):
        if row["number"] not in {"Number", "---"}:
            yield Row(**row.groupdict())


ROWS = list(rows())


@cache
def unit_tests(owner: str, runtime: str, file: str) -> str:
    """The text of a unit test's templates, with what they include."""
    found = [
        path
        for path in TEMPLATES.rglob(f"{runtime}/**/tests/unit/{file}.jinja")
        if owner in path.relative_to(TEMPLATES).parts
    ]
    if owner in SHARED and (elsewhere := ADAPTERS / runtime / f"{file}.jinja").exists():
        found.append(elsewhere)
    texts = [path.read_text() for path in found]
    for text in list(texts):
        included = re.findall(r"include '(templates/[\w./]+)'", text)
        texts += [(ROOT / path).read_text() for path in included]
    return "\n".join(texts)


def words(title: str) -> str:
    return re.sub(r"\W+", "_", title).strip("_").lower()


def has_counterpart(owner: str, file: str, name: str) -> bool:
    """Whether a test in TypeScript has the name of one in Python."""
    other = file.removeprefix("test_").replace("_", "-") + ".test.ts"
    titles = re.findall(r'"((?:[^"\\\n]|\\.)+)"', unit_tests(owner, "typescript", other))
    return any(words(title).startswith(name.removeprefix("test_")) for title in titles)


def nothing_of(cell: str, row: Row) -> bool:
    """Whether neither the cell nor, where it refers to others, these name what holds a number."""
    if REPEATED.search(cell):
        return nothing_of(REPEATED.sub("", row.held), row)
    references = (OF_THIS_REPOSITORY, PYTHON, PROOF, RULE)
    return not (any(each.search(cell) for each in references) or "Schema" in cell)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.number)
def test_what_holds_a_number_exists(row: Row) -> None:
    for file, name in OF_THIS_REPOSITORY.findall(row.held):
        assert f"def {name}(" in (ROOT / file).read_text(), (file, name)
    for owner, file, name in PYTHON.findall(row.held):
        assert f"def {name}(" in unit_tests(owner, "python", f"{file}.py"), (owner, file, name)
    for owner, file, title in TYPESCRIPT.findall(row.held):
        assert f'"{title}"' in unit_tests(owner, "typescript", f"{file}.test.ts"), (owner, title)
    for proof, owner in PROOF.findall(row.held):
        pattern = yaml.safe_load((TEMPLATES / "patterns" / owner / "pattern.yml").read_text())
        proofs = [each["id"] for topology in pattern["topologies"] for each in topology["proofs"]]
        assert proof in proofs, (owner, proof)
    for says in RULE.findall(row.held):
        assert says in BROKEN, says


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.number)
def test_a_number_is_held_on_both_sides_or_says_why_it_is_open(row: Row) -> None:
    for cell in (row.below, row.above):
        if re.search(r"\bopen\b", cell):
            assert re.search(r"\bopen: \w", cell), cell
        else:
            assert not nothing_of(cell, row), cell


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.number)
def test_both_languages_hold_a_number(row: Row) -> None:
    missing = [
        (owner, file, name)
        for owner, file, name in PYTHON.findall(row.held)
        if not has_counterpart(owner, file, name)
    ]

    assert not missing or PYTHON_ONLY in row.held or TYPESCRIPT.search(row.held), missing


def test_each_number_of_the_graph_has_a_row() -> None:
    graph = yaml.safe_load((TEMPLATES / "graph.yml").read_text())
    kinds = [*graph["nodes"].values(), *graph["edges"].values()]
    numbers = {
        name
        for kind in kinds
        for name, attribute in kind.get("attributes", {}).items()
        if attribute["type"] == "integer"
    }
    of_datastores = {
        key
        for datastore in graph["datastores"].values()
        for key, value in datastore.items()
        if isinstance(value, int) and not isinstance(value, bool)
    } | {"waits", "at_most"}

    named = set(re.findall(r"`(\w+)`", "".join(f"{row.number}{row.where}" for row in ROWS)))

    assert numbers | of_datastores <= named


def test_a_number_has_one_row() -> None:
    assert len({row.number for row in ROWS}) == len(ROWS)
    assert len(ROWS) > 50
