"""No pattern loses an event: `make test-all` shows it for all variants and faults."""

import re
from pathlib import Path

import pytest
from command import Cli
from proving_stacks import Row, proven
from rendering import render_project
from synthesis import template_file
from variants import Variant, all_variants, topology_of

from sls_patterns_cli.prove.verdict import FAULTS

FEW = [
    Variant("scalable-webhook", "function", "python", "sam", "dynamodb"),
    Variant("notifier", "sns", "python", "sam", "dynamodb"),
    Variant("router", "event-rules", "python", "sam", "dynamodb"),
    Variant("fifoer", "scheduled", "python", "sam", "dynamodb"),
    Variant("streamer", "kinesis", "python", "sam", "s3"),
    Variant("state-machine", "standard", "python", "sam", "dynamodb"),
    Variant("eventually-consistent", "outbox", "python", "sam", "none"),
]
"""Queues; topics; rules and invocations; schedules; streams and Firehose; executions; changes."""

DEAD_LETTERS = re.compile(r"DeadLetterQueue([0-9A-F]{8})?$")
"""The logical id of a dead-letter queue, to which CDK adds a hash."""


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
    only_tells = row["mechanism"] == "eventbridge" and DEAD_LETTERS.search(row["target"])
    return bool(row["back"] is not None or only_tells or row["mechanism"] == "firehose")


@pytest.mark.parametrize("variant", FEW, ids=str)
def test_what_fails_in_a_pattern_ends_is_told_of_and_comes_back(
    variant: Variant, cli: Cli, tmp_path: Path
) -> None:
    assert not_kept(cli, variant, tmp_path) == []


@pytest.mark.exhaustive
@pytest.mark.parametrize("variant", all_variants(), ids=str)
def test_whatever_fails_in_any_variant_ends_is_told_of_and_comes_back(
    variant: Variant, cli: Cli, tmp_path: Path
) -> None:
    faults = (f"--fault={fault}" for fault in FAULTS)

    assert not_kept(cli, variant, tmp_path, *faults) == []


def not_kept(cli: Cli, variant: Variant, folder: Path, *options: str) -> list[Row]:
    project = render_project(folder / "project", **variant.answers)
    rows = proven(cli, template_file(project), *options)
    assert rows or not has_ends(variant)
    # The emulator's Firehose delivers to buckets alone.
    loads = variant.datastore in {"iceberg", "redshift-serverless"}
    unknown = [row for row in rows if loads and row["mechanism"] == "firehose"]
    assert {row["verdict"] for row in unknown} <= {"not-emulated"}
    return [row for row in rows if row not in unknown and not is_kept(row)]


def has_ends(variant: Variant) -> bool:
    """Tell whether it has an asynchronous edge with an end: `prove` breaks no other one.

    What others invoke is none of its own. An express machine that somebody waits for keeps what it
    leaves half done itself, which the proofs of its pattern show.
    """
    topology = topology_of(variant)
    outside = {node.name for node in topology.nodes if not node.facts.deployed}
    edges = (
        each for each in topology.edges if each.source not in outside and each.kind.call != "sync"
    )
    return any(failure.end for edge in edges for failure in edge.failures)
