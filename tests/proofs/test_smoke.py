"""CI trusts the smoke test after a deployment: it fails if any synchronous edge is broken."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from environments import link_environment, link_requirements
from rendering import render_project
from variants import Variant, proven_variants

SYNCHRONOUS_EDGES = Path(__file__).with_name("synchronous_edges.py")
# Without these the service still does what it promises, and says so in a metric or its response.
# Or a smoke test cannot cross them without harm, or only after minutes.
SURVIVED: dict[tuple[str, str], str] = {
    ("eventually-consistent", "publish-order-events"): "all subscribers would get the event",
    ("eventually-consistent", "replay-orders"): "only operators start a replay",
    ("fan-out-fan-in", "sweep-jobs"): "the sweeper acts only after a job's deadline",
    **{
        (
            f"read-heavy-reporting-engine/{topology}",
            "record-reports",
        ): "a sale counts, and its report is stale"
        for topology in ("invalidate-on-write", "shared-database")
    },
    **{
        (
            "read-heavy-reporting-engine/shared-database",
            f"invalidate-{of}",
        ): "other services send the changes"
        for of in ("reports", "sales")
    },
    ("strangler/gradual", "orders-records"): "a path that has not moved has no records here",
    ("scalable-webhook", "process-refused"): "a wrong signature would be left for an operator",
    **{
        ("state-machine", edge): "only an order that fails is compensated"
        for step in ("cancel", "refund", "release")
        for edge in (f"order-{step}", f"{step}-effects")
    },
}


def one_of_each_topology() -> list[object]:
    """Return a variant for each topology; the strangler, which has an edge to another system and
    one to its own function, stands for the others."""
    topologies = {
        (each.pattern, each.topology): each
        for each in reversed(list(proven_variants()))
        if (each.runtime, each.iac) == ("python", "sam")
    }
    return [
        pytest.param(
            each,
            id=str(each),
            marks=()
            if (each.pattern, each.topology) == ("strangler", "rest-api")
            else pytest.mark.exhaustive,
        )
        for each in topologies.values()
    ]


@pytest.mark.parametrize("variant", one_of_each_topology())
def test_a_smoke_test_fails_if_a_synchronous_edge_is_broken(
    variant: Variant, tmp_path: Path
) -> None:
    project = render_project(tmp_path / "project", **variant.answers)
    (project / ".sls-patterns").mkdir()
    link_environment(project)
    link_requirements(project)

    ran = subprocess.run(
        [sys.executable, SYNCHRONOUS_EDGES, project], capture_output=True, text=True, check=False
    )

    assert ran.returncode == 0, ran.stderr
    passed: dict[str, bool] = json.loads(ran.stdout.splitlines()[-1])
    assert passed.pop("whole"), ran.stdout
    places = {variant.pattern, f"{variant.pattern}/{variant.topology}"}
    survived = {edge for place, edge in SURVIVED if place in places}
    assert {edge for edge, green in passed.items() if green} == survived & passed.keys()
    assert passed
