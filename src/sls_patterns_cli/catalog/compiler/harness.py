"""What a project has of the modules that proofs of several patterns share, `templates/proofs/`."""

from sls_patterns_cli.catalog.kinds import Datastore, Vocabulary
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
    waiting = [topology.harness]
    while waiting:
        for name, parts in waiting.pop().items():
            new = {*parts} - found.get(name, set())
            found.setdefault(name, set()).update(parts)
            waiting.extend(modules[name].parts[part] for part in new)
    return {
        name: [part for part in module.parts if part in found[name]]
        for name, module in modules.items()
        if name in found
    }
