"""A finding is suppressed with a reason, and what suppresses nothing is told."""

import json
from typing import Any

import pytest
from checking import findings, page
from command import Cli

FILE = ".sls-patterns-check.yml"
REASON = "the producer repeats"
ENTRY = f"suppress: [{{rule: SP101, resource: Orders, reason: {REASON}}}]"


def write(cli: Cli, written: str, template: str = "template.yaml") -> None:
    """Write a template and the folder that it is in."""
    file = cli.folder / template
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(written)


def with_metadata(resource: str, metadata: Any, rule: str = "SP101") -> str:
    """The broken template of a rule, where a resource has this Metadata."""
    first, head, rest = page(rule).broken.partition(f"  {resource}:")
    line, _, rest = rest.partition("\n")
    return f"{first}{head}{line}\n    Metadata: {json.dumps(metadata)}\n{rest}"


def suppressing(**reasons: Any) -> dict[str, Any]:
    return {"sls-patterns": {"suppress": reasons}}


def reasons(cli: Cli, *paths: str) -> dict[tuple[str, str], str | None]:
    return {
        (each["rule"], each["file"]): each.get("suppressed")
        for each in findings(cli, *(paths or ("template.yaml",)))
    }


def test_the_metadata_of_a_resource_suppresses_its_findings_of_that_rule(cli: Cli) -> None:
    write(cli, with_metadata("Orders", suppressing(SP101=REASON)))

    found = reasons(cli)
    assert found["SP101", "template.yaml"] == REASON
    assert found["SP501", "template.yaml"] is None
    assert cli("check", "template.yaml").returncode == 0


def test_the_metadata_of_a_function_holds_for_what_sam_makes_of_its_events(cli: Cli) -> None:
    write(cli, with_metadata("Worker", suppressing(SP401="one at a time")))

    assert reasons(cli)["SP401", "template.yaml"] == "one at a time"


def test_metadata_of_other_tools_suppresses_nothing(cli: Cli) -> None:
    write(cli, with_metadata("Orders", {"cfn-lint": {"config": {"ignore_checks": ["E3505"]}}}))

    assert set(reasons(cli).values()) == {None}


def test_a_file_beside_the_template_suppresses_the_findings_of_a_resource(cli: Cli) -> None:
    write(cli, page("SP101").broken)
    write(cli, page("SP101").broken, "other.yaml")
    write(
        cli,
        "suppress:\n"
        "  - rule: SP101\n"
        "    resource: Orders\n"
        "    file: template.yaml\n"
        "    reason: >-\n"
        "      the producer\n"
        "      repeats\n"
        "  - {rule: SP401, resource: '*', reason: one at a time}\n",
        FILE,
    )

    found = reasons(cli, "template.yaml", "other.yaml")
    assert found["SP101", "template.yaml"] == REASON
    assert found["SP101", "other.yaml"] is None
    assert found["SP401", "template.yaml"] == found["SP401", "other.yaml"] == "one at a time"


@pytest.mark.parametrize(
    ("at", "path", "reason"),
    [
        (".", "service/infra/template.yaml", REASON),
        ("service", "service/infra/template.yaml", REASON),
        ("service", "service", REASON),
        ("other", "service/infra/template.yaml", None),
    ],
)
def test_a_file_holds_for_the_folders_below_it(
    at: str, path: str, reason: str | None, cli: Cli
) -> None:
    write(cli, page("SP101").broken, "service/infra/template.yaml")
    write(cli, ENTRY, f"{at}/{FILE}")

    found = reasons(cli, path)

    assert found["SP101", "service/infra/template.yaml"] == reason


def test_a_file_holds_in_a_folder_that_is_elsewhere(cli: Cli) -> None:
    write(cli, page("SP101").broken, "service/infra/template.yaml")
    write(
        cli, f"suppress: [{{rule: SP101, resource: Orders, reason: {REASON}}}]", f"service/{FILE}"
    )
    write(cli, "suppress: [broken", FILE)
    (cli.folder / "elsewhere").mkdir()
    elsewhere = Cli(cli.folder / "elsewhere", cli.environment)

    found = reasons(elsewhere, "../service")

    assert found["SP101", "../service/infra/template.yaml"] == REASON


