"""Event buses of EventBridge."""

from collections.abc import Iterator

from sls_patterns_cli.catalog.compiler.kinds import rules
from sls_patterns_cli.catalog.compiler.records import (
    CompiledNode,
    Facts,
    Grant,
    Output,
    Reference,
    output,
)


def outputs(node: CompiledNode) -> Iterator[Output]:
    """The name of a bus, the parameter that holds it, and what could not be delivered."""
    bus, parameter = node["id"], f"{node['id']}Parameter"
    yield output(bus, "Name", f"The event bus of {node['does']}", "event_bus_name")
    yield output(
        parameter, "Name", "The parameter that holds its name", "parameter_name", where_read=True
    )
    yield from rules.undelivered(node)


def called(_: Facts, source: CompiledNode, target: CompiledNode) -> Iterator[Grant]:
    """The permission to put events on a bus."""
    yield Grant(source["id"], ("events:PutEvents",), Reference(target["id"], "event_bus_arn"))
