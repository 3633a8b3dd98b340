"""No pattern loses an event: each mechanism that they have is proven once, all by all tests."""

from pathlib import Path

import pytest
from command import Cli
from proving_stacks import Row, proven
from rendering import render_project

from sls_patterns_cli import catalog

FEW = {
    ("scalable-webhook", "function"),
    ("notifier", "sns"),
    ("router", "event-rules"),
    ("fifoer", "scheduled"),
    ("streamer", "kinesis"),
    ("state-machine", "standard"),
    ("eventually-consistent", "outbox"),
}
"""Queues; topics; rules and invocations; schedules; streams and Firehose; executions; changes."""

TOPOLOGIES = [
    pytest.param(
        pattern.slug,
        topology.name,
        id=f"{pattern.slug}/{topology.name}",
        marks=() if (pattern.slug, topology.name) in FEW else pytest.mark.exhaustive,
    )
    for pattern in catalog.patterns()
    for topology in pattern.topologies
]


def is_kept(row: Row) -> bool:
    """Tell whether what has failed ends, is told of and comes back."""
    if row["mechanism"] == "logs":  # CloudWatch Logs keeps nothing, whatever is configured
        return bool(row["verdict"] == "not-emulated")
    return row["verdict"] == "ended" and row["alarmed"] is True and stays_or_comes_back(row)


def stays_or_comes_back(row: Row) -> bool:
    """Tell whether it comes back, or is itself what somebody brings back.

    A rule that tells of objects or executions has nothing to bring back. Where a stream has other
    readers, these would have records again, so `letters` keeps what Firehose could not transform.
    """
    only_tells = row["mechanism"] == "eventbridge" and row["target"].endswith("DeadLetterQueue")
    return row["back"] is not None or only_tells or row["mechanism"] == "firehose"


@pytest.mark.parametrize(("pattern", "topology"), TOPOLOGIES)
def test_what_fails_in_a_pattern_ends_is_told_of_and_comes_back(
    pattern: str, topology: str, cli: Cli, tmp_path: Path
) -> None:
    datastore = catalog.pattern(pattern).topology(topology).datastores[0]
    project = render_project(
        tmp_path / "project",
        pattern=pattern,
        topology=topology,
        runtime="python",
        iac="sam",
        datastore=datastore,
    )

    rows = proven(cli, project / "template.yaml")

    assert [row for row in rows if not is_kept(row)] == []
