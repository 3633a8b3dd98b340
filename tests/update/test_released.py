"""Every version that was really released updates to the newest, and no edit is lost."""

import json
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from _pytest.mark import ParameterSet
from command import Cli
from environments import environment
from packaging.version import Version
from proofs.proving import own_id, prove
from releases import (
    COMING,
    VERSIONS,
    patterns_of,
    released_repository,
    template_of,
    variants_of,
)
from rendering import render_from
from static.test_project import check_types, run_npm, run_unit_tests
from tools import run
from update.projects import Owned
from update.publication import git
from update.test_plain_copier import copier
from variants import Variant, few_of, parameters

from sls_patterns_cli import catalog
from sls_patterns_cli.cloudformation.document import read

BEFORE = [version for version in VERSIONS if Version(version) < COMING]
"""The versions from which there is an update to the working tree."""

TURN = 7
"""Steps from one release's project to the next one's, so that all patterns have their turn."""


@dataclass(frozen=True)
class Made:
    """A project of a released version, and the variant, which that version had."""

    version: str
    variant: Variant

    def __str__(self) -> str:
        return f"{self.version}-{self.variant}"

    @property
    def wiring(self) -> str:
        cdk = {"python": "infrastructure/stack.py", "typescript": "infrastructure/stack.ts"}
        return "template.yaml" if self.variant.iac == "sam" else cdk[self.variant.runtime]

    def comment(self, text: str) -> str:
        return f"// {text}\n" if self.variant.runtime == "typescript" else f"# {text}\n"


def of_versions(versions: Iterable[str]) -> Iterator[Made]:
    """Every pattern of a version in each of its runtimes and flavours, as it has them first."""
    for version in versions:
        for slug, declared in patterns_of(version).items():
            topology = declared["topologies"][0]
            for runtime, iac in product(declared["runtimes"], declared["flavours"]):
                datastore = topology["datastores"][0]
                yield Made(version, Variant(slug, topology["name"], runtime, iac, datastore))


def few(versions: Sequence[str]) -> list[str]:
    """Return the versions whose updates `make test` shows: the newest three, and the oldest."""
    return [*versions[:1], *versions[1:][-3:]]


def to_the_newest() -> list[ParameterSet]:
    """Return every project that updates to the newest version; `make test` takes few of these.

    The few versions are there in each runtime and in each flavour. Both templates were released
    and stay as they are: the update is what a change may break.
    """
    chosen = few_of(
        [
            made
            for number, version in enumerate(few(VERSIONS[:-1]))
            for made in turned(list(of_versions([version])), number)
        ],
        lambda made: {
            (made.version, made.variant.runtime),
            (made.version, made.variant.iac),
            (made.variant.runtime, made.variant.iac),
        },
    )
    return parameters(of_versions(VERSIONS[:-1]), chosen)


def turned(candidates: list[Made], number: int) -> list[Made]:
    """Return them from another one on for each number, which changes with the release to come."""
    start = (number + COMING.minor) * TURN % len(candidates)
    return candidates[start:] + candidates[:start]


def to_be_proven() -> list[Made]:
    """Return those whose own checks run: to run them of all took as long as all other tests do.

    Every pattern of each version is among these, and every pattern in each runtime together with
    each flavour, of the oldest version: what came later comes to these as well.
    """
    candidates = list(of_versions(BEFORE))
    chosen = few_of(
        candidates,
        lambda made: {
            (made.version, made.variant.pattern),
            (made.variant.pattern, made.variant.runtime, made.variant.iac),
        },
    )
    return [made for made in candidates if made in chosen]


def one_of_each_version() -> list[ParameterSet]:
    """Return one of each release; which patterns these are changes with each release to come.

    In one flavour, as it makes no difference to the tests that belong to the user, and in one
    runtime after the other. `make test` takes those of the few versions.
    """
    chosen = []
    for number, version in enumerate(BEFORE):
        runtime = ("python", "typescript")[number % 2]
        in_sam = [made for made in of_versions([version]) if made.variant.iac == "sam"]
        in_runtime = [made for made in in_sam if made.variant.runtime == runtime]
        chosen.append(turned(in_runtime or in_sam, number)[0])
    return parameters(chosen, [made for made in chosen if made.version in few(BEFORE)])


