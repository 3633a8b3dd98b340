"""Words put together as a sentence has them."""

from collections.abc import Iterable


def listed(names: Iterable[str]) -> str:
    """The names, each once, as a sentence lists them."""
    *first, last = dict.fromkeys(names) or [""]
    return f"{', '.join(first)} and {last}" if first else last
