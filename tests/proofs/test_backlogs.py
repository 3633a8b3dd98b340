"""What waits in a FIFO queue is done in order, whatever happens to the functions meanwhile."""

from pathlib import Path

import pytest
from backlogs import ENTRIES, Backlog, drained

TOPOLOGIES = ["native", "scheduled"]
RUNTIMES = ["python", "typescript"]


def assert_conserved(backlog: Backlog) -> None:
    assert backlog.lost == set(), backlog
    assert backlog.dead == backlog.poison, backlog
    assert backlog.posted == {account: ids for account, ids in backlog.sent.items() if ids}
    for account, positions in backlog.positions.items():
        assert positions == list(range(1, len(positions) + 1)), account
    assert backlog.kills > 0


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_nothing_of_a_backlog_is_lost_done_twice_or_out_of_order(
    topology: str, tmp_path: Path
) -> None:
    assert_conserved(drained(tmp_path / "project", 200, topology=topology, runtime="python"))


@pytest.mark.exhaustive
@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_a_backlog_of_thousands_is_drained(topology: str, runtime: str, tmp_path: Path) -> None:
    assert_conserved(drained(tmp_path / "project", ENTRIES, topology=topology, runtime=runtime))


@pytest.mark.exhaustive
def test_a_queue_without_a_dead_letter_queue_loses_what_it_should_keep(tmp_path: Path) -> None:
    def without_dead_letters(project: Path) -> None:
        template = project / "template.yaml"
        kept, _, rest = template.read_text().partition("      RedrivePolicy:\n")
        template.write_text(kept + "".join(rest.splitlines(keepends=True)[2:]))

    backlog = drained(
        tmp_path / "project",
        200,
        change=without_dead_letters,
        patience_seconds=30,
        topology="native",
        runtime="python",
    )

    assert backlog.lost >= backlog.poison != set()
