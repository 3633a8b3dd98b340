"""An update changes how a queue ends what fails only together with code that names poison."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, product
from pathlib import Path
from typing import Any

import pytest
from _pytest.mark import ParameterSet
from command import Cli
from packaging.version import Version
from releases import VERSIONS, template_of, variants_of
from rendering import ROOT, render_from, render_project
from static.test_project import run_unit_tests
from update.projects import Owned
from update.test_released import Made, check, generated, updated
from variants import Variant, parameters

from sls_patterns_cli.cloudformation.document import read
from sls_patterns_cli.updating.imports import imported

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

    def __str__(self) -> str:
        sent = ", sends" if self.sends else ""
        return f"{self.receives} x {self.visibility} s, batch {self.batch}{sent}"


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


def left_alone() -> Iterator[ParameterSet]:
    """Each released project, edited and not; `make test` has one of each kind."""
    often = [
        (of(NUMBERS, "native")[0], False),
        (of(NUMBERS, "native")[1], True),
        (of(NUMBERS, "function", datastore="aurora-postgresql")[0], True),
        (of("v0.6.1", "scheduled")[1], True),
    ]
    for made, edited in product(MADE, (False, True)):
        marks = [] if (made, edited) in often else [pytest.mark.exhaustive]
        state = "edited" if edited else "as-released"
        yield pytest.param(made, edited, id=f"{made}-{state}", marks=marks)


@pytest.mark.parametrize(("made", "edited"), list(left_alone()))
def test_an_update_leaves_how_queues_end_what_fails(
    cli: Cli,
    coming: Path,
    made: Made,
    edited: bool,  # noqa: FBT001 - a parameter of the test
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
    checked = project.run("check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    for queue, now in after.items():
        assert not now.sends
        assert now.batch == before[queue].batch
        # Since 0.7.0, `scheduled` takes one message at a time, and hides it for less.
        if made.variant.topology != "scheduled" or made.version == NUMBERS:
            assert now.tried_seconds >= before[queue].tried_seconds


@pytest.mark.parametrize("made", parameters(MADE, of(NUMBERS, "scheduled")[1:]), ids=str)
def test_unit_tests_of_a_release_process_poison_after_an_update(
    cli: Cli, coming: Path, made: Made
) -> None:
    project, _ = updated(cli, coming, made)
    run_unit_tests(made.variant, project.folder, "tests/unit")


def facts(made: Made, folder: Path) -> tuple[bool, frozenset[str]]:
    """Whether handlers name poison by the adapter, and how their queues end what fails."""
    render_from(template_of(made.version), folder, made.version, **made.variant.answers)
    project = Owned(folder, Cli(folder, {}))
    (by_adapter,) = {names_poison(project, path) for path in handlers(project, made)}
    return by_adapter, said(folder)


def said(project: Path) -> frozenset[str]:
    """How the queues of a project end what fails."""
    return frozenset(map(str, ends(project / "template.yaml").values()))


def with_answer(folder: Path, service: tuple[str, str, str], answer: str) -> str:
    slug, topology, datastore = service
    further = (("poison", answer),)
    variant = Variant(slug, topology, "python", "sam", datastore, further)
    (same,) = said(render_project(folder, **variant.answers))
    return same


def table(scratch: Path) -> Iterator[str]:
    """The rows in docs/updating.md: one for each service and its releases of equal facts."""
    found: dict[tuple[str, str, str], dict[tuple[bool, frozenset[str]], list[str]]] = {}
    for number, made in enumerate(MADE):
        of_release = facts(made, scratch / f"{number}")
        service = (made.variant.pattern, made.variant.topology, made.variant.datastore)
        releases = found.setdefault(service, {}).setdefault(of_release, [])
        if made.version not in releases:
            releases.append(made.version)
    for service, by_facts in sorted(found.items()):
        # Both languages have the same: each release is there once.
        assert sum(map(len, by_facts.values())) == len({*chain(*by_facts.values())})
        kept, named = (
            with_answer(scratch / f"{'-'.join(service)}-{answer}", service, answer)
            for answer in ("retried", "named")
        )
        for (by_adapter, before), releases in by_facts.items():
            numbers = " ".join(each.removeprefix("v") for each in releases)
            yield (
                f"| {', '.join(service)} | {numbers} | "
                f"{'yes' if by_adapter else 'no'} | {', '.join(before)} | {kept} | {named} |"
            )


@pytest.mark.exhaustive
def test_the_page_says_which_handlers_name_poison_and_what_an_update_changes(
    tmp_path: Path,
) -> None:
    rows = list(table(tmp_path))

    page = (ROOT / "docs/updating.md").read_text().splitlines()
    assert [line for line in page if re.match(r"\| [a-z-]+, ", line)] == rows, "\n".join(rows)


@pytest.mark.parametrize(
    "made", parameters(MADE, of(NUMBERS, "native", "scheduled") + of("v0.6.1", "sns")), ids=str
)
def test_the_adapter_that_names_poison_came_with_one_release(tmp_path: Path, made: Made) -> None:
    by_adapter, _ = facts(made, tmp_path / "project")

    assert by_adapter == calls_adapter(made)


NAMED = ("--data", "poison=named")


def name_poison(project: Owned, coming: Path) -> None:
    """Update with the answer and the fixes that it needs, and settle what is left."""
    done = project.run("update", "--json", "--source", coming, *NAMED, "--apply-fixes")
    assert done.returncode in {0, 3}, done.stderr
    report = json.loads(done.stdout)
    left = ("conflicts", "kept", "unfit", "to_review", "waiting")
    assert [report[each] for each in left] == [[]] * len(left)
    # The adapters' own unit tests are not part of projects any more.
    assert report["orphaned"] == []
    for path in report["not_needed"]:
        (project.folder / path).unlink()


@pytest.mark.parametrize(
    "made",
    parameters(
        [made for made in MADE if made.version == NUMBERS],
        of(NUMBERS, "standard")[:1] + of(NUMBERS, "scheduled")[1:],
    ),
    ids=str,
)
def test_a_project_that_names_poison_has_its_queues_wait(
    cli: Cli, coming: Path, made: Made
) -> None:
    project = generated(cli, made.version, **made.variant.answers)
    template = project.folder / "template.yaml"
    before, stood = ends(template), stateful(template)

    name_poison(project, coming)

    for queue, now in ends(template).items():
        assert now.sends
        assert now.batch == 1
        assert now.tried_seconds > before[queue].tried_seconds
    assert stood <= stateful(template)
    run_unit_tests(made.variant, project.folder, "tests/unit")


@pytest.mark.parametrize(
    "made",
    parameters(
        [made for made in MADE if not calls_adapter(made)],
        of(NUMBERS, "scheduled")[1:] + of("v0.6.1", "standard")[:1],
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


@pytest.mark.parametrize("made", of(NUMBERS, "native")[1:], ids=str)
def test_a_handler_that_names_poison_in_a_form_of_its_own_waives_the_fix(
    cli: Cli, coming: Path, made: Made
) -> None:
    project = generated(cli, made.version, **made.variant.answers)
    edit(project, made)
    project.update("--source", coming)
    project.commit()
    needed = re.search(r"0\.8\.0-\d+", project.refused("--source", coming, *NAMED))
    assert needed

    waived = cli(
        "fix", project.folder, "--waive", needed[0], "--reason", "The handler sends it itself."
    )
    assert waived.returncode == 0, waived.stderr
    project.commit()

    report = project.update("--source", coming, *NAMED, code=3)
    assert {*handlers(project, made)} <= {*report["unfit"]}
    assert all(now.sends for now in ends(project.folder / "template.yaml").values())


@pytest.mark.parametrize("made", of(NUMBERS, "standard")[:1], ids=str)
def test_an_edited_handler_that_names_poison_is_taken_as_it_is(
    cli: Cli, coming: Path, made: Made
) -> None:
    project = generated(cli, made.version, **made.variant.answers)
    edit(project, made)
    (path,) = handlers(project, made)
    mine = project.read(path)

    report = project.update("--source", coming, *NAMED, code=3)

    assert [each["path"] for each in report["to_review"]] == ["tests/unit/test_store.py"]
    assert all(now.sends for now in ends(project.folder / "template.yaml").values())
    assert project.read(path) == mine


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "made", of(NUMBERS, "scheduled")[:1] + of(NUMBERS, "standard")[1:], ids=str
)
def test_a_project_that_names_poison_by_now_passes_its_own_checks(
    cli: Cli, coming: Path, made: Made
) -> None:
    project = generated(cli, made.version, **made.variant.answers)
    name_poison(project, coming)
    check(project, made)


@pytest.mark.parametrize("made", of(NUMBERS, "sns")[:1], ids=str)
def test_an_error_that_may_pass_is_no_poison(cli: Cli, coming: Path, made: Made) -> None:
    """The handler of 0.7.0 rejected each ValueError, such as that of a bug."""
    project = generated(cli, made.version, **made.variant.answers)
    (path,) = handlers(project, made)
    assert "MessageProcessor(logger, ValueError)" in project.read(path)

    assert "needs the fix 0.8.0-" in project.refused("--source", coming, *NAMED)

    name_poison(project, coming)
    assert "ValueError" not in project.read(path)
