"""No request makes an API answer with much, hold much memory, or fail its function."""

from pathlib import Path

import pytest
from variants import Variant, parameters

from hostile import api_variants, drive

VARIANTS = api_variants()
# The first in each runtime stands for the others; `make test-all` drives each.
FIRST = {each.runtime: each for each in reversed(VARIANTS)}.values()


@pytest.mark.parametrize("variant", parameters(VARIANTS, FIRST))
def test_hostile_requests_get_small_refusals(variant: Variant, tmp_path: Path) -> None:
    found = [
        str(answer)
        for _, answers in drive([variant], tmp_path)
        for answer in answers
        if answer.is_harmful
    ]

    assert found == []


def test_every_api_with_functions_is_driven() -> None:
    assert len({each.pattern for each in VARIANTS}) >= 10