@pytest.fixture(scope="module")
def clone() -> Path:
    return released_repository()


def generated(cli: Cli, version: str, **answers: str) -> Owned:
    """A project as the released version makes it, committed."""
    project = Owned(cli.folder / "project", cli)
    render_from(template_of(version), project.folder, version, **answers)
    git(project.folder, "init", "--quiet")
    project.commit()
    return project


@pytest.mark.skipif(len(VERSIONS) < 2, reason="fewer than two versions were released")
@pytest.mark.parametrize("made", to_the_newest())
def test_a_released_version_updates_to_the_newest(cli: Cli, clone: Path, made: Made) -> None:
    project = generated(cli, made.version, **made.variant.answers)
    (logic,), (model,), (test,), (edited, *handlers) = (
        [
            file.relative_to(project.folder).as_posix()
            for file in sorted(project.folder.glob(pattern))
            if file.stem != "__init__"
        ]
        for pattern in (
            "src/**/logic.*",
            "src/**/models.*",
            "tests/unit/*logic*",
            "src/**/handlers/*",
        )
    )
    deleted = [*handlers[:1], "README.md"]
    mine = made.comment("mine")
    for path in (logic, edited, test, made.wiring):
        project.append(path, mine)
    project.append("Makefile", "# my target\n")
    git(project.folder, "rm", "--quiet", *deleted)
    renamed = model.replace("models", "shapes")
    git(project.folder, "mv", model, renamed)
    added = f"{Path(edited).parent}/of_my_own{Path(edited).suffix}"
    project.write(added, mine)
    project.commit()

    done = project.run("update", "--json", "--source", clone)
    assert done.returncode in {0, 3}, done.stderr
    assert f"_commit: {VERSIONS[-1]}\n" in project.read(".copier-answers.yml")
    for path in (logic, edited, test):
        assert project.read(path).endswith(mine)
    assert mine in project.read(made.wiring)
    assert "# my target\n" in project.read("Makefile")
    assert project.read(added) == mine
    for path in (*deleted, model):
        assert not project.exists(path)
    assert project.exists(renamed)
    shutil.rmtree(project.folder)


@pytest.mark.skipif(len(VERSIONS) < 2, reason="fewer than two versions were released")
def test_an_untouched_project_of_any_version_becomes_a_new_one(cli: Cli, clone: Path) -> None:
    answers = {"pattern": "scalable-webhook", "project_name": "hook"}
    newest = cli.folder / "newest"
    render_from(template_of(VERSIONS[-1]), newest, VERSIONS[-1], **answers)
    project = generated(cli, VERSIONS[0], **answers)
    report = project.update(
        "--source", clone, code=3
    )  # mends in files of the user's are left to review
    for path in (*report["updated"], *report["added"], ".copier-answers.yml"):
        assert project.read(path) == (newest / path).read_text()
    assert report["waiting"]
    for proof in report["waiting"]:
        assert project.read(proof["template"]) == (newest / proof["path"]).read_text()
    for path in report["removed"]:
        assert not (newest / path).exists()


@pytest.mark.skipif("v0.6.1" not in VERSIONS, reason="this version is not known")
@pytest.mark.parametrize("iac", ["sam", "cdk"])
def test_an_update_tells_which_alarms_go_come_and_change(cli: Cli, coming: Path, iac: str) -> None:
    answers = {"pattern": "scalable-webhook", "project_name": "hook", "iac": iac}
    project = generated(cli, "v0.6.1", **answers)

    report = project.update("--source", coming, "--dry-run", code=3)
    told = project.run("update", "--source", coming, "--dry-run").stdout

    alarms = report["alarms"]
    assert "DeliveriesDeadLetterQueueAlarm" in alarms["gone"]
    assert "ReceiveFunctionThrottlesAlarm" in alarms["gone"]
    assert "DeadLettersAlarm" in alarms["new"]
    assert alarms["changed"] == ["DeliveriesQueueAgeAlarm"]
    assert "Alarms of the next deployment" in told


ALARMS_OF = [
    (version, pattern, iac)
    for version in ("v0.4.0", "v0.6.1", "v0.7.0")
    for pattern in ("scalable-webhook", "frugal-consumer")
    for iac in ("sam", "cdk")
    if version in VERSIONS
]
IN_CODE = re.compile(r'"(\w+Alarm)"')
"""The id of an alarm in a stack of CDK; no other resource has such a name."""


