"""What `list` prints of a pattern, and `new`, which is kept: to read all patterns takes longer."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from sls_patterns_cli.catalog.model import Pattern


class Listed(NamedTuple):
    """What of a pattern is listed and searched, and told of a new project."""

    slug: str
    title: str
    summary: str
    options: Sequence[Sequence[str]]
    """The topologies, runtimes, flavours and datastores that it offers."""
    caveats: Sequence[str]
    searched: str
    as_dict: dict[str, Any]
    retired: dict[str, str]
    """Why a topology is retired, by its name."""
    proven_with: dict[str, Sequence[str]]
    """With which datastores a topology has proofs, by its name."""

    def mentions(self, word: str) -> bool:
        """Whether its name, its title or what it is for has a text, in any case of letters."""
        return word.casefold() in self.searched.casefold()


def listed(pattern: "Pattern") -> Listed:
    """What is listed of a pattern."""
    return Listed(
        pattern.slug,
        pattern.title,
        pattern.summary,
        [[*each] for each in pattern.options],
        list(_caveats(pattern)),
        pattern.searched,
        pattern.as_dict(),
        {each.name: each.retired for each in pattern.topologies if each.retired},
        {each.name: [*each.proven_with] for each in pattern.topologies},
    )


def _caveats(pattern: "Pattern") -> Iterator[str]:
    """What of a pattern is retired or experimental, a sentence or two each."""
    for topology in pattern.topologies:
        if topology.retired:
            yield f"{topology.name} is retired. {topology.retired}"
    for name, text in pattern.experimental.items():
        yield f"{name} is experimental. {text}"
