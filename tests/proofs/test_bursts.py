"""More at the same time than this machine has environments for, and all of it ends right."""

import re
from collections import Counter
from pathlib import Path

import pytest
from bursts import orders, webhooks
from proofs.proving import prove
from rendering import render_project
from variants import Variant, parameters, proven_variants

pytestmark = pytest.mark.proves("scalable-webhook", "state-machine")

RUNTIMES = ["python", "typescript"]


@pytest.mark.parametrize("runtime", parameters(RUNTIMES, ["python"]))
def test_orders_that_come_at_once_are_all_fulfilled(runtime: str, tmp_path: Path) -> None:
    burst = orders(tmp_path / "project", 60, runtime)

    assert burst.answers == {202: 60}
    assert burst.ends == Counter(SUCCEEDED=60), burst


@pytest.mark.exhaustive  # the proofs `stored-once` send fewer
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_webhooks_that_come_at_once_are_all_stored(runtime: str, tmp_path: Path) -> None:
    burst = webhooks(tmp_path / "project", 200, runtime)

    assert burst.answers == {202: 200}
    assert burst.ends == Counter(stored=200), burst


LARGER = {"60": "200", "80": "250"}
OF_WEBHOOKS = [
    each for each in proven_variants() if (each.pattern, each.iac) == ("scalable-webhook", "sam")
]


@pytest.mark.exhaustive
@pytest.mark.parametrize("variant", OF_WEBHOOKS, ids=str)
def test_proofs_of_bursts_pass_with_larger_ones(variant: Variant, tmp_path: Path) -> None:
    project = render_project(tmp_path / "project", **variant.answers)
    (file,) = (each for each in project.glob("tests/e2e/*proofs.*") if "BURST" in each.read_text())
    sizes = re.compile(rf"(?<=[=[, ])({'|'.join(LARGER)})(?=[,\];\n])")
    larger, places = sizes.subn(lambda found: LARGER[found[0]], file.read_text())
    assert places == len(LARGER)
    file.write_text(larger)

    run = prove(project, "stored-once", "bounded-concurrency")

    assert run.passed == {"stored-once", "bounded-concurrency"}, run.printed
    assert run.exit_code == 0
