"""No template decides by what another has written: it searches no text that is rendered.

Data decides: the declaration, the graph that is compiled from it, or a list beside the templates.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import jinja2
import pytest
import yaml
from jinja2 import nodes
from rendering import ROOT

TEMPLATES = ROOT / "templates"

SEARCHES = {"regex_search", "regex_findall"}
METHODS = {"startswith", "endswith", "find", "index", "count"}
# What makes data of a text.
PARSERS = {"from_json", "from_yaml", "length", "int"}


class Template:
    """The syntax tree of a template, and which of its variables hold rendered text."""

    def __init__(self, source: str, inherited: frozenset[str] = frozenset()) -> None:
        self._tree = jinja2.Environment().parse(source)  # noqa: S701 - it is only parsed
        self.rendered = {
            block.target.name
            for block in self._tree.find_all(nodes.AssignBlock)
            if isinstance(block.target, nodes.Name)
        }
        self._macros = {macro.name for macro in self._tree.find_all(nodes.Macro)}
        own = {
            name.name
            for assigned in self._tree.find_all((nodes.Assign, nodes.For, nodes.Macro))
            for name in assigned.find_all(nodes.Name)
            if name.ctx in {"store", "param"}
        }
        self._texts = {*self.rendered, *(inherited - own)}
        self._follow()

    def decisions(self) -> Iterator[int]:
        """Yield the line of each place that searches a text."""
        for compared in self._tree.find_all(nodes.Compare):
            if any(
                each.op in {"in", "notin"} and self._is_text(each.expr) for each in compared.ops
            ):
                yield compared.lineno
        for found in self._tree.find_all(nodes.Filter):
            if found.name in SEARCHES and found.node and self._is_text(found.node):
                yield found.lineno
        for called in self._tree.find_all(nodes.Call):
            method = called.node
            if (
                isinstance(method, nodes.Getattr)
                and method.attr in METHODS
                and self._is_text(method.node)
            ):
                yield called.lineno

    def _follow(self) -> None:
        """Add the variables to which a text, or a part of one, is assigned."""
        values: list[tuple[nodes.Node, nodes.Node]] = [
            *((each.target, each.node) for each in self._tree.find_all(nodes.Assign)),
            *((each.target, each.iter) for each in self._tree.find_all(nodes.For)),
        ]
        before = -1
        while len(self._texts) > before:
            before = len(self._texts)
            self._texts |= {
                target.name
                for target, value in values
                if isinstance(target, nodes.Name) and self._is_text(value)
            }

    def _is_text(self, value: nodes.Node | None) -> bool:
        """Tell whether a value is rendered text, a part of one, or a list of parts."""
        parts: Sequence[nodes.Node | None] = ()
        match value:
            case nodes.Name(name=name):
                return name in self._texts
            case nodes.Call(node=nodes.Name(name=name)):
                return name in self._macros
            case nodes.Filter(name=name, node=filtered):
                parts = () if name in PARSERS else (filtered,)
            case nodes.Call(node=nodes.Getattr(node=text)) | nodes.Getitem(node=text):
                parts = (text,)
            case nodes.Concat(nodes=joined):
                parts = joined
            case nodes.Add(left=left, right=right):
                parts = (left, right)
            case nodes.CondExpr(expr1=one, expr2=other):
                parts = (one, other)
        return any(map(self._is_text, parts))


def sources(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the place and the source of each template of a folder."""
    for file in sorted(each for each in folder.rglob("*") if each.is_file()):
        place = str(file.relative_to(folder))
        if file.name == "questions.yml":
            yield from ((f"{place}, {name}", text) for name, text in questions(file))
        elif file.suffix in {".jinja", ".txt"}:
            yield place, file.read_text()


def questions(file: Path) -> Iterator[tuple[str, str]]:
    """Yield the templates of each question: Copier renders every text of its record."""
    for name, record in yaml.safe_load(file.read_text()).items():
        for text in record.values():
            if isinstance(text, str):
                yield name, text


def rendered(folder: Path) -> frozenset[str]:
    """Return the variables that hold what a template has written, in any template.

    An included template has the variables of the one that includes it; all have the questions, of
    which one that includes a template as text is text.
    """
    found = {name for _, source in sources(folder) for name in Template(source).rendered}
    for file in folder.glob("questions.yml"):
        for name, record in yaml.safe_load(file.read_text()).items():
            asked = record.get("type") == "str" and "{% include" in str(record.get("default"))
            if asked and "from_" not in str(record["default"]):
                found.add(name)
    return frozenset(found)


def decisions(folder: Path) -> list[str]:
    inherited = rendered(folder)
    return [
        f"{place}:{line}"
        for place, source in sources(folder)
        for line in Template(source, inherited).decisions()
    ]


def test_no_template_decides_by_rendered_text() -> None:
    assert decisions(TEMPLATES) == []


@pytest.mark.parametrize(
    "source",
    [
        "{% set text %}{% include 'a' %}{% endset %}{% if 'call(' in text %}x{% endif %}",
        "{% set text %}a{% endset %}{% if 'call(' not in text ~ 'b' %}x{% endif %}",
        "{% set text %}a{% endset %}{{ 'x' if text | regex_findall('a') }}",
        "{% set text %}a{% endset %}{% set other = text | trim %}{{ 'x' if 'a' in other }}",
        "{% set all %}a{% endset %}{% for a in all.splitlines() if a.endswith('a') %}x{% endfor %}",
        "{% macro entry() %}a{% endmacro %}{{ 'x' if 'a' in entry() }}",
        "{{ 'x' if 'call(' in proofs }}",
        "{{ 'x' if 'call(' in constructor }}",
    ],
)
def test_a_decision_by_rendered_text_is_found(source: str, tmp_path: Path) -> None:
    (tmp_path / "included.jinja").write_text(source)
    (tmp_path / "including.jinja").write_text(
        "{% set constructor %}a{% endset %}{% include 'included.jinja' %}"
    )
    (tmp_path / "questions.yml").write_text(
        """proofs: {type: str, when: false, default: "{% include 'text' %}"}\n"""
    )
    assert decisions(tmp_path) == ["included.jinja:1"]


@pytest.mark.parametrize(
    "source",
    [
        "{% set text %}{% include 'a' %}{% endset %}{{ 'x' if 'a' in text | from_yaml }}",
        "{% set text %}a{% endset %}{{ text }}{{ 'x' if text }}",
        "{% set parts = harness['log-group'] %}{{ 'x' if 'mentions' in parts }}",
        "{% set constructor = ['a'] %}{{ 'x' if 'a' in constructor }}",
    ],
)
def test_a_decision_by_data_is_none_by_text(source: str, tmp_path: Path) -> None:
    (tmp_path / "included.jinja").write_text(source)
    (tmp_path / "including.jinja").write_text("{% set constructor %}a{% endset %}")
    assert decisions(tmp_path) == []


def test_a_decision_in_a_question_is_found(tmp_path: Path) -> None:
    (tmp_path / "questions.yml").write_text(
        """proofs: {type: str, default: "{% include 'text' %}"}\n"""
        """changed: {type: bool, default: "{{ proofs | regex_findall('a') }}"}\n"""
    )
    assert decisions(tmp_path) == ["questions.yml, changed:1"]
