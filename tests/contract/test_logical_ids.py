"""No change gives another logical id to what a deployed stack cannot lose (fact A10)."""

from pathlib import Path

import pytest
from golden import GOLDEN, LOGICAL_IDS
from logical_ids import ids_file, logical_ids
from synthesis import with_templates_of

from sls_patterns_cli import catalog

PATTERNS = sorted(pattern.slug for pattern in catalog.patterns())


@pytest.mark.parametrize(
    "pattern", [pytest.param(slug, marks=with_templates_of(slug)) for slug in PATTERNS]
)
def test_what_a_deployed_stack_cannot_lose_keeps_its_logical_id(
    pattern: str, tmp_path: Path
) -> None:
    reviewed = ids_file(pattern).read_text()

    assert logical_ids(catalog.pattern(pattern), tmp_path) == reviewed, "run `make golden`"


def test_no_list_of_logical_ids_is_of_a_pattern_that_is_gone() -> None:
    assert sorted(file.parent.name for file in GOLDEN.glob(f"*/{LOGICAL_IDS}")) == PATTERNS