@pytest.mark.parametrize("version", few(BEFORE)[-1:])
def test_an_edited_readme_is_merged_or_reported_and_loses_no_edit(
    cli: Cli, coming: Path, version: str
) -> None:
    """The README has half of its lines since 0.8.0."""
    before = generated(cli, version, pattern="scalable-webhook")
    text = before.read("README.md")
    for number, (place, found) in enumerate(
        [
            ("\n## Layout\n", False),  # a heading that stays
            ("\n## When a message fails\n\n", True),  # a text that is shorter now
            ("\n## What is proven, and where\n\n", True),  # a chapter that is gone
        ]
    ):
        project = Owned(cli.folder / f"edited-{number}", cli)
        shutil.copytree(before.folder, project.folder)
        assert text.count(place) == 1
        edit = "\nOn call: 4711.\n" if not found else "On call: 4711.\n\n"
        changed = text.replace(place, edit + place if not found else place + edit)
        project.write("README.md", changed)
        project.commit()

        done = project.run("update", "--json", "--source", coming)

        assert done.returncode in {0, 3}, done.stderr
        report = json.loads(done.stdout)
        assert "On call: 4711." in project.read("README.md")
        reported = "README.md" in [each["path"] for each in report["conflicts"]]
        assert reported == ("<<<<<<<" in project.read("README.md"))
        lines = len(project.read("README.md").splitlines())
        assert reported or lines <= 160, lines


def declared(project: Owned, iac: str) -> dict[str, Any]:
    """Return the alarms that a project declares: by logical id in SAM's template what it says."""
    if iac == "cdk":
        files = (project.folder / "infrastructure").glob("*.py")
        return dict.fromkeys(id_ for file in files for id_ in IN_CODE.findall(file.read_text()))
    resources = read(project.folder / "template.yaml")["Resources"].items()
    return {name: each for name, each in resources if each["Type"] == "AWS::CloudWatch::Alarm"}


@pytest.mark.parametrize("made", parameters(ALARMS_OF, ALARMS_OF[-4::3]))
def test_what_is_told_of_alarms_is_what_becomes_of_them(
    cli: Cli, coming: Path, made: tuple[str, str, str]
) -> None:
    version, pattern, iac = made
    project = generated(cli, version, pattern=pattern, project_name="service", iac=iac)
    before = declared(project, iac)

    done = project.run("update", "--json", "--source", coming)

    after, told = declared(project, iac), json.loads(done.stdout)["alarms"]
    assert set(told["gone"]) == before.keys() - after.keys()
    assert set(told["new"]) == after.keys() - before.keys()
    assert set(told["changed"]) <= before.keys() & after.keys()
    if iac == "sam":
        both = before.keys() & after.keys()
        assert set(told["changed"]) == {name for name in both if before[name] != after[name]}
    assert told["gone"]
    assert told["new"]


OWN_PROOF = {
    "python": (
        "tests/e2e/test_mine.py",
        """from e2e.kept_messages import KeptMessages
from e2e.service import Service


def test_mine(service: Service, outputs: dict[str, str]) -> None:
    letters = KeptMessages(outputs["DeliveriesDeadLetterQueueUrl"], lambda each: each["MessageId"])
    assert letters.take() == set()
""",
    ),
    "typescript": (
        "tests/e2e/mine.test.ts",
        """import { expect, test } from "vitest";

import { KeptMessages } from "./kept-messages.ts";
import { Outputs } from "./stack.ts";

test("mine", async () => {
  const outputs = await Outputs.read();
  const url = outputs.get("DeliveriesDeadLetterQueueUrl");
  const letters = new KeptMessages(url, ({ MessageId = "" }) => MessageId);
  expect(await letters.take()).toEqual(new Set());
});
""",
    ),
}
"""A proof that a user has written with what released projects have for proofs."""


