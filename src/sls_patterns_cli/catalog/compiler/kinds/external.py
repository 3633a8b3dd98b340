"""Systems outside the stack: a circuit may guard their calls, or a function take over from them."""

from collections.abc import Iterator

from sls_patterns_cli.catalog.compiler.kinds.function import reported
from sls_patterns_cli.catalog.compiler.records import TICKET, Alarm, CompiledNode, Metric


def alarms(node: CompiledNode) -> Iterator[Alarm]:
    """The alarms of what the functions report that call a system (fact F4)."""
    for edge in node.incoming:
        caller = node.graph.node(edge["from"])
        if edge.get("by") == "shadow":
            yield from _shadow(node, caller)
        if not edge.get("circuit"):
            continue
        yield Alarm(
            f"{node['id']}CircuitUnguardedAlarm",
            TICKET,
            f"The state of the circuit of {node['name']} cannot be read or written",
            "check the datastore of the circuit: calls go through unguarded",
            "callers are still served; 3 of 3 minutes",
            {"unguarded": reported(caller, "CircuitStateUnavailable", circuit=node["name"])},
            periods=3,
        )


def open_circuits(node: CompiledNode) -> Iterator[tuple[Alarm, Metric, CompiledNode]]:
    """The alarm on a circuit that stays open, without its metrics.

    With it come the calls that it refuses, and the function, whose callers tell of an outage.
    """
    for edge in node.incoming:
        if not edge.get("circuit"):
            continue
        caller = node.graph.node(edge["from"])
        alarm = Alarm(
            f"{node['id']}CircuitOpenAlarm",
            TICKET,
            f"The circuit of {node['name']} stays open",
            f"ask those who run {node['name']}; the circuit closes once a probe succeeds",
            "10 minutes in none of which it was closed, since it opens for moments in normal "
            "operation; while callers get an error, another alarm tells; it stays open while "
            "nobody calls",
            metrics={},
            periods=10,
            missing="ignore",
        )
        yield alarm, reported(caller, "CircuitOpen", "Minimum", circuit=node["name"]), caller


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
