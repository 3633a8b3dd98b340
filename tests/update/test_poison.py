"""An update changes how a queue ends what fails only together with code that names poison."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from command import Cli
from packaging.version import Version
from releases import VERSIONS, template_of, variants_of
from rendering import render_from
from static.test_project import run_unit_tests
from update.projects import Owned
from update.test_released import Made, generated
from variants import parameters

from sls_patterns_cli.cloudformation.document import read
from sls_patterns_cli.updating.imports import imported

pytestmark = pytest.mark.xdist_group("released projects")

NUMBERS = "v0.7.0"
"""The release whose numbers a project keeps until its code names poison."""

CONSUMERS = {
    "distributed-trigger": ("bill", "notify", "scan"),
    "fifoer": ("post", "drain"),
    "frugal-consumer": ("store",),
    "notifier": ("invoice",),
    "scalable-webhook": ("process",),
}
"""The handlers that consume a queue, of the patterns of which a release had such a one."""


@dataclass(frozen=True)
class Ends:
    """What becomes of the messages of a queue that a function of the stack consumes."""

    receives: int
    visibility: int
    timeout: int
    batch: int
    sends: bool
    """Whether the function may send messages to the queue's dead-letter queue."""

    @property
    def tried_seconds(self) -> int:
        return self.receives * self.visibility


def ends(template: Path) -> dict[str, Ends]:
    """Return how each queue of SAM's template ends that a function consumes, by logical id."""
    resources = read(template)["Resources"]
    return dict(_ends(resources))


def _ends(resources: dict[str, Any]) -> Iterator[tuple[str, Ends]]:
    for name, queue in resources.items():
        policy = queue.get("Properties", {}).get("RedrivePolicy")
        if queue["Type"] != "AWS::SQS::Queue" or policy is None:
            continue
        for logical_id, function in resources.items():
            if function["Type"] != "AWS::Serverless::Function":
                continue
            facts = function["Properties"]
            mapping = [
                each["Properties"]
                for each in resources.values()
                if each["Type"] == "AWS::Lambda::EventSourceMapping"
                and _names(each["Properties"]["EventSourceArn"], name)
                and _names(each["Properties"]["FunctionName"], logical_id)
            ]
            allowed = [
                statement
                for each in facts.get("Policies", [])
                for statement in each.get("Statement", [])
            ]
            if not mapping and not any(
                "sqs:ReceiveMessage" in each["Action"] and _names(each["Resource"], name)
                for each in allowed
            ):
                continue
            end = policy["deadLetterTargetArn"]
            yield (
                name,
                Ends(
                    policy["maxReceiveCount"],
                    queue["Properties"]["VisibilityTimeout"],
                    facts["Timeout"],
                    mapping[0]["BatchSize"] if mapping else 1,
                    any(
                        "sqs:SendMessage" in each["Action"] and each["Resource"] == end
                        for each in allowed
                    ),
                ),
            )


def _names(reference: object, resource: str) -> bool:
    return f'"{resource}"' in json.dumps(reference) or f'"{resource}.' in json.dumps(reference)


def consuming() -> Iterator[Made]:
    """Every released project that consumes a queue, in SAM: parity compares the flavours."""
    for version in VERSIONS:
        if Version(version) <= Version(NUMBERS):
            for variant in sorted(variants_of(version), key=str):
                if variant.pattern in CONSUMERS and variant.iac == "sam":
                    yield Made(version, variant)


MADE = list(consuming())


def of(version: str, *topologies: str, datastore: str = "dynamodb") -> list[Made]:
    """Those of a version, in each runtime."""
    return [
        made
        for made in MADE
        if made.version == version
        and made.variant.topology in topologies
        and made.variant.datastore == datastore
    ]


def calls_adapter(made: Made) -> bool:
    """Whether its handlers give what they reject to `MessageProcessor`."""
    return made.version == NUMBERS and made.variant.topology != "scheduled"


def handlers(project: Owned, made: Made) -> list[str]:
    """The handlers that consume a queue."""
    return [
        path.relative_to(project.folder).as_posix()
        for path in sorted(project.folder.glob("src/**/handlers/*"))
        if path.stem in CONSUMERS[made.variant.pattern]
    ]


def names_poison(project: Owned, path: str) -> bool:
    """Whether a handler gives its rejections to the adapter that sends them to their end."""
    content = (project.folder / path).read_bytes()
    return any("MessageProcessor" in names for _, names in imported(path, content))


def edit(project: Owned, made: Made) -> None:
    """Change each handler that consumes a queue, as its owner would."""
    for path in handlers(project, made):
        project.append(path, made.comment("mine"))
    project.commit()


