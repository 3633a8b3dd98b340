"""How fast the command line is, each figure beside what it is measured against; and what is heavy.

Whole processes, alternating with their rival so that a busy machine hits both; the median counts.
It ends with the line of this version in `docs/speed.md`.
"""

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import speed
import spending
from environments import UV, environment, link_modules, node, pins
from local.support import REGION, RUNTIME
from update.publication import git, publish_three_releases

from sls_patterns_cli import catalog
from sls_patterns_cli.cloudformation.document import read
from sls_patterns_cli.cloudformation.sam import expand
from sls_patterns_cli.local import deploy
from sls_patterns_cli.local.emulator.server import Emulator
from sls_patterns_cli.local.languages import interpreters

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parents[1]
OURS = str(BIN / "sls-patterns")
ESBUILD = "node_modules/esbuild/bin/esbuild"
COSTS = ROOT / "build/costs.txt"
"""What each test of the last whole `make test` took."""

LARGE_PARTS = ("contract", "proofs", "static", "update", "local")

ROUNDS = 11
ROUNDS_OF_UPDATES = 5
"""Copier's update takes seconds, most of it in git's processes."""

Command = Sequence[str | Path]


def seconds(command: Command, folder: Path) -> float:
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - start


def medians(
    commands: Mapping[str, Command], folder: Path, tidy: Callable[[], None], rounds: int = ROUNDS
) -> dict[str, float]:
    """Return the median seconds of each command."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            tidy()
            times[name].append(seconds(command, folder))
    return {name: statistics.median(measured) for name, measured in times.items()}


def report(taken: Mapping[str, float], ours: str, rival: str) -> dict[str, float]:
    """Print the ratio, and return it as a figure of the page."""
    mine, theirs = taken[ours], taken[rival]
    print(f"{ours}, against {rival}: {mine:.3f} s / {theirs:.3f} s = {mine / theirs:.2f}")
    return {f"`{ours}` / {rival}": mine / theirs}


def git_checkout_of_the_template(folder: Path) -> Path:
    """Return a repository that holds the template as it is now, as its owner would publish it."""
    repository = folder / "template"
    repository.mkdir()
    shutil.copy(ROOT / "copier.yml", repository)
    shutil.copytree(ROOT / "templates", repository / "templates")
    git: Command = ["git", "-c", "user.name=bench", "-c", "user.email=bench@example.invalid"]
    for command in (["init", "-q"], ["add", "--all"], ["commit", "-qm", "now"], ["tag", "v0.0.1"]):
        subprocess.run([*git, *command], cwd=repository, check=True)
    return repository


def sam_init(folder: Path) -> Command:
    """Return what makes a project of 15 files from a template on this machine.

    As many as SAM's own templates have, and no download.
    """
    template = folder / "cookiecutter"
    project = template / "{{cookiecutter.project_name}}"
    project.mkdir(parents=True)
    (template / "cookiecutter.json").write_text('{"project_name": "project"}\n')
    for number in range(15):
        text = "# {{ cookiecutter.project_name }}\n" * 20
        (project / f"file-{number}.md").write_text(text)
    return [
        os.environ["SLS_SAM"],
        "init",
        "--location",
        template,
        "--no-input",
        "--name",
        "project",
    ]


def update_and_status(folder: Path) -> dict[str, float]:
    """Measure both on a project two releases behind, with the same repository as the source."""
    template = publish_three_releases(folder / "releases").folder
    project = folder / "updated"
    answers = ("--defaults", "--data", "pattern=scalable-webhook", "--vcs-ref", "v0.1.0")
    seconds([str(BIN / "copier"), "copy", "--quiet", *answers, template, project], folder)
    git(project, "init", "--quiet")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message=made")

    def tidy() -> None:
        git(project, "reset", "--quiet", "--hard")
        git(project, "clean", "--quiet", "--force", "-d")

    rival = "copier update"
    commands: dict[str, Command] = {
        "update": [OURS, "update", project],
        "status": [OURS, "status", project],
        rival: [BIN / "copier", "update", "--quiet", "--defaults", project],
    }
    taken = medians(commands, folder, tidy, ROUNDS_OF_UPDATES)
    return report(taken, "update", rival) | report(taken, "status", rival)


def first_proof(folder: Path) -> float:
    """Return the seconds from `new` to the first proof that has passed, on a warm cache."""
    project = folder / "proven"
    start = time.perf_counter()
    seconds([OURS, "new", "scalable-webhook", str(project), "--defaults"], folder)
    arguments = ["local", "test", str(project), "--", "-k", "test_accepted"]
    seconds([OURS, *arguments], folder)
    return time.perf_counter() - start


@dataclass(frozen=True)
class Function:
    """A function as it is deployed, and an event for its first call, which calls no service."""

    name: str
    package: Path
    load: Command
    event: Mapping[str, Any]
    status: int

    def size(self) -> str:
        """Return how large its package is."""
        unpacked = sum(file.stat().st_size for file in self.package.rglob("*") if file.is_file())
        zipped = Path(shutil.make_archive(str(self.package), "zip", self.package)).stat().st_size
        return f"{zipped / 1e6:.2f} MB zipped, {unpacked / 1e6:.2f} MB unpacked"

    def call(self) -> Command:
        return [*self.load, json.dumps(self.event), str(self.status)]


OF_RUNTIMES = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
    "POWERTOOLS_METRICS_NAMESPACE": "bench",
    "POWERTOOLS_SERVICE_NAME": "bench",
    "POWERTOOLS_TRACE_DISABLED": "1",
    "PRODUCTS_TABLE_NAME": "products",
    "PYTHONDONTWRITEBYTECODE": "1",  # nor can Lambda
}

PEERS = {
    "python": """
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit

