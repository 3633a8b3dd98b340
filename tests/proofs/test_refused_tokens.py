"""A token that does not sign in sets off its alarm, and a rotated one does not.

What a project's own proofs cannot show: they know the metric, but not the alarm of the template.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import urllib3
from environments import link_modules, link_requirements
from local.support import wait_until
from rendering import render_project

from sls_patterns_cli.cloudformation.stack import Resource
from sls_patterns_cli.local import session
from sls_patterns_cli.terminal.progress import Progress
from sls_patterns_cli.wiring.alarms import Query, queries

HTTP = urllib3.PoolManager(retries=False, timeout=30)


@dataclass(frozen=True)
class Signing:
    """A service that signs in: the answers that make it, a call, and what each system answers."""

    answers: dict[str, str]
    path: str
    function: str
    systems: dict[str, dict[str, Any]]

    def __str__(self) -> str:
        return f"{self.answers['pattern']}-{self.answers['runtime']}"


SIGNING = [
    Signing(
        {"pattern": "circuit-breaker", "runtime": "python"},
        "/parcels/AB12345678",
        "TrackFunction",
        {"carrier": {"status": "in transit", "place": "Leipzig"}},
    ),
    Signing(
        {"pattern": "aggregator", "topology": "http", "runtime": "typescript"},
        "/products/tea-pot",
        "AggregateFunction",
        {
            "catalog": {"name": "Tea pot", "price": 4200},
            "stock": {"available": 7},
            "reviews": {"rating": 4.5, "count": 12},
        },
    ),
]


class Deployed:
    def __init__(self, stack: session._Stack, signing: Signing) -> None:
        self._stack, self._signing = stack, signing
        self._secrets = stack.emulator.client("secretsmanager")
        for system, answer in signing.systems.items():
            self._control(system, "answer", {"body": json.dumps(answer)})
            self.demand(system, self.token(system))

    def call(self) -> None:
        HTTP.request("GET", self._stack.outputs["ApiUrl"] + self._signing.path)

    def token(self, system: str) -> str:
        secret = self._secrets.get_secret_value(SecretId=self._arn(system))
        token: str = secret["SecretString"]
        return token

    def store(self, system: str, token: str) -> None:
        self._secrets.put_secret_value(SecretId=self._arn(system), SecretString=token)

    def demand(self, system: str, *tokens: str) -> None:
        """Let a system accept these tokens only."""
        self._control(system, "tokens", tokens)

    def ringing(self) -> set[str]:
        """Return the alarms on sign-ins that go off for what was reported so far."""
        alarms = self._stack.emulator.client("cloudwatch").describe_alarms()["MetricAlarms"]
        watching = [
            (alarm, query)
            for alarm in alarms
            if "SignInAlarm" in alarm["AlarmName"]
            for query in queries(Resource(alarm["AlarmName"], "AWS::CloudWatch::Alarm", alarm))
            if query.name == "SignInFailed"
        ]
        assert len(watching) == len(self._signing.systems)
        return {
            alarm["AlarmName"]
            for alarm, query in watching
            if query.statistic == "Sum"
            # In so many periods it has to be bad.
            and sum(self._reported(query))
            > max(alarm["Threshold"], alarm.get("DatapointsToAlarm", 1) - 1)
        }

    def lines(self) -> list[str]:
        name = self._stack.outputs[f"{self._signing.function}LogGroupName"]
        found = self._stack.emulator.client("logs").filter_log_events(logGroupName=name)
        return [event["message"].strip() for event in found["events"]]

    def _reported(self, query: Query) -> Iterator[float]:
        """Yield the values that the function reported of just the metric that the alarm watches."""
        for line in self.lines():
            entry = json.loads(line) if line.startswith("{") else {}
            for directive in entry.get("_aws", {}).get("CloudWatchMetrics", []):
                named = {each["Name"] for each in directive["Metrics"]}
                if (
                    directive["Namespace"] == query.namespace
                    and query.name in named
                    and sorted(query.dimensions) in map(sorted, directive["Dimensions"])
                    and query.dimensions.items() <= entry.items()
                ):
                    value = entry[query.name]
                    yield from value if isinstance(value, list) else [value]

    def _arn(self, system: str) -> str:
        return self._stack.outputs[f"{system.title()}TokenArn"]

    def _control(self, system: str, what: str, told: object) -> None:
        control = self._stack.controls[f"{system.title()}ControlUrl"]
        assert HTTP.request("PUT", f"{control}/{what}", json=told).status == 200


@pytest.fixture(params=SIGNING, ids=str)
def deployed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Signing, Deployed]]:
    signing: Signing = request.param
    project = render_project(tmp_path / "project", auth="none", **signing.answers)
    if signing.answers["runtime"] == "typescript":
        link_modules(project)
    else:
        link_requirements(project)
    with session._stack(project, Progress(lambda _line: None)) as stack:
        yield signing, Deployed(stack, signing)


def test_the_alarm_of_a_token_goes_off_for_refusals_and_not_for_a_rotation(
    deployed: tuple[Signing, Deployed],
) -> None:
    signing, service = deployed
    first, *others = signing.systems
    old = service.token(first)
    service.call()

    service.store(first, "hidden-new")
    service.demand(first, old, "hidden-new")
    service.call()
    service.demand(first, "hidden-new")
    service.call()
    assert not any("SignInFailed" in line for line in service.lines())

    service.demand(first, "another")
    service.call()
    wait_until(lambda: any("SignInFailed" in line for line in service.lines()))
    assert service.ringing() == set()
    service.call()
    wait_until(lambda: len(service.ringing()) == 1)
    assert first.title() in service.ringing().pop()
    for other in others:
        service.demand(other, "another")
    for _ in range(2):
        service.call()
    wait_until(lambda: len(service.ringing()) == len(signing.systems))
    assert not any(token in line for line in service.lines() for token in (old, "hidden"))
