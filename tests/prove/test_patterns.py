"""Events that are made for a pattern have what it asks for."""

from typing import Any

import pytest

from sls_patterns_cli.prove.patterns import ANY, matching


@pytest.mark.parametrize(
    ("pattern", "event"),
    [
        ({"source": ["shop", "web"]}, {"source": "shop"}),
        ({"detail": {"state": [{"anything-but": ["test"]}]}}, {"detail": {"state": ANY}}),
        ({"total": [{"numeric": [">", 100]}]}, {"total": 101.0}),
        ({"total": [{"numeric": [">=", 0, "<", 10]}]}, {"total": 5.0}),
        ({"total": [{"numeric": ["=", 7]}]}, {"total": 7.0}),
        ({"key": [{"prefix": "in/"}]}, {"key": f"in/{ANY}"}),
        ({"key": [{"prefix": {"equals-ignore-case": "IN/"}}]}, {"key": f"IN/{ANY}"}),
        ({"key": [{"suffix": ".png"}]}, {"key": f"{ANY}.png"}),
        ({"key": [{"wildcard": "a/*/b"}]}, {"key": f"a/{ANY}/b"}),
        ({"error": [{"exists": False}], "id": [{"exists": True}]}, {"id": ANY}),
        ({"address": [{"cidr": "10.0.0.0/24"}]}, {"address": "10.0.0.0"}),
        ({"$or": [{"a": [1]}, {"b": [2]}]}, {"a": 1}),
        ({"count": [{"anything-but": [3, 9]}]}, {"count": 10}),
        ({"flag": [None]}, {"flag": None}),
    ],
)
def test_the_first_alternative_of_each_field_makes_the_event(
    pattern: dict[str, Any], event: dict[str, Any]
) -> None:
    assert matching(pattern) == event