app = APIGatewayRestResolver()
tracer = Tracer()
logger = Logger()
metrics = Metrics()


@app.get("/hello")
@tracer.capture_method
def hello():
    metrics.add_metric(name="HelloWorldInvocations", unit=MetricUnit.Count, value=1)
    logger.info("hello world")
    return {"message": "hello world"}


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST)
@tracer.capture_lambda_handler
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event, context):
    return app.resolve(event, context)
""",
    "typescript": """
import { Logger } from "@aws-lambda-powertools/logger";
import type { APIGatewayProxyEvent, Context } from "aws-lambda";

const logger = new Logger();

export async function handler(event: APIGatewayProxyEvent, context: Context) {
  logger.addContext(context);
  logger.info("hello world", { path: event.path });
  return { statusCode: 200, body: JSON.stringify({ message: "hello world" }) };
}
""",
}
"""Plain functions, as in the examples of Powertools, with the versions that projects have."""

HELLO = {
    "path": "/hello",
    "httpMethod": "GET",
    "headers": {},
    "requestContext": {"requestId": "1", "httpMethod": "GET", "path": "/hello"},
}

REFUSED = {
    "version": "2.0",
    "routeKey": "PUT /products/{product_id}",
    "rawPath": "/products/00000000-0000-4000-8000-000000000000",
    "pathParameters": {"product_id": "00000000-0000-4000-8000-000000000000"},
    "headers": {"content-type": "application/json"},
    "requestContext": {
        "requestId": "1",
        "stage": "$default",
        "http": {
            "method": "PUT",
            "path": "/products/00000000-0000-4000-8000-000000000000",
        },
    },
    "body": "{}",
    "isBase64Encoded": False,
}
"""A product without any field, which the web service refuses before it asks its table."""

CALL_PYTHON = """
import importlib, json, sys, types
handler = importlib.import_module(sys.argv[1]).handler
if len(sys.argv) > 2:
    names = ("function_name", "invoked_function_arn", "aws_request_id")
    context = types.SimpleNamespace(**dict.fromkeys(names, "bench"), memory_limit_in_mb=128)
    answer = handler(json.loads(sys.argv[2]), context)
    assert answer["statusCode"] == int(sys.argv[3]), answer
"""

CALL_NODE = """
const [name, event, status] = process.argv.slice(1);
const { handler } = require(name);
if (event) {
  handler(JSON.parse(event), { functionName: "bench", awsRequestId: "bench" }).then((answer) => {
    if (answer.statusCode !== Number(status)) throw new Error(JSON.stringify(answer));
  });
}
"""


def python_functions(folder: Path, project: Path) -> tuple[Function, Function]:
    """Return a function of the project, and the peer's."""
    python, own, peer = environment(project) / "python", folder / "own", folder / "peer"
    requirements = project / "src/requirements.txt"
    (powertools,) = (pin for pin in pins(requirements) if pin.startswith("aws-lambda-powertools"))
    install = (UV, "pip", "install", "--quiet", "--no-compile-bytecode", "--python", python)
    seconds([*install, "--target", own, "--requirements", requirements], folder)
    shutil.copytree(project / "src", own, dirs_exist_ok=True)
    with_tracer = powertools.replace("==", "[tracer]==")
    seconds([*install, "--target", peer, with_tracer, *pins(requirements) - {powertools}], folder)
    (peer / "hello.py").write_text(PEERS["python"])
    module = f"{project.name}.handlers.catalog"
    return (
        Function("web service", own, [python, "-c", CALL_PYTHON, module], REFUSED, 400),
        Function("Powertools' hello", peer, [python, "-c", CALL_PYTHON, "hello"], HELLO, 200),
    )


