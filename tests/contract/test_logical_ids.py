"""No change gives another logical id to what a deployed stack cannot lose (fact A10)."""

from pathlib import Path

import pytest
from golden import GOLDEN, LOGICAL_IDS, VARIANTS
from logical_ids import ids_file, logical_ids, write
from synthesis import with_templates_of

from sls_patterns_cli import catalog
from sls_patterns_cli.catalog.model import Pattern

PATTERNS = sorted(pattern.slug for pattern in catalog.patterns())


@pytest.mark.parametrize(
    "pattern", [pytest.param(slug, marks=with_templates_of(slug)) for slug in PATTERNS]
)
def test_what_a_deployed_stack_cannot_lose_keeps_its_logical_id(
    pattern: str, tmp_path: Path
) -> None:
    reviewed = ids_file(pattern).read_text()

    assert logical_ids(catalog.pattern(pattern), tmp_path) == reviewed, "run `make golden`"


def written(folder: Path, monkeypatch: pytest.MonkeyPatch, ids: str) -> int:
    """Write the ids of patterns that have these, and return of how many they were computed."""
    computed = []

    def computing(pattern: Pattern, _: Path) -> str:
        computed.append(pattern)
        return ids

    monkeypatch.setattr("logical_ids.golden_folder", lambda pattern: folder / pattern)
    monkeypatch.setattr("logical_ids.logical_ids", computing)
    write()
    return len(computed)


def test_ids_are_computed_anew_where_anything_that_decides_them_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SLS_NO_CACHE", raising=False)
    monkeypatch.setattr("kept.FILE", tmp_path / "kept.sqlite3")
    monkeypatch.setattr("writing.MADE", tmp_path / "made")
    code = tmp_path / "stack.py"
    code.write_text("one")
    monkeypatch.setattr("logical_ids.DECIDE", (code,))
    for pattern in PATTERNS:
        (tmp_path / pattern).mkdir()
        (tmp_path / pattern / VARIANTS).write_text("a 0\n")

    # What differs is written, and looked at once more.
    assert written(tmp_path, monkeypatch, "one\n") == len(PATTERNS)
    assert written(tmp_path, monkeypatch, "one\n") == len(PATTERNS)
    assert written(tmp_path, monkeypatch, "two\n") == 0
    assert (tmp_path / "router" / LOGICAL_IDS).read_text() == "one\n"

    (tmp_path / "router" / VARIANTS).write_text("a 1\n")
    assert written(tmp_path, monkeypatch, "one\n") == 1
    (tmp_path / "notifier" / LOGICAL_IDS).write_text("edited\n")
    assert written(tmp_path, monkeypatch, "one\n") == 1
    assert (tmp_path / "notifier" / LOGICAL_IDS).read_text() == "one\n"
    code.write_text("two")
    assert written(tmp_path, monkeypatch, "one\n") == len(PATTERNS)


def test_no_list_of_logical_ids_is_of_a_pattern_that_is_gone() -> None:
    assert sorted(file.parent.name for file in GOLDEN.glob(f"*/{LOGICAL_IDS}")) == PATTERNS
