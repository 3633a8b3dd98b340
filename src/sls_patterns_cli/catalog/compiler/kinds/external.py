"""Systems outside the stack, whose calls a circuit may guard."""

from collections.abc import Iterator

from sls_patterns_cli.catalog.compiler.kinds.function import reported
from sls_patterns_cli.catalog.compiler.records import (
    PAGE,
    TICKET,
    Alarm,
    CompiledNode,
)


def alarms(node: CompiledNode) -> Iterator[Alarm]:
    """The alarms of a circuit, by the function that reports it (fact F4)."""
    for edge in node.incoming:
        if not edge.get("circuit"):
            continue
        caller = node.graph.node(edge["from"])
        yield Alarm(
            f"{node['id']}CircuitOpenAlarm",
            PAGE,
            f"The circuit of {node['name']} stays open",
            f"ask those who run {node['name']}; the circuit closes once a probe succeeds",
            "10 minutes, since a circuit opens for a moment in normal operation; it stays open "
            "while nobody calls",
            {"open": reported(caller, "CircuitOpen", "Maximum", circuit=node["name"])},
            period=300,
            periods=2,
            missing="ignore",
        )
        yield Alarm(
            f"{node['id']}CircuitUnguardedAlarm",
            TICKET,
            f"The state of the circuit of {node['name']} cannot be read or written",
            "check the datastore of the circuit: calls go through unguarded",
            "callers are still served; 3 of 3 minutes",
            {"unguarded": reported(caller, "CircuitStateUnavailable", circuit=node["name"])},
            periods=3,
        )