@pytest.mark.skipif("v0.7.0" not in VERSIONS, reason="that version is not here")
@pytest.mark.parametrize("runtime", OWN_PROOF)
def test_what_an_own_proof_imports_stays_and_works(cli: Cli, coming: Path, runtime: str) -> None:
    project = generated(cli, "v0.7.0", pattern="scalable-webhook", runtime=runtime)
    path, text = OWN_PROOF[runtime]
    project.write(path, text)
    project.commit()
    ending = {"python": ".py", "typescript": ".ts"}[runtime]
    joint = {"python": "_", "typescript": "-"}[runtime]

    report = project.update("--apply-fixes", "--source", coming)

    kept, waiting, gone = (
        f"tests/e2e/{name.replace(' ', joint)}{ending}"
        for name in ("kept messages", "waiting", "log group")
    )
    assert {each["path"]: each["imported_by"] for each in report["kept"]} == {
        kept: path,
        waiting: kept,
    }
    assert project.exists(kept)
    assert not project.exists(gone)
    assert prove(project.folder, "mine").passed == {"mine"}


@pytest.mark.skipif(not VERSIONS, reason="no version was released")
def test_released_mends_keep_their_ids() -> None:
    released = template_of(VERSIONS[-1])
    for slug in {path.parent.name for path in released.glob("templates/patterns/*/mends.yml")}:
        now = {mend.id: (mend.reason, mend.files) for mend in catalog.released_fixes(slug)}
        for mend in catalog.released_fixes(slug, released):
            assert now[mend.id] == (mend.reason, mend.files), f"{slug}: {mend.id}"


def take_mended_unit_tests(project: Owned, report: Any) -> None:
    """Change the unit tests of mends that are about nothing else: the update makes these fail.

    The unit tests of a mend in code go with that code, which stays as it is here.
    """
    reviews = report["to_review"]
    of_code = {
        reason
        for review in reviews
        if not review["path"].startswith("tests/unit/")
        for reason in review["reasons"]
    }
    for review in reviews:
        if of_code.isdisjoint(review["reasons"]):
            project.write("mend.diff", review["diff"])
            git(project.folder, "apply", "mend.diff")
            (project.folder / "mend.diff").unlink()


def proof_of(file: Path) -> str:
    """Return the id of the proof that stands in a file of its own."""
    return file.name.partition(".")[0].removeprefix("test_").replace("_", "-")


def updated(cli: Cli, coming: Path, made: Made) -> tuple[Owned, Any]:
    """Return a project as the update to come leaves it, and the report."""
    project = generated(cli, made.version, **made.variant.answers)
    done = project.run("update", "--json", "--source", coming)
    assert done.returncode in {0, 3}, done.stderr
    report = json.loads(done.stdout)
    left = ("conflicts", "kept", "orphaned", "unfit")
    assert [report[each] for each in left] == [[]] * len(left)
    take_mended_unit_tests(project, report)
    return project, report


@pytest.mark.parametrize("made", one_of_each_version())
def test_an_updated_project_passes_its_own_unit_tests(cli: Cli, coming: Path, made: Made) -> None:
    project, _ = updated(cli, coming, made)

    run_unit_tests(made.variant, project.folder, "tests/unit")


@pytest.mark.exhaustive
@pytest.mark.parametrize("made", to_be_proven(), ids=str)
def test_an_updated_project_passes_its_own_checks(cli: Cli, coming: Path, made: Made) -> None:
    project, report = updated(cli, coming, made)
    check(project, made, {proof_of(Path(each["path"])) for each in report["waiting"]})


@pytest.mark.exhaustive
@pytest.mark.parametrize("made", to_be_proven(), ids=str)
def test_a_project_updated_with_its_fixes_passes_its_own_checks(
    cli: Cli, coming: Path, made: Made
) -> None:
    project = generated(cli, made.version, **made.variant.answers)
    project.update("--source", coming, "--apply-fixes")
    check(project, made)


def check(project: Owned, made: Made, waiting: AbstractSet[str] = frozenset()) -> None:
    """Run the project's own checks and its proofs, but for those that wait for a fix."""
    project.commit()
    if made.variant.runtime == "python":
        tools = environment(project.folder)
        for command in (("check",), ("format", "--check")):
            run([tools / "ruff", *command], project.folder)
        check_types([project.folder])
    else:
        for script in ("lint", "typecheck"):
            run_npm(project.folder, "run", script)
    run_unit_tests(made.variant, project.folder)
    proven = prove(project.folder)

    recorded = yaml.safe_load(project.read(".copier-answers.yml"))
    topology = catalog.pattern(made.variant.pattern).topology(made.variant.topology)
    if recorded.get("external_auth") == "none":
        topology = topology.without_credentials or topology
    topology = topology.with_poison(recorded.get("poison", "named"))
    assert proven.failed == set(), proven.printed
    assert proven.passed == {own_id(proof.id) for proof in topology.proofs} - waiting


