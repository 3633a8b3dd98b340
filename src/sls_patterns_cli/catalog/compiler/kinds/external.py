"""Systems outside the stack: a circuit may guard their calls, or a function take over from them."""

from collections.abc import Iterator

from sls_patterns_cli.catalog.compiler.kinds.function import reported
from sls_patterns_cli.catalog.compiler.records import (
    PAGE,
    TICKET,
    Alarm,
    CompiledNode,
)


def alarms(node: CompiledNode) -> Iterator[Alarm]:
    """The alarms of what the functions report that call a system (fact F4)."""
    for edge in node.incoming:
        caller = node.graph.node(edge["from"])
        if edge.get("by") == "shadow":
            yield from _shadow(node, caller)
        if not edge.get("circuit"):
            continue
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


def _shadow(node: CompiledNode, caller: CompiledNode) -> Iterator[Alarm]:
    """The alarms of reads that a function compares with what the system answers."""
    yield Alarm(
        f"{node['id']}ShadowDifferenceAlarm",
        TICKET,
        f"Answers of {node['name']} and of {caller['name']} differ",
        "find the fields of 'shadow difference' in the function's log; move no more callers before",
        "callers got the answer of the system that is replaced; each difference counts",
        {"differences": reported(caller, "ShadowDifference")},
        period=300,
    )
    yield Alarm(
        f"{node['id']}ShadowFailureAlarm",
        TICKET,
        f"Answers of {node['name']} cannot be compared",
        "find 'shadow failed' in the function's log: its datastore is slow, or refuses calls",
        "callers are served all the same; 3 of 3 minutes",
        {"failures": reported(caller, "ShadowFailure")},
        periods=3,
    )
