"""Kinesis streams, and tables whose changes functions read."""

from collections.abc import Iterator

from sls_patterns_cli.catalog.compiler.kinds import rules
from sls_patterns_cli.catalog.compiler.records import (
    CompiledNode,
    Facts,
    Metric,
    pascal,
)


def failures_rule(edge: Facts) -> str:
    """The logical id of the rule that reports the records that failed on an edge."""
    return f"{pascal(edge['from'])}To{pascal(edge['to'])}FailuresRule"


def lost(node: CompiledNode) -> Iterator[Metric]:
    """What shows that EventBridge could not report a failed record."""
    for edge in node.outgoing:
        if node.graph.node(edge["to"])["kind"] == "function":
            yield rules.not_sent(failures_rule(edge))