def test_what_matches_no_finding_is_a_finding_itself(cli: Cli) -> None:
    write(cli, with_metadata("Orders", suppressing(SP104="once")))
    write(
        cli,
        "suppress:\n"
        "- {rule: SP103, resource: Gone, file: template.yaml, reason: once}\n"
        "- {rule: SP103, resource: Gone, file: other.yaml, reason: not checked}\n"
        "- {rule: SP103, resource: '*', reason: perhaps of another template}\n",
        FILE,
    )

    stale = [each for each in findings(cli, "template.yaml") if each["rule"] == "SP001"]

    assert [(each["file"], each["line"], each["resource"]) for each in stale] == [
        ("template.yaml", 3, "Orders"),
        (FILE, 2, "Gone"),
    ]
    assert [each["severity"] for each in stale] == ["note", "note"]
    assert "SP104" in stale[0]["message"]


@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        (suppressing(SP101=""), "the suppression of SP101 needs a reason"),
        (suppressing(SP101=None), "the suppression of SP101 needs a reason"),
        (suppressing(SP101=True), "the suppression of SP101 needs a reason"),
        (suppressing(SP001="x"), "'SP001' is no rule that can be suppressed"),
        (suppressing(SP999="x"), "'SP999' is no rule that can be suppressed"),
        ({"sls-patterns": {"suppress": ["SP101"]}}, "suppress must map rules to reasons"),
        (
            {"sls-patterns": {"supress": {}}},
            "sls-patterns in the Metadata may be letters, or have one key",
        ),
        ({"sls-patterns": "SP101"}, "sls-patterns in the Metadata may be letters, or have one key"),
    ],
)
def test_metadata_without_a_rule_and_a_reason_is_refused(
    metadata: dict[str, Any], error: str, cli: Cli
) -> None:
    write(cli, with_metadata("Orders", metadata))

    refused(cli, f"template.yaml:3: {error}")


@pytest.mark.parametrize(
    ("written", "error"),
    [
        ("suppress: [{rule: SP101, resource: Orders}]", ":1: the suppression of SP101 needs a"),
        ("suppress: [{rule: SP101, reason: x}]", ":1: resource must be a logical id"),
        ("suppress:\n- {rule: SP1, resource: A, reason: x}", ":2: 'SP1' is no rule"),
        ("suppress:\n- {rule: [SP101], resource: A, reason: x}", ":2: ['SP101'] is no rule"),
        ("suppress: [{rule: SP101, resource: A, reasons: x}]", ":1: an entry has the keys"),
        ("suppress: [SP101]", ":1: an entry has the keys"),
        ("suppress: [{rule: SP101, resource: A, file: 1, reason: x}]", ":1: file must be a path"),
        ("suppress: {SP101: x}", " must have one key, suppress, with a list"),
        ("suppress:", " must have one key, suppress, with a list"),
        ("", " must have one key, suppress, with a list"),
        ("- rule: SP101", " must have one key, suppress, with a list"),
        ("suppress: x\nsuppress: []", " must have one key, suppress, with a list"),
        ("<<: {suppress: []}", " must have one key, suppress, with a list"),
        ("suppress: []\nsuppress: [a, b]", " must have one key, suppress, with a list"),
        ("suppress: [", " is not YAML"),
        ("suppress: &all [*all]", ":1: an entry has the keys"),
        ("suppress: !!python/object:os.system []", " is not YAML"),
        pytest.param("[" * 2000, " is not YAML", id="deep"),
    ],
)
def test_a_file_of_another_form_is_refused(written: str, error: str, cli: Cli) -> None:
    write(cli, page("SP101").broken)
    write(cli, written, FILE)

    refused(cli, f"{FILE}{error}")


def refused(cli: Cli, error: str) -> None:
    done = cli("check", "template.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"sls-patterns: {error}"), done.stderr
    assert done.stderr.count("\n") == 1