def stateful(template: Path) -> set[tuple[str, str]]:
    """Return the queues, tables and databases, by logical id."""
    return {
        (name, each["Type"])
        for name, each in read(template)["Resources"].items()
        if each["Type"] in {"AWS::SQS::Queue", "AWS::DynamoDB::Table", "AWS::RDS::DBCluster"}
    }


@pytest.mark.parametrize("edited", [False, True], ids=["as-released", "edited"])
@pytest.mark.parametrize(
    "made",
    parameters(MADE, of(NUMBERS, "native", "direct") + of("v0.6.1", "scheduled")[:1]),
    ids=str,
)
def test_an_update_leaves_how_queues_end_what_fails(
    cli: Cli, coming: Path, made: Made, *, edited: bool
) -> None:
    project = generated(cli, made.version, **made.variant.answers)
    if edited:
        edit(project, made)
    template = project.folder / "template.yaml"
    before, stood = ends(template), stateful(template)
    render_from(template_of(NUMBERS), cli.folder / "then", NUMBERS, **made.variant.answers)

    done = project.run("update", "--json", "--source", coming)

    after = ends(template)
    assert json.loads(done.stdout)["answers"]["poison"] == {
        "from": None,
        "to": "retried",
        "new_projects": "named",
    }, done.stderr
    assert after == ends(cli.folder / "then/template.yaml")
    assert stood <= stateful(template)
    for queue, now in after.items():
        assert not now.sends
        assert now.batch == before[queue].batch
        # Since 0.7.0, `scheduled` takes one message at a time, and hides it for less.
        if made.variant.topology != "scheduled" or made.version == NUMBERS:
            assert now.tried_seconds >= before[queue].tried_seconds


def test_the_adapter_that_names_poison_came_with_one_release(cli: Cli) -> None:
    """The table in docs/updating.md says so."""
    for number, made in enumerate(MADE):
        folder = cli.folder / str(number)
        render_from(template_of(made.version), folder, made.version, **made.variant.answers)
        project = Owned(folder, cli)
        for path in handlers(project, made):
            assert names_poison(project, path) == calls_adapter(made), f"{made}: {path}"


NAMED = ("--data", "poison=named")


@pytest.mark.parametrize(
    "made",
    parameters(
        [made for made in MADE if made.version == NUMBERS], of(NUMBERS, "standard", "scheduled")
    ),
    ids=str,
)
def test_a_project_that_names_poison_has_its_queues_wait(
    cli: Cli, coming: Path, made: Made
) -> None:
    project = generated(cli, made.version, **made.variant.answers)
    template = project.folder / "template.yaml"
    before, stood = ends(template), stateful(template)

    done = project.run("update", "--json", "--source", coming, *NAMED, "--apply-fixes")

    assert done.returncode == 0, done.stdout + done.stderr
    inside = made.variant.datastore == "aurora-postgresql"
    for queue, now in ends(template).items():
        assert now.sends != inside
        assert now.batch == 1
        assert now.tried_seconds > before[queue].tried_seconds
    assert stood <= stateful(template)
    run_unit_tests(made.variant, project.folder, "tests/unit")


@pytest.mark.parametrize(
    "made",
    parameters(
        [made for made in MADE if not calls_adapter(made)],
        of(NUMBERS, "scheduled") + of("v0.6.1", "standard"),
    ),
    ids=str,
)
def test_queues_do_not_wait_for_handlers_that_name_no_poison(
    cli: Cli, coming: Path, made: Made
) -> None:
    project = generated(cli, made.version, **made.variant.answers)
    edit(project, made)

    says = project.refused("--source", coming, *NAMED, "--apply-fixes")

    assert says.startswith("poison=named needs the fix 0.8.0-"), says
    assert all(path in says for path in handlers(project, made))
    # A project that is of this release by now has its handlers still.
    project.run("update", "--source", coming)
    project.commit()
    assert project.refused("--source", coming, *NAMED).startswith("poison=named needs the fix")


@pytest.mark.parametrize("made", of(NUMBERS, "sns")[:1], ids=str)
def test_an_error_that_may_pass_is_no_poison(cli: Cli, coming: Path, made: Made) -> None:
    """The handler of 0.7.0 rejected each ValueError, such as that of a bug."""
    project = generated(cli, made.version, **made.variant.answers)
    (path,) = handlers(project, made)
    assert "MessageProcessor(logger, ValueError)" in project.read(path)

    assert "needs the fix 0.8.0-" in project.refused("--source", coming, *NAMED)

    project.update("--source", coming, *NAMED, "--apply-fixes")
    assert "ValueError" not in project.read(path)
