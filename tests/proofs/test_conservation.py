"""Nothing of what a service was sent is lost, done twice or given up, whatever happens to it."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle, product
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet
from conservation import FULL_SIZE, conserve
from conservation.outlasting import SEEDED, Trial, outlast, trials
from conservation.patterns import DEFECTS, SERVICES, Service
from conservation.schedule import schedule
from proofs.test_mutants import first_of_each_wiring
from variants import few_of, parameters

from sls_patterns_cli import catalog

RUNTIMES = ["python", "typescript"]

BACKLOG = 100
"""So many take about 10 s where they are sent as fast as the queue takes them."""

MESSAGES = {"E1", "E2", "E3", "E4", "E5", "E8"}
"""The failures of edges that carry messages, to queues, functions, subscribers, readers
and deliveries."""

OFTEN = {
    Trial.OUTAGE: ("fifoer/native-dynamodb", "python"),
    Trial.LONGER: ("frugal-consumer/standard-dynamodb", "typescript"),
    Trial.LATE: ("scalable-webhook/function-dynamodb", "python"),
}
"""For each trial the service and runtime that `make test` has; the others are `exhaustive`."""

WITHOUT_CALLS = {("streamer", "kinesis")}
"""What consumes a queue or stream and calls nothing: it counts, in lines of its log."""

NOT_YET = {
    "fan-out-fan-in/workers",  # one message is a job of many parts, each with its own result
    "fan-out-fan-in/distributed-map",
    "robust-api",  # two functions write one item, one after the other
    "state-machine/standard",  # an order is no message: its caller starts an execution
    "state-machine/express",
    "read-heavy-reporting-engine",  # of its messages only the last counts: they invalidate
}
"""Patterns with messages, or their topologies, that are not described yet."""


ALWAYS = ("eventually-consistent/streams-aurora-postgresql", "python")
"""The service and runtime that is killed in `make test`."""


def services() -> Iterator[ParameterSet]:
    """Each service in each runtime; `make test` runs one."""
    for service in SERVICES:
        for runtime in RUNTIMES:
            is_often = (str(service), runtime) == ALWAYS
            marks = [] if is_often else [pytest.mark.exhaustive]
            yield pytest.param(service, runtime, id=f"{service}-{runtime}", marks=marks)


def test_no_defect_of_wiring_is_noticed_only_here() -> None:
    """It is noticed by the contract or by a proof (`test_mutants`), code by unit tests
    (`test_unit_tests_notice`).
    """
    wiring = {name for name, defect in DEFECTS.items() if defect.file == "template.yaml"}

    assert wiring <= first_of_each_wiring().keys()


@pytest.mark.parametrize(("service", "runtime"), list(services()))
def test_each_message_is_done_once_or_kept(service: Service, runtime: str, tmp_path: Path) -> None:
    outcome = conserve(tmp_path / "project", service, service.messages, runtime=runtime)

    assert outcome.is_conserved, outcome
    assert outcome.strikes.kills > 0
    assert outcome.strikes.outages > 0


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("service", "runtime"),
    list(zip(SERVICES, cycle(RUNTIMES), strict=False)),  # each runtime carries half of them
    ids=str,
)
def test_each_of_thousands_is_done_once_or_kept(
    service: Service, runtime: str, tmp_path: Path
) -> None:
    outcome = conserve(tmp_path / "project", service, FULL_SIZE, runtime=runtime)

    assert outcome.is_conserved, outcome
    assert outcome.strikes.kills > 0
    assert outcome.strikes.outages > 0


IN_ORDER = [each for each in SERVICES if each.in_order]


@pytest.mark.parametrize(
    "count",
    [
        pytest.param(BACKLOG, id="backlog"),
        pytest.param(FULL_SIZE, id="large-backlog", marks=pytest.mark.exhaustive),
    ],
)
@pytest.mark.parametrize("service", parameters(IN_ORDER, IN_ORDER[:1]))
def test_a_backlog_is_drained_in_order(service: Service, count: int, tmp_path: Path) -> None:
    at_once = replace(service, source=replace(service.source, at_a_time=count))

    outcome = conserve(tmp_path / "project", at_once, count, runtime="python")

    assert outcome.is_conserved, outcome
    assert outcome.messages == count


MOST_RUNS = 4
"""How often a service is disturbed until a defect shows."""


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("service", "defect"),
    [
        pytest.param(service, defect, id=f"{service}-{defect}")
        for service in SERVICES
        for defect in service.source.defects
    ],
)
def test_the_reckoning_notices(service: Service, defect: str, tmp_path: Path) -> None:
    """Which records an outage or a kill meets is chance: it may meet none that a defect loses."""
    runs = (
        conserve(
            tmp_path / f"{number}",
            service,
            service.messages,
            runtime="python",
            defect=DEFECTS[defect],
        )
        for number in range(MOST_RUNS)
    )

    outcome = next(run for run in runs if not run.is_conserved)
    assert getattr(outcome, DEFECTS[defect].shows_as), outcome


def outlasted() -> Iterator[ParameterSet]:
    """Each service that waits, in each runtime; `make test` runs one for each trial."""
    for service in SERVICES:
        for trial, runtime in product(trials(service), RUNTIMES):
            is_often = (str(service), runtime) == OFTEN[trial]
            marks = [] if is_often else [pytest.mark.exhaustive]
            yield pytest.param(
                service, trial, runtime, id=f"{service}-{trial}-{runtime}", marks=marks
            )


@pytest.mark.parametrize(("service", "trial", "runtime"), list(outlasted()))
def test_only_poison_is_a_letter_while_a_datastore_is_down_or_slow(
    service: Service, trial: Trial, runtime: str, tmp_path: Path
) -> None:
    outcome = outlast(tmp_path / "project", service, trial, runtime=runtime)

    assert outcome.is_conserved, outcome


def trial_and_runtime(name: str) -> set[tuple[str, ...]]:
    return {(f"{SEEDED[name].trial}",), (SEEDED[name].runtime,)}


@pytest.mark.parametrize("name", parameters(SEEDED, few_of([*SEEDED], trial_and_runtime)))
def test_the_reckoning_notices_what_is_not_outlasted(name: str, tmp_path: Path) -> None:
    seeded = SEEDED[name]
    (service,) = (each for each in SERVICES if str(each) == "scalable-webhook/function-dynamodb")

    outcome = outlast(
        tmp_path / "project",
        service,
        seeded.trial,
        runtime=seeded.runtime,
        defect=seeded.defect,
    )

    assert not outcome.is_conserved
    assert getattr(outcome, seeded.defect.shows_as), outcome


def test_each_consumer_of_a_queue_or_stream_waits_for_its_datastore() -> None:
    consumers = {
        (pattern.slug, topology.name)
        for pattern in catalog.patterns()
        for topology in pattern.topologies
        if any("batch_size" in edge.attributes for edge in topology.edges)
    }
    waiting = {(service.pattern, service.topology) for service in SERVICES if service.waits}

    asked_for = {each for each in consumers if not {each[0], "/".join(each)} & NOT_YET}
    assert asked_for - waiting == WITHOUT_CALLS


def test_each_topology_with_messages_is_described_in_the_order_of_the_catalogue() -> None:
    with_messages = [
        (pattern.slug, topology.name)
        for pattern in catalog.patterns()
        for topology in pattern.topologies
        if any(failure.id in MESSAGES for edge in topology.edges for failure in edge.failures)
    ]

    described = dict.fromkeys((service.pattern, service.topology) for service in SERVICES)
    expected = [each for each in with_messages if not {each[0], "/".join(each)} & NOT_YET]
    assert expected == list(described)


def test_a_schedule_is_the_same_each_time_and_has_every_kind_of_message() -> None:
    messages = schedule(100)

    assert messages == schedule(100)
    assert len(messages) == 100
    assert {each.id.partition("-")[0] for each in messages} == {"good", "slow", "poison"}
    sent = set()
    for message in messages:
        assert (message.copy == 2) == (message.id in sent)
        sent.add(message.id)
