"""The alarms of every graph: two tiers, each with its reason, none for one stranger's request."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from _pytest.mark import ParameterSet
from alarms.compiled import GRAPHS, Graph, Told, told_by_names
from golden import golden_variants
from rendering import kept_from, template

from sls_patterns_cli import catalog
from sls_patterns_cli.alarms.series import Series, Values
from sls_patterns_cli.catalog.authorization import answers, authorized
from sls_patterns_cli.catalog.compiler import graph
from sls_patterns_cli.catalog.model import Pattern, Topology

LONGEST_DESCRIPTION = 1024
"""https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"""
PUBLIC = {"http-api", "rest-api"}
LARGEST = 6
MOST_OF_A_TEMPLATE = 0.25
MOST_WITH_ROLLOUT = 0.4
"""Who asks for gradual deployments gets alarms that stop them: see docs/decisions/0.8.0.md."""


def told_of(graph: Graph, values: Mapping[str, float], minutes: range) -> list[Told]:
    """Return whom alarms tell if metrics have these values, by their names, in these minutes."""
    emitted = {
        name: Series([Values(60 * minute + 30, value) for minute in minutes])
        for name, value in values.items()
    }
    return told_by_names(graph, emitted, 180)


@pytest.mark.parametrize("name", GRAPHS)
def test_each_alarm_has_a_tier_a_reason_and_says_what_to_do_first(name: str) -> None:
    alarms = GRAPHS[name]["alarms"]

    assert len({alarm["id"] for alarm in alarms}) == len(alarms) > 0
    for alarm in alarms:
        assert alarm["tier"] in {"page", "ticket"}
        assert min(len(alarm[said]) for said in ("what", "first", "reason")) > 0
        assert alarm["description"].startswith(f"{alarm['tier'].capitalize()}: ")
        assert len(alarm["description"]) <= LONGEST_DESCRIPTION


@pytest.mark.parametrize("name", GRAPHS)
def test_every_end_of_a_failure_pages_after_one_minute(name: str) -> None:
    graph = GRAPHS[name]
    watched = {
        value["id"]
        for alarm in graph["alarms"]
        if (alarm["tier"], alarm["needed"], alarm["threshold"]) == ("page", 1, 0)
        for metric in alarm["metrics"].values()
        if metric["name"] == "ApproximateNumberOfMessagesVisible"
        for value in metric["dimensions"].values()
    }

    assert {queue["id"] for queue in graph["dead_letter_queues"]} <= watched


@pytest.mark.parametrize(
    "name", [name for name, graph in GRAPHS.items() if PUBLIC & {*graph["resources"]}]
)
def test_one_request_that_fails_or_is_refused_sets_off_nothing(name: str) -> None:
    """The proofs `hostile-bodies-refused` show that what strangers send does not even fail."""
    one = {
        # It fails at the API and in a function, is throttled and slow.
        **dict.fromkeys(("Count", "5xx", "5XXError", "4xx", "4XXError"), 1),
        **dict.fromkeys(("Invocations", "Errors", "RefusedDeliveries", "CacheUnavailable"), 1),
        **dict.fromkeys(("CircuitOpen", "CircuitStateUnavailable"), 1),
        "Latency": 29_000,
        # The steps of a delivery succeed.
        **dict.fromkeys(("DeliveryToS3.Success", "ExecuteProcessing.Success"), 1),
        "DeliveryToRedshift.Success": 1,
    }

    assert told_of(GRAPHS[name], one, range(60, 61)) == []


def shares_of_alarms(*, gradual: bool) -> dict[str, list[tuple[int, float]]]:
    """Return how long templates are, and which share of them is alarms, by pattern and options.

    All alarms count, also those that only stop a gradual deployment.
    """
    shares = defaultdict[str, list[tuple[int, float]]](list)
    for variant in (each for pattern in catalog.patterns() for each in golden_variants(pattern)):
        if variant.iac == "sam" and (variant.answers.get("rollout") == "canary") == gradual:
            text = (kept_from(template(), **variant.answers) / "template.yaml").read_text()
            parts = re.split(r"\n(?=  \w+:\n|\w+:\n|\n)", text)
            alarms = [part for part in parts if "AWS::CloudWatch::Alarm" in part]
            lines = sum(len(part.strip("\n").splitlines()) for part in alarms)
            total = len(text.splitlines())
            name = f"{variant.pattern} {re.sub('python|typescript', '', variant.options)}"
            shares[name].append((total, lines / total))
    return shares


@pytest.mark.parametrize(
    ("gradual", "most"),
    [(False, MOST_OF_A_TEMPLATE), (True, MOST_WITH_ROLLOUT)],
    ids=["at once", "gradual"],
)
def test_alarms_are_a_quarter_of_the_largest_templates_at_most(
    *, gradual: bool, most: float
) -> None:
    shares = shares_of_alarms(gradual=gradual)

    for name in sorted(shares, key=lambda name: max(shares[name]))[-LARGEST:]:
        assert max(share for _, share in shares[name]) <= most, name


def answered() -> Iterator[ParameterSet]:
    """Return each topology with each answer to who may call, and the kind of its API."""
    for pattern in catalog.patterns():
        for topology in pattern.topologies:
            for auth in answers(topology):
                name = f"{pattern.slug}/{topology.name}/{auth}"
                yield pytest.param(pattern, topology, auth, id=name)


def compiled(pattern: Pattern, topology: Topology, auth: str) -> dict[str, Any]:
    vocabulary, datastore = catalog.vocabulary(), topology.datastores[0]
    made = authorized(topology, auth, vocabulary, datastore)
    return vars(graph(pattern, made, vocabulary, vocabulary.datastores[datastore]))


def refused(calls: int) -> dict[str, float]:
    """Return the metrics of so many calls that an API refuses itself, by either kind's names.

    Nothing is behind a refusal but the authorizer of a REST API, which says no and does not fail.
    """
    return {"Count": calls, "4xx": calls, "4XXError": calls, "5xx": 0, "5XXError": 0}


@pytest.mark.parametrize(("pattern", "topology", "auth"), list(answered()))
def test_no_number_of_refusals_pages_and_few_are_no_ticket(
    pattern: Pattern, topology: Topology, auth: str
) -> None:
    """Calls that are refused, each minute; 20 of five minutes are judged."""
    graph = compiled(pattern, topology, auth)

    for calls in (4, 60, 6_000):
        found = told_of(graph, refused(calls), range(180))
        assert {(each.tier, each.alarm.endswith("RefusalsAlarm")) for each in found} == (
            {("ticket", True)} if auth == "jwt" else set()
        )
    assert told_of(graph, refused(3), range(180)) == []