WEB_SERVICE = {"pattern": "simple-web-service", "project_name": "shop"}
OPEN = [
    version
    for version in BEFORE
    if any(each.pattern == WEB_SERVICE["pattern"] for each in variants_of(version))
]
"""The versions whose web service anyone may call."""


def authorizing(project: Owned) -> bool:
    template = read(project.folder / "template.yaml")
    return any("Auth" in each.get("Properties", {}) for each in template["Resources"].values())


@pytest.mark.parametrize("version", parameters(OPEN, {*OPEN[:1], *OPEN[-1:]}))
def test_an_update_lets_call_whom_the_version_of_the_project_did(
    cli: Cli, coming: Path, version: str
) -> None:
    project = generated(cli, version, **WEB_SERVICE)

    done = project.run("update", "--json", "--source", coming)

    assert json.loads(done.stdout)["answers"]["auth"]["to"] == "none", done.stderr
    assert "auth: none\n" in project.read(".copier-answers.yml")
    assert not authorizing(project)


def update_by_copier(cli: Cli, project: Owned, coming: Path) -> None:
    """Update as who has only Copier does, without an answer."""
    answers = project.read(".copier-answers.yml")
    project.write(
        ".copier-answers.yml",
        "".join(
            f"_src_path: git+file://{coming}\n" if line.startswith("_src_path") else line
            for line in answers.splitlines(keepends=True)
        ),
    )
    project.commit()
    copier(cli, project.folder, "update", "--defaults", "--quiet", "--vcs-ref", f"v{COMING}")


@pytest.mark.parametrize("version", parameters(sorted({*OPEN[:1], *OPEN[-1:]}), OPEN[-1:]))
def test_plain_copier_lets_call_whom_the_version_of_the_project_did(
    cli: Cli, coming: Path, version: str
) -> None:
    project = generated(cli, version, **WEB_SERVICE)

    update_by_copier(cli, project, coming)

    assert "auth: none\n" in project.read(".copier-answers.yml")
    assert not authorizing(project)


@pytest.mark.parametrize("runtime", ["python", "typescript"])
def test_an_update_can_ask_callers_for_tokens_and_leaves_handlers_to_the_user(
    cli: Cli, coming: Path, runtime: str
) -> None:
    answers = {**WEB_SERVICE, "topology": "rest-api", "runtime": runtime}
    project = generated(cli, OPEN[-1], **answers)
    handler, authorizer = {
        "python": ("src/shop/handlers/catalog.py", "src/shop/authorizer/authorize.py"),
        "typescript": ("src/handlers/catalog.ts", "src/authorizer/authorize.ts"),
    }[runtime]
    mine = project.read(handler) + ("# mine\n" if runtime == "python" else "// mine\n")
    project.write(handler, mine)
    project.commit()

    done = project.run("update", "--json", "--source", coming, "--data", "auth=jwt")

    report = json.loads(done.stdout)
    assert report["answers"]["auth"] == {"from": None, "to": "jwt"}
    assert (report["conflicts"], report["replaced"]) == ([], [])
    assert project.read(handler) == mine
    assert project.exists(authorizer)
    assert authorizing(project)


def with_topology(pattern: str, topology: str) -> list[str]:
    """Return the versions that had a topology."""
    return [
        version
        for version in BEFORE
        if any((v.pattern, v.topology) == (pattern, topology) for v in variants_of(version))
    ]


SIGNING_IN = {"circuit-breaker": "http-api", "aggregator": "http"}
SHOWN = {("circuit-breaker", "command"), ("aggregator", "copier")}
"""Of each pattern one way to update, which is that of both."""

UPDATES = [
    pytest.param(
        *(pattern, versions[at], by),
        marks=() if (pattern, by) in SHOWN else pytest.mark.exhaustive,
    )
    for pattern, topology in SIGNING_IN.items()
    for versions in [with_topology(pattern, topology)]
    for at, by in ((0, "command"), (-1, "copier"))
    if versions
]


