"""Names of tests are short: each worker sends those of all tests."""

import pytest


@pytest.mark.parametrize("text", ["a" * 1_000_000, b"\xff" * 1_000_000])
def test_a_long_text_is_named_by_its_start(
    text: str | bytes, request: pytest.FixtureRequest
) -> None:
    assert len(text) > len(request.node.name)
    assert len(request.node.name) < 300


def test_no_name_is_as_long_as_what_it_tests(request: pytest.FixtureRequest) -> None:
    longest = max(request.session.items, key=lambda item: len(item.name))
    assert len(longest.name) < 10_000, longest.name[:200]
