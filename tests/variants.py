"""All variants: what the patterns themselves declare, multiplied out."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from sls_patterns_cli import catalog
from sls_patterns_cli.pattern import Pattern


@dataclass(frozen=True)
class Variant:
    pattern: str
    topology: str
    runtime: str
    iac: str
    datastore: str

    def __str__(self) -> str:
        return f"{self.pattern}/{self.options}"

    @property
    def options(self) -> str:
        """The variant among those of its pattern."""
        return f"{self.topology}-{self.runtime}-{self.iac}-{self.datastore}"

    @property
    def answers(self) -> dict[str, str]:
        return {**vars(self)}


def all_variants() -> Iterator[Variant]:
    for pattern in catalog.patterns():
        yield from variants_of(pattern)


def variants_of(pattern: Pattern) -> Iterator[Variant]:
    for topology in pattern.topologies:
        for runtime, iac, datastore in product(
            pattern.runtimes, pattern.flavours, topology.datastores
        ):
            yield Variant(pattern.slug, topology.name, runtime, iac, datastore)
