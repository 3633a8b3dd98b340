"""One message travels each asynchronous edge to success and, forced, to its end."""

from collections.abc import Collection, Iterator
from typing import Any
from uuid import uuid4

import pytest
from graphs import travel
from graphs.deployed import Deployed, deployed
from graphs.overlay import Graph, graphs
from graphs.stub import messages
from local.support import wait_until

from sls_patterns_cli.catalog.compiler.records import dead_letter_queue
from sls_patterns_cli.catalog.model import Edge, Failure

SECONDS = 60
# Without a scope pytest takes that of a function, and deploys the same stack for every test.
OF_A_STACK: Any = {"indirect": ["stack"], "scope": "module"}


NOTIFIER = next(
    each
    for each in graphs()
    if (each.variant.pattern, each.variant.runtime, each.variant.iac)
    == ("notifier", "python", "sam")
)


@pytest.fixture(scope="module")
def stack(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployed]:
    graph: Graph = request.param
    with deployed(graph, tmp_path_factory) as running:
        yield running


def travelled() -> Iterator[tuple[Graph, Edge]]:
    """The edges that are not answered."""
    for graph in graphs():
        for edge in graph.topology.edges:
            if edge.call == "async":
                yield graph, edge


def marks(graph: Graph) -> list[pytest.MarkDecorator]:
    """One worker deploys the stack; that the others are the same is shown by parity as well."""
    group = pytest.mark.xdist_group(f"graph {graph}")
    stands_for_all = (graph.variant.runtime, graph.variant.iac) == ("python", "sam")
    return [group] if stands_for_all else [group, pytest.mark.exhaustive]


def along() -> Iterator[Any]:
    for graph, edge in travelled():
        name = f"{graph} {edge.source} => {edge.target}"
        yield pytest.param(graph, edge, id=name, marks=marks(graph))


def failing() -> Iterator[Any]:
    for graph, edge in travelled():
        for failure in edge.failures:
            name = f"{graph} {edge.source} => {edge.target} by {failure.id}"
            yield pytest.param(graph, edge, failure, id=name, marks=marks(graph))


def arrived(stack: Deployed, edge: Edge) -> Collection[str]:
    """What the function at the other side, or behind the queue there, could process.

    Of a delivery: what is in its bucket.
    """
    name = edge.target
    while stack.node(name).kind == "queue":
        name = next(e.target for e in stack.graph.topology.edges if e.source == name)
    if stack.node(name).kind == "delivery":
        name = next(
            e.target
            for e in stack.graph.topology.edges
            if e.source == name and stack.node(e.target).kind == "datastore"
        )
    if stack.node(name).kind == "datastore":
        return stack.delivered_to(name)
    return stack.read_by(name)


@pytest.mark.parametrize(("stack", "edge"), list(along()), **OF_A_STACK)
def test_a_message_travels_along_the_edge(stack: Deployed, edge: Edge) -> None:
    identity = str(uuid4())

    with travel.on_its_way(stack, edge, travel.message(edge, identity)):
        wait_until(lambda: identity in arrived(stack, edge), SECONDS)


@pytest.mark.parametrize(("stack", "edge", "failure"), list(failing()), **OF_A_STACK)
def test_a_message_that_fails_on_the_edge_reaches_its_end_and_comes_back(
    stack: Deployed, edge: Edge, failure: Failure
) -> None:
    identity = str(uuid4())

    end = fail(stack, edge, failure, identity)

    (letter, *_) = [
        each
        for each in stack.dead_letters()
        if identity in {found["id"] for found in messages(each["payload"])}
    ]
    assert letter["queue"] == dead_letter_queue(end.removesuffix("-dlq"))
    assert letter["received"] >= 1
    assert letter["cause"] or failure.id == "E6"
    assert identity in stack.ended_in(end)

    with travel.mended(stack, travel.failing_nodes(stack, edge)):
        wait_until(lambda: came_back(stack, edge, end, identity), SECONDS)


@pytest.mark.parametrize("stack", [pytest.param(NOTIFIER, marks=marks(NOTIFIER))], **OF_A_STACK)
def test_a_redrive_that_is_killed_loses_nothing_and_doubles_one_letter_at_most(
    stack: Deployed,
) -> None:
    edge = next(each for each in stack.graph.topology.edges if each.target == "audit")
    failure = next(each for each in edge.failures if each.id == "E2")
    identity = str(uuid4())
    end = fail(stack, edge, failure, identity)

    with travel.mended(stack, "audit"):
        stack.redrive_killed_before_it_deletes()
        wait_until(lambda: identity in stack.read_by("audit"), SECONDS)
        wait_until(lambda: identity in stack.ended_in(end), SECONDS)
        wait_until(lambda: came_back(stack, edge, end, identity), SECONDS)

    assert stack.read_by("audit").count(identity) == 2


def fail(stack: Deployed, edge: Edge, failure: Failure, identity: str) -> str:
    """Let a message fail on the edge until it is in the end; return the end."""
    assert failure.end
    end = failure.end
    travelling = travel.message(edge, identity, fails_at=travel.failing_nodes(stack, edge))
    with travel.broken(stack, edge, failure.id), travel.on_its_way(stack, edge, travelling):
        wait_until(lambda: identity in stack.ended_in(end), SECONDS)
    return end


def came_back(stack: Deployed, edge: Edge, end: str, identity: str) -> bool:
    """Redrive; tell whether the message has arrived, and is in its end no more.

    A schedule starts its target over and over, so that more of the same may follow.
    """
    stack.redrive()
    return identity in arrived(stack, edge) and identity not in stack.ended_in(end)