@pytest.mark.parametrize(("pattern", "version", "by"), UPDATES)
def test_an_update_signs_in_nowhere_if_the_project_did_not(
    cli: Cli, coming: Path, pattern: str, version: str, by: str
) -> None:
    topology = SIGNING_IN[pattern]
    project = generated(cli, version, pattern=pattern, topology=topology, project_name="shop")

    if by == "copier":
        update_by_copier(cli, project, coming)
    else:
        done = project.run("update", "--json", "--source", coming)
        told = json.loads(done.stdout)["answers"]["external_auth"]
        assert (told["to"], told["new_projects"]) == ("none", "secret")

    assert "external_auth: none\n" in project.read(".copier-answers.yml")
    template = project.read("template.yaml")
    assert "AWS::SecretsManager::Secret" not in template
    assert "SignIn" not in template
    assert not project.exists("src/shop/adapters/bearer_token.py")


TOOLS = {"python": "tools/dead_letters.py", "typescript": "tools/dead-letters.ts"}


@pytest.mark.parametrize("version", with_topology("internal-handoff", "destination")[-1:])
@pytest.mark.parametrize("runtime", ["python", "typescript"])
def test_an_update_keeps_the_tool_for_dead_letters_until_the_command_is_asked_for(
    cli: Cli, coming: Path, version: str, runtime: str
) -> None:
    made = {"pattern": "internal-handoff", "runtime": runtime, "project_name": "shop"}
    project = generated(cli, version, **made)

    done = project.run("update", "--json", "--source", coming)

    told = json.loads(done.stdout)["answers"]["dead_letters"]
    assert (told["to"], told["new_projects"]) == ("tool", "command")
    assert "dead_letters: tool\n" in project.read(".copier-answers.yml")
    assert f"{TOOLS[runtime]} list" in project.read("Makefile")
    assert project.exists(TOOLS[runtime])
    project.commit()

    project.update("--source", coming, "--data", "dead_letters=command")

    assert "sls-patterns letters list $(chosen)" in project.read("Makefile")
    assert "dead_letters: command\n" in project.read(".copier-answers.yml")
    assert not project.exists("tools")
    project.commit()

    project.update("--source", coming)

    assert not project.exists("tools")


@pytest.mark.parametrize("version", with_topology("internal-handoff", "destination")[-1:])
def test_an_edited_tool_for_dead_letters_is_kept_and_reported(
    cli: Cli, coming: Path, version: str
) -> None:
    project = generated(cli, version, pattern="internal-handoff", project_name="shop")
    project.run("update", "--source", coming)
    project.commit()
    tool = TOOLS["python"]
    edited = project.read(tool) + "# ours\n"
    project.write(tool, edited)
    project.commit()

    done = project.run("update", "--json", "--source", coming, "--data", "dead_letters=command")

    assert done.returncode == 3
    assert tool in json.dumps(json.loads(done.stdout)["kept"])
    assert project.read(tool) == edited
    assert not project.exists("tools/dead_letter_queue.py")


@pytest.mark.parametrize("version", with_topology("scalable-webhook", "function")[-1:])
def test_an_update_generates_no_secret_again(cli: Cli, coming: Path, version: str) -> None:
    """Fact J11: any change in the block that generates it would replace what was stored."""
    project = generated(cli, version, pattern="scalable-webhook", project_name="shop")

    def generating() -> Any:
        resources = read(project.folder / "template.yaml")["Resources"]
        return resources["SigningSecret"]["Properties"]["GenerateSecretString"]

    before = generating()
    project.run("update", "--source", coming)

    assert generating() == before


@pytest.mark.parametrize("version", with_topology("fifoer", "native")[-1:])
@pytest.mark.parametrize("runtime", TOOLS)
def test_an_update_lets_the_tool_for_dead_letters_hold_a_group_back(
    cli: Cli, coming: Path, version: str, runtime: str
) -> None:
    project = generated(cli, version, pattern="fifoer", runtime=runtime, project_name="shop")
    held_back = "is behind one of its group that stays"
    assert held_back not in project.read(TOOLS[runtime])

    project.run("update", "--source", coming)  # it may leave fixes to apply

    assert held_back in project.read(TOOLS[runtime])
