"""`make check` runs the tests that a change concerns, and each test is of the pattern it names."""

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from changes import ROOT, Changes, patterns_to_render
from proofs.test_mutants import mutants_of
from selection import READS, of_what_changed, pattern_of, proofs_among_others
from variants import all_variants

from sls_patterns_cli import catalog

VARIANT = next(each for each in all_variants() if each.pattern == "scalable-webhook")


def item(file: str, name: str, **parameters: object) -> pytest.Item:
    call = SimpleNamespace(params=parameters)
    path = ROOT / "tests" / file
    return cast("pytest.Item", Fake(path=path, originalname=name, name=name, callspec=call))


class Fake(SimpleNamespace):
    __hash__ = object.__hash__  # type: ignore[assignment]


OF_TWO_PATTERNS = [
    variant
    for variant in all_variants()
    if variant.pattern in {"scalable-webhook", "fifoer"} and variant.iac == "sam"
]
STYLE = "test_style_of_python_has_nothing_to_say"
UNIT = "test_the_unit_tests_pass_without_aws"
ITEMS = [
    *(
        item("static/test_golden.py", "golden", pattern=each)
        for each in ("scalable-webhook", "fifoer")
    ),
    *(
        item("static/test_project.py", STYLE, pattern=each)
        for each in ("scalable-webhook", "fifoer")
    ),
    *(item("static/test_project.py", UNIT, variant=each) for each in OF_TWO_PATTERNS),
    *(item("contract/test_contract.py", "contract", variant=each) for each in OF_TWO_PATTERNS),
    *(item("docs/test_generated_readme.py", "readme", variant=each) for each in OF_TWO_PATTERNS),
    *(item("proofs/test_proofs.py", "proofs", variant=each) for each in OF_TWO_PATTERNS),
    item("local/emulator/adapters/sqs/test_queues.py", "queues"),
    item("cli/test_new.py", "new", pattern="fifoer"),
    item("docs/test_docs.py", "docs"),
]


def chosen(rendered: dict[str, dict[str, str]], *files: str) -> Counter[str]:
    wanted = of_what_changed(ITEMS, Changes(list(files), rendered))
    return Counter(each.name for each in wanted)


def with_content(path: str, *slugs: str, runtime: str = "python") -> dict[str, dict[str, str]]:
    """Return the same new content of a file in each variant of these patterns and this runtime."""
    return {
        str(each): {path: "new"}
        for each in OF_TWO_PATTERNS
        if each.pattern in slugs and each.runtime == runtime
    }


def test_a_new_content_is_read_once_by_each_test_that_reads_such_files() -> None:
    handler = with_content("src/webhooks/handlers/receive.py", "scalable-webhook")

    assert len(handler) > 1
    assert chosen(handler) == {"golden": 1, STYLE: 1, UNIT: 1, "proofs": 1}
    template = {"golden": 1, "contract": 1, "readme": 1, "proofs": 1}
    assert chosen(with_content("template.yaml", "fifoer")) == template
    assert chosen(with_content("README.md", "fifoer")) == {"golden": 1, "readme": 1}


def test_contents_that_differ_are_each_read() -> None:
    first, second, *_ = (str(each) for each in OF_TWO_PATTERNS if each.pattern == "fifoer")
    of_two = {first: {"template.yaml": "one"}, second: {"template.yaml": "other"}}

    assert chosen(of_two)["contract"] == 2


def test_what_patterns_share_is_proven_by_make_test() -> None:
    shared = with_content("src/service/adapters/clock.py", "scalable-webhook", "fifoer")

    assert chosen(shared) == {"golden": 1, STYLE: 1, UNIT: 1}


@pytest.mark.parametrize(
    ("file", "tests"),
    [
        ("src/sls_patterns_cli/local/emulator/adapters/sqs/queue_waits.py", {"queues"}),
        ("tests/local/emulator/adapters/sqs/test_queues.py", {"queues"}),
        ("docs/check.md", {"docs"}),
        ("templates/patterns/fifoer/mutants.yml", set()),
    ],
)
def test_what_is_not_rendered_concerns_what_imports_it_or_is_named_like_it(
    file: str, tests: set[str]
) -> None:
    assert set(chosen({}, file)) == tests


@pytest.mark.parametrize(
    ("file", "patterns"),
    [
        ("templates/patterns/fifoer/pattern.yml", {"fifoer"}),
        ("templates/graph.yml", set(catalog.slugs())),
        ("copier.yml", set(catalog.slugs())),
        ("src/sls_patterns_cli/catalog/compiler/grants.py", set(catalog.slugs())),
        ("src/sls_patterns_cli/rendering/answers.py", set(catalog.slugs())),
        ("src/sls_patterns_cli/letters/redriving.py", set()),
        ("docs/check.md", set()),
    ],
)
def test_only_patterns_that_may_render_otherwise_are_rendered(
    file: str, patterns: set[str]
) -> None:
    assert patterns_to_render([file]) == patterns


def test_whatever_reads_projects_is_named() -> None:
    """A file of tests that is gone reads nothing any more."""
    for place in READS:
        file = ROOT / "tests" / place.partition("::")[0]
        assert file.exists(), place
        if "::" in place:
            assert f"def {place.partition('::')[2]}(" in file.read_text(), place


@pytest.mark.parametrize(
    ("parameters", "pattern"),
    [
        ({}, None),
        ({"runtime": "python", "version": "3.12"}, None),
        ({"pattern": "scalable-webhook", "runtime": "python"}, "scalable-webhook"),
        ({"variant": VARIANT}, "scalable-webhook"),
        ({"mutant": next(mutants_of(VARIANT))}, "scalable-webhook"),
    ],
)
def test_the_parameters_of_a_test_say_of_which_pattern_it_is(
    parameters: dict[str, Any], pattern: str | None
) -> None:
    item = SimpleNamespace(callspec=SimpleNamespace(params=parameters))

    assert pattern_of(cast("pytest.Item", item)) == pattern


def test_proofs_run_beside_tests_that_work_and_every_test_runs_once() -> None:
    names = (
        *("cli/test_new.py", "contract/test_contract.py", "proofs/test_proofs.py"),
        *("proofs/test_mutants.py", "static/test_project.py", "static/test_golden.py"),
        *("proofs/test_conservation.py", "proofs/test_conservation.py", "update/test_update.py"),
    )
    waiting = {
        "proofs/test_proofs.py": "test_every_declared_proof_passes",
        "proofs/test_mutants.py": "test_the_proof_notices",
    }
    items = [
        cast("pytest.Item", SimpleNamespace(path=Path(name), originalname=waiting.get(name)))
        for name in names
    ]

    ordered = proofs_among_others([*items])

    assert [f"{item.path}" for item in ordered] == [
        *("proofs/test_proofs.py", "proofs/test_conservation.py", "static/test_project.py"),
        *("static/test_golden.py", "proofs/test_mutants.py", "proofs/test_conservation.py"),
        "contract/test_contract.py",
        *("update/test_update.py", "cli/test_new.py"),
    ]
    assert sorted(map(id, ordered)) == sorted(map(id, items))
