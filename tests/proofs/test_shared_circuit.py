"""A Python and a TypeScript project share one circuit: what one of them sees holds for both.

What a project's own proofs cannot show: they know their own runtime alone.
"""

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
import urllib3
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from environments import link_modules, link_requirements
from rendering import render_project
from variants import by_one_worker

from sls_patterns_cli.local import deploy, flavours, languages
from sls_patterns_cli.local import project as projects
from sls_patterns_cli.local.emulator.server import Emulator
from sls_patterns_cli.local.external import Answer, StandIn
from sls_patterns_cli.terminal.progress import Progress

pytestmark = pytest.mark.proves("circuit-breaker")

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

    def variables(self) -> dict[str, str]:
        """Return what the function that guards the calls finds around it."""
        name = self.outputs["TrackFunctionName"]
        configuration = self.emulator.client("lambda").get_function_configuration(FunctionName=name)
        variables: dict[str, str] = configuration["Environment"]["Variables"]
        return variables

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


@pytest.fixture(scope="module", params=by_one_worker(__name__, "dynamodb", "elasticache-valkey"))
def datastore(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def world(datastore: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Yield both services on one emulator, with one carrier and the Python project's datastore."""
    made = {
        runtime: projects.load(
            render_project(
                tmp_path_factory.mktemp("circuit") / f"circuit-{runtime}",
                pattern="circuit-breaker",
                runtime=runtime,
                datastore=datastore,
                auth="none",
            )
        )
        for runtime in ("python", "typescript")
    }
    link_requirements(made["python"].root)
    link_modules(made["typescript"].root)
    of = {name: languages.of(project, Progress()) for name, project in made.items()}
    interpreters = {made[name].lambda_runtime: of[name].interpreter.executable for name in made}
    services: dict[str, Service] = {}
    with ExitStack() as running:
        emulator = running.enter_context(Emulator(made["python"].region, interpreters))
        carrier = StandIn()
        running.callback(carrier.stop)
        for name, project in made.items():
            assembly = flavours.of(project, of[name]).assemble()
            deploy.upload(emulator, assembly.packages)
            template = assembly.template
            if services:
                template = with_store_of(services["python"], template)
            addresses = {"CarrierUrl": carrier.url}
            outputs = deploy.deploy(emulator, project.stack_name, template, addresses)
            services[name] = Service(outputs, emulator)
        yield World(services["python"], services["typescript"], carrier)


def with_store_of(other: Service, template: dict[str, Any]) -> dict[str, Any]:
    """Return the template with another service's datastore: in variables and in permissions."""
    text = json.dumps(template)
    if table := other.outputs.get("CircuitsTableName"):
        here = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}"
        arn = {"Fn::Sub": f"{here}:table/{table}"}
        text = text.replace('{"Fn::GetAtt": ["CircuitsTable", "Arn"]}', json.dumps(arn)).replace(
            '"CIRCUITS_TABLE_NAME": {"Ref": "CircuitsTable"}', f'"CIRCUITS_TABLE_NAME": "{table}"'
        )
        assert text.count(table) == 4, "two functions know the table, and may use it"
    else:
        url = other.variables()["CIRCUITS_URL"]
        own = "${CircuitsCache.Endpoint.Address}:${CircuitsCache.Endpoint.Port}"
        text = text.replace(
            json.dumps({"Fn::Sub": f"rediss://${{CircuitsCache}}@{own}"}), json.dumps(url)
        )
        of_account = "arn:${AWS::Partition}:elasticache:${AWS::Region}:${AWS::AccountId}:*"
        for connected in (["CircuitsCache", "ARN"], ["CircuitsUser", "Arn"]):
            own_arn = json.dumps({"Fn::GetAtt": connected})
            text = text.replace(own_arn, json.dumps({"Fn::Sub": of_account}))
        assert text.count(url) == 2, "two functions know the cache"
    changed: dict[str, Any] = json.loads(text)
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
    items = []
    for service in (world.python, world.typescript):
        service.administer(operation="open", seconds=600)
        items.append(stored_circuit(world.python) | {"opened_at": ""})

    assert items[0] == items[1]
    assert {"state", "failure_count", "opened_at", "open_seconds"} == items[0].keys()


def stored_circuit(service: Service) -> dict[str, str]:
    """Return the attributes that the datastore holds, but for the one that is its key."""
    if table := service.outputs.get("CircuitsTableName"):
        (item,) = service.emulator.client("dynamodb").scan(TableName=table)["Items"]
        return {name: str(value) for name, value in item.items() if name != "id"}
    user, _, address = service.variables()["CIRCUITS_URL"].removeprefix("rediss://").partition("@")
    _, _, port = address.partition(":")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # it is on this machine; the functions do verify it
    with (
        socket.create_connection(("127.0.0.1", int(port)), timeout=5) as plain,
        context.wrap_socket(plain) as connection,
    ):
        connection.sendall(_command("AUTH", user, _token(user, service.emulator.region)))
        assert connection.recv(65536) == b"+OK\r\n"
        connection.sendall(_command("HGETALL", "circuit:carrier"))
        # An array of texts, each with its length before it.
        texts = connection.recv(65536).decode().split("\r\n")[2::2]
    return dict(zip(texts[::2], texts[1::2], strict=False))


def _command(*words: str) -> bytes:
    return "".join(
        [f"*{len(words)}\r\n", *(f"${len(word)}\r\n{word}\r\n" for word in words)]
    ).encode()


def _token(user: str, region: str) -> str:
    """Return a token of the administrator, who may connect as each user."""
    query = f"Action=connect&User={user}&ResourceType=ServerlessCache"
    request = AWSRequest("GET", f"https://{user}/?{query}")
    SigV4QueryAuth(Credentials("test", "test"), "elasticache", region, 900).add_auth(request)
    return str(request.url).removeprefix("https://")


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
