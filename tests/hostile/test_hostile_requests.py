"""No request makes an API answer with much, hold much memory, or fail its function."""

from pathlib import Path

import pytest
from variants import Variant, parameters

from hostile import api_variants, drive

VARIANTS = api_variants()
# The first in each runtime stands for the others; `make test-all` drives each.
FIRST = {each.runtime: each for each in reversed(VARIANTS)}.values()

MAX_ANSWER_BYTES = 4_096
# Three times the largest body: it is decoded once at most, and never parsed.
MAX_ALLOCATED_BYTES = 4_000_000
# Their handlers do not bound a body yet.
NOT_YET = {"robust-api", "read-heavy-reporting-engine"}


@pytest.mark.parametrize("variant", parameters(VARIANTS, FIRST))
def test_hostile_requests_get_small_refusals(variant: Variant, tmp_path: Path) -> None:
    if variant.pattern in NOT_YET:
        pytest.skip(f"{variant.pattern} does not bound a body yet")

    found = [
        str(answer)
        for _, answers in drive([variant], tmp_path)
        for answer in answers
        if answer.status >= 500
        or answer.size >= MAX_ANSWER_BYTES
        or answer.allocated >= MAX_ALLOCATED_BYTES
        or answer.personal
    ]

    assert found == []


def test_every_api_with_functions_is_driven() -> None:
    patterns = {each.pattern for each in VARIANTS}

    assert patterns >= NOT_YET
    assert len(patterns) >= 10