def typescript_functions(folder: Path, project: Path) -> tuple[Function, Function]:
    """Return a function of the project, and the peer's, bundled with the same flags."""
    link_modules(project)
    (project / "src/hello.ts").write_text(PEERS["typescript"])
    flags = ("--bundle", "--platform=node", "--target=node24", "--format=cjs")
    map_of = ("--main-fields=module,main", "--sourcemap", "--sources-content=false")
    made = []
    for name, source, event, status in (
        ("web service", "handlers/catalog", REFUSED, 400),
        ("Powertools' hello", "hello", HELLO, 200),
    ):
        package = folder / Path(source).name
        bundle = package / "index.js"
        command = (project / ESBUILD, f"src/{source}.ts", *flags, *map_of, f"--outfile={bundle}")
        seconds(command, project)
        load: Command = [node().executable, "-e", CALL_NODE, str(bundle)]
        made.append(Function(name, package, load, event, status))
    return made[0], made[1]


def processor_milliseconds(command: Command, folder: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    variables = os.environ | OF_RUNTIMES
    subprocess.run(command, cwd=folder, env=variables, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def packages(folder: Path) -> None:
    """Print of a function in each runtime what it takes, beside one that a peer would write.

    Processor time of fresh processes, which includes that of the interpreter itself.
    """
    for runtime, functions_of in (
        ("python", python_functions),
        ("typescript", typescript_functions),
    ):
        place = folder / f"{runtime}-functions"
        place.mkdir()
        project = place / "service"
        new = ("new", "simple-web-service", project, "--runtime", runtime, "--defaults", "--no-git")
        seconds([OURS, *new], folder)
        functions = functions_of(place, project)
        for function in functions:
            print(f"{function.name}, {runtime}: {function.size()}")
        for what, commands in (
            ("import", [each.load for each in functions]),
            ("import and first call", [each.call() for each in functions]),
        ):
            times: list[list[float]] = [[], []]
            for _ in range(ROUNDS):
                for taken, function, command in zip(times, functions, commands, strict=True):
                    taken.append(processor_milliseconds(command, function.package))
            mine, theirs = map(statistics.median, times)
            print(
                f"{what}, {runtime}, web service against Powertools' hello: "
                f"{mine:.0f} ms / {theirs:.0f} ms = {mine / theirs:.2f}"
            )


def new_and_list(folder: Path) -> dict[str, float]:
    template = git_checkout_of_the_template(folder)

    def tidy() -> None:
        shutil.rmtree(folder / "project", ignore_errors=True)

    answers = ["--defaults", "--data", "pattern=scalable-webhook"]
    commands: dict[str, Command] = {
        "new": [OURS, "new", "scalable-webhook", "project", "--defaults", "--no-git"],
        "sam init": sam_init(folder),
        "copier copy": [BIN / "copier", "copy", "--quiet", *answers, template, "project"],
        "--help": [OURS, "--help"],
        "list": [OURS, "list"],
        "show": [OURS, "show", "scalable-webhook"],
        "python": [sys.executable, "-c", "pass"],
    }
    taken = medians(commands, folder, tidy)
    figures = report(taken, "new", "sam init") | report(taken, "new", "copier copy")
    for ours in ("--help", "list", "show"):
        figures |= report(taken, ours, "python")
    return figures


def service_of_200_resources() -> dict[str, Any]:
    """Return SAM: fifty queues, each with its function, dead-letter queue and alarm."""
    resources: dict[str, Any] = {}
    for number in range(50):
        failed = f"Failed{number}"
        redrive = {"deadLetterTargetArn": {"Fn::GetAtt": [failed, "Arn"]}, "maxReceiveCount": 5}
        event = {"Type": "SQS", "Properties": {"Queue": {"Fn::GetAtt": [f"Jobs{number}", "Arn"]}}}
        function = {"Handler": "jobs.handler", "Runtime": "python3.13", "InlineCode": "pass"}
        name = {"Name": "QueueName", "Value": {"Fn::GetAtt": [failed, "QueueName"]}}
        alarm = {
            "Namespace": "AWS/SQS",
            "MetricName": "ApproximateNumberOfMessagesVisible",
            "Dimensions": [name],
            "ComparisonOperator": "GreaterThanThreshold",
            "EvaluationPeriods": 1,
        }
        resources |= {
            f"Jobs{number}": {"Type": "AWS::SQS::Queue", "Properties": {"RedrivePolicy": redrive}},
            failed: {"Type": "AWS::SQS::Queue"},
            f"Work{number}": {
                "Type": "AWS::Serverless::Function",
                "Properties": {**function, "Events": {"Job": event}},
            },
            f"Alarm{number}": {"Type": "AWS::CloudWatch::Alarm", "Properties": alarm},
        }
    return {"Transform": "AWS::Serverless-2016-10-31", "Resources": resources}


def check(folder: Path) -> dict[str, float]:
    """Measure `check` beside cfn-lint, which reads the same template."""
    (folder / "template.json").write_text(json.dumps(service_of_200_resources(), indent=1))
    commands: dict[str, Command] = {
        "check": ["sh", "-c", f"{OURS} check template.json || true"],
        "cfn-lint": ["sh", "-c", f"{BIN / 'cfn-lint'} template.json || true"],
    }
    taken = medians(commands, folder, lambda: None, rounds=ROUNDS_OF_UPDATES)
    return report(taken, "check", "cfn-lint")


def proofs(folder: Path) -> dict[str, float]:
    """Return how long the proofs of a default project take on an idle machine, everything ready."""
    project = folder / "all-proofs"
    seconds([OURS, "new", "scalable-webhook", str(project), "--defaults"], folder)
    seconds([OURS, "local", "test", str(project), "--", "-k", "test_accepted"], folder)
    start = time.perf_counter()
    seconds([OURS, "local", "test", str(project)], folder)
    whole = time.perf_counter() - start
    print(f"all proofs of scalable-webhook: {whole:.1f} s")
    return {"`local test`, s": whole}


INVOCATIONS = 100
FUNCTION = f"""
Transform: AWS::Serverless-2016-10-31
Resources:
  Function:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: {RUNTIME}
      Handler: index.handler
      InlineCode: |
        def handler(event, context):
            return event
Outputs:
  Name: {{Value: !Ref Function}}
"""


def invocation(folder: Path) -> dict[str, float]:
    """Return the processor time of an invocation on the local stack: emulator and function."""
    file = folder / "function.yaml"
    file.write_text(FUNCTION)
    executable = interpreters.find(RUNTIME)[0].executable
    clock = spending.Clock()
    with Emulator(REGION, {RUNTIME: executable}) as emulator:
        name = deploy.deploy(emulator, "bench", expand(read(file), REGION))["Name"]
        functions = emulator.client("lambda")
        functions.invoke(FunctionName=name)  # starts it
        clock.watch(emulator.pid)
        emulators = clock.now()["processor"] - spending.Clock().now()["processor"]
        for _ in range(INVOCATIONS):
            functions.invoke(FunctionName=name)
        spent = clock.now()["processor"] - spending.Clock().now()["processor"] - emulators
    milliseconds = 1000 * spent / INVOCATIONS
    print(
        f"an invocation of a function on the local stack: {milliseconds:.1f} ms of processor time"
    )
    return {"invocation, ms": milliseconds}


def lines(folder: Path) -> dict[str, float]:
    """Return how many lines a default project, the golden files and the tool have."""
    sizes = {}
    for slug in catalog.slugs():
        project = folder / "defaults" / slug
        seconds([OURS, "new", slug, str(project), "--defaults", "--no-git"], folder)
        sizes[slug] = sum(map(lines_of, project.rglob("*")))
    largest = max(sizes, key=lambda slug: sizes[slug])
    figures = {
        "project, median lines": statistics.median(sizes.values()),
        "largest": sizes[largest],
        "golden lines": sum(map(lines_of, (ROOT / "tests/golden").rglob("*"))),
        "`src` lines": sum(map(lines_of, (ROOT / "src").rglob("*.py"))),
    }
    print(*(f"{name}: {figure:.0f}" for name, figure in figures.items()), sep="\n")
    print(f"the largest is {largest}")
    return figures


def lines_of(file: Path) -> int:
    is_lock = file.suffix == ".lock" or file.name == "package-lock.json"
    return file.read_bytes().count(b"\n") if file.is_file() and not is_lock else 0


def suite() -> dict[str, float]:
    """Return the processor minutes of the last `make test` by its folders; name what takes much."""
    if not COSTS.exists():
        print("run `make test` first: its costs are not known")
        return {}
    costs = COSTS.read_text()
    parts = speed.minutes_by_part(costs)
    print(
        *(f"tests/{part}: {minutes:.1f} processor minutes" for part, minutes in parts.items()),
        sep="\n",
    )
    print(*speed.large_tests(costs), sep="\n")
    named = {f"tests/{part}": parts.get(part, 0) for part in LARGE_PARTS}
    whole = sum(parts.values())
    return {"suite, min": whole, **named, "other tests": whole - sum(named.values())}


def main() -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        figures = check(folder) | new_and_list(folder) | update_and_status(folder)
        packages(folder)
        first_proof(folder)  # fills the caches
        shutil.rmtree(folder / "proven")
        warm = first_proof(folder)
        print(f"new to first proof, caches warm: {warm:.1f} s")
        figures |= proofs(folder) | invocation(folder) | lines(folder) | suite()
    release = metadata.version("sls-patterns-cli")
    speed.PAGE.write_text(speed.with_line(speed.PAGE.read_text(), release, figures))
    print(f"{speed.PAGE.name} has the line of {release}")


if __name__ == "__main__":
    main()
