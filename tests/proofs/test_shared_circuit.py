"""A Python and a TypeScript project share one circuit: what one of them sees holds for both.

What a project's own proofs cannot show: they know their own runtime alone.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
import urllib3
from environments import link_modules, link_requirements
from rendering import render_project

from sls_patterns_cli.local import deploy, flavours, languages
from sls_patterns_cli.local import project as projects
from sls_patterns_cli.local.emulator import Emulator
from sls_patterns_cli.local.external import Answer, StandIn
from sls_patterns_cli.progress import Progress

HTTP = urllib3.PoolManager(retries=False, timeout=30)
PARCEL = json.dumps({"status": "in transit", "place": "Leipzig"})
REFUSED, FAILED, ANSWERED = 503, 502, 200


@dataclass(frozen=True)
class Service:
    """One of the two stacks."""

    outputs: dict[str, str]
    emulator: Emulator

    def track(self) -> int:
        return HTTP.request("GET", f"{self.outputs['ApiUrl']}/parcels/AB12345678").status

    def administer(self, **request: object) -> dict[str, Any]:
        name = self.outputs["AdministerFunctionName"]
        answer = self.emulator.client("lambda").invoke(
            FunctionName=name, Payload=json.dumps(request)
        )
        content: dict[str, Any] = json.load(answer["Payload"])
        return content


@dataclass(frozen=True)
class World:
    python: Service
    typescript: Service
    carrier: StandIn


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Yield both services on one emulator, with one carrier and the Python project's table."""
    made = {
        runtime: projects.load(
            render_project(
                tmp_path_factory.mktemp("circuit") / f"circuit-{runtime}",
                pattern="circuit-breaker",
                runtime=runtime,
            )
        )
        for runtime in ("python", "typescript")
    }
    link_requirements(made["python"].root)
    link_modules(made["typescript"].root)
    of = {name: languages.of(project, Progress()) for name, project in made.items()}
    interpreters = {made[name].lambda_runtime: of[name].interpreter.executable for name in made}
    table = ""
    outputs = {}
    with ExitStack() as running:
        emulator = running.enter_context(Emulator(made["python"].region, interpreters))
        carrier = StandIn()
        running.callback(carrier.stop)
        for name, project in made.items():
            assembly = flavours.of(project, of[name]).assemble()
            packages = {key: of[name].package(code) for key, code in assembly.code.items()}
            deploy.upload(emulator, packages)
            template = with_table(assembly.template, table) if table else assembly.template
            addresses = {"CarrierUrl": carrier.url}
            outputs[name] = deploy.deploy(emulator, project.stack_name, template, addresses)
            table = table or outputs[name]["CircuitsTableName"]
        yield World(
            Service(outputs["python"], emulator),
            Service(outputs["typescript"], emulator),
            carrier,
        )


def with_table(template: dict[str, Any], table: str) -> dict[str, Any]:
    """Return the template with another table than its own: in variables and in permissions."""
    here = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}"
    arn = {"Fn::Sub": f"{here}:table/{table}"}
    text = json.dumps(template)
    other = text.replace('{"Fn::GetAtt": ["CircuitsTable", "Arn"]}', json.dumps(arn)).replace(
        '"CIRCUITS_TABLE_NAME": {"Ref": "CircuitsTable"}', f'"CIRCUITS_TABLE_NAME": "{table}"'
    )
    assert other.count(table) == 4, "two functions know the table, and may use it"
    changed: dict[str, Any] = json.loads(other)
    return changed


@pytest.fixture(autouse=True)
def closed(world: World) -> None:
    world.python.administer(operation="close")
    world.carrier.tell(Answer(body=PARCEL))
    world.carrier.requests.clear()


@pytest.mark.parametrize(("first", "second"), [("python", "typescript"), ("typescript", "python")])
def test_failures_that_both_see_open_the_circuit_of_both(
    first: str, second: str, world: World
) -> None:
    one, other = getattr(world, first), getattr(world, second)
    world.carrier.tell(Answer(status=500))

    failed = [one.track(), other.track(), one.track(), other.track(), one.track()]

    assert failed == [FAILED] * 5
    assert (other.track(), one.track()) == (REFUSED, REFUSED)
    assert len(world.carrier.requests) == 5


@pytest.mark.parametrize(("opener", "prober"), [("python", "typescript"), ("typescript", "python")])
def test_a_circuit_that_one_has_opened_is_closed_by_the_others_probe(
    opener: str, prober: str, world: World
) -> None:
    one, other = getattr(world, opener), getattr(world, prober)
    opened = one.administer(operation="open", seconds=600)
    assert (other.track(), one.track()) == (REFUSED, REFUSED)
    shown = other.administer(operation="show")
    assert shown["state"] == opened["state"] == "OPEN"
    assert instant(shown["next_probe_at"]) == instant(opened["next_probe_at"])

    other.administer(operation="open", seconds=1)
    statuses = [other.track()]
    while statuses[-1] == REFUSED:
        statuses.append(other.track())

    assert statuses[-1] == ANSWERED
    assert one.track() == ANSWERED
    assert one.administer(operation="show")["state"] == "CLOSED"


def test_both_write_the_attributes_that_powertools_reads(world: World) -> None:
    table = world.python.outputs["CircuitsTableName"]
    dynamodb = world.python.emulator.client("dynamodb")
    items = []
    for service in (world.python, world.typescript):
        service.administer(operation="open", seconds=600)
        (item,) = dynamodb.scan(TableName=table)["Items"]
        items.append(item | {"opened_at": {"N": ""}})

    assert items[0] == items[1]
    assert {"id", "state", "failure_count", "opened_at", "open_seconds"} == items[0].keys()


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
