"""What a project has of the modules that the proofs of all patterns share, `templates/proofs/`."""

from collections.abc import Iterator

from sls_patterns_cli.catalog.kinds import Datastore, HarnessModule, Uses, Vocabulary
from sls_patterns_cli.catalog.model import Topology


def harness(
    topology: Topology, datastore: Datastore, vocabulary: Vocabulary
) -> dict[str, list[str]]:
    """The parts of each module that the topology's proofs call, or that these need.

    What the local stack cannot run has no proofs, since nobody has seen them pass.
    """
    if not datastore.local:
        return {}
    modules = vocabulary.harness
    found: dict[str, set[str]] = {}
    waiting = [called(topology, vocabulary), datastore.harness]
    while waiting:
        for name, parts in waiting.pop().items():
            new = {*parts} - found.get(name, set())
            if name not in found or new:
                found.setdefault(name, set()).update(parts)
                waiting.extend(_needs(modules[name], new))
    return {
        name: [part for part in module.parts if part in found[name]]
        for name, module in modules.items()
        if name in found
    }


def called(topology: Topology, vocabulary: Vocabulary) -> Uses:
    """The parts of each module that the topology's own proofs call.

    In a topology without consumers of its own, poison is that of other stacks.
    """
    poison = {each.attributes["poison"] for each in topology.edges if "poison" in each.attributes}

    def is_called(module: str, part: str) -> bool:
        of = vocabulary.harness[module].poison.get(part)
        return of is None or not poison or of in poison

    return {
        module: tuple(part for part in parts if is_called(module, part))
        for module, parts in topology.harness.items()
    }


def _needs(module: HarnessModule, parts: set[str]) -> Iterator[Uses]:
    yield module.needs
    for part in parts:
        yield module.parts[part]
