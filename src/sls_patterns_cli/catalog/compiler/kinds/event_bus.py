"""Event buses of EventBridge."""

from collections.abc import Iterator

from sls_patterns_cli.catalog.compiler.kinds import rules
from sls_patterns_cli.catalog.compiler.records import (
    CompiledNode,
    Output,
    output,
)


def outputs(node: CompiledNode) -> Iterator[Output]:
    """The name of a bus, the parameter that holds it, and what could not be delivered."""
    bus, parameter = node["id"], f"{node['id']}Parameter"
    yield output(bus, "Name", f"The event bus of {node['does']}", "event_bus_name")
    yield output(parameter, "Name", "The parameter that holds its name", "parameter_name")
    yield from rules.undelivered(node)
