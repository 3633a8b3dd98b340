"""cfn-lint with our rules finds what the command finds."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from checking import page
from command import Cli

from sls_patterns_cli.check.rules import RULES

LETTERS = {"error": "E", "warning": "W", "note": "I"}


def cfn_lint(folder: Path, *arguments: str, given: str | None = None) -> list[dict[str, Any]]:
    """Run it with our rules alone, at all severities."""
    done = subprocess.run(
        [
            Path(sys.executable).with_name("cfn-lint"),
            *("--append-rules", "sls_patterns_cli.check.cfn_lint_rules"),
            *("--include-checks", "I", "--ignore-checks", "I3011", "I3013"),
            *("--format", "json"),
            *arguments,
        ],
        cwd=folder,
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_it_finds_what_the_command_finds_at_the_same_lines(cli: Cli) -> None:
    """So what has an example is nothing that cfn-lint finds itself."""
    templates = []
    for rule in RULES:
        for name, text in (("broken", page(rule).broken), ("mended", page(rule).mended)):
            templates.append(f"{rule}-{name}.yaml")
            (cli.folder / templates[-1]).write_text(text)
    done = cli("check", "--json", *templates)
    expected = {
        (each["file"], each["line"], LETTERS[each["severity"]] + each["rule"], each["resource"])
        for each in json.loads(done.stdout)["findings"]
    }

    found = {
        (
            each["Filename"],
            each["Location"]["Start"]["LineNumber"],
            each["Rule"]["Id"],
            each["Location"]["Path"][1],
        )
        for each in cfn_lint(cli.folder, "--", *templates)
    }

    assert found == expected
    assert {rule[1:] for _, _, rule, _ in found} == set(RULES)


def test_a_finding_says_what_to_do_and_what_is_suppressed_is_none(cli: Cli) -> None:
    suppressed = page("SP101").broken.replace(
        "Type: AWS::SQS::Queue\n",
        "Type: AWS::SQS::Queue\n    Metadata: {sls-patterns: {suppress: {SP501: no zone}}}\n",
    )
    (cli.folder / "template.yaml").write_text(suppressed)

    found = {each["Rule"]["Id"]: each for each in cfn_lint(cli.folder, "template.yaml")}

    assert found.keys() == {"ESP101", "WSP401"}
    assert (found["ESP101"]["Level"], found["ESP101"]["Rule"]["Source"]) == (
        "Error",
        RULES["SP101"].url,
    )
    assert "RedrivePolicy" in found["ESP101"]["Message"]


def test_standard_input_is_refused_once(cli: Cli) -> None:
    (only,) = cfn_lint(cli.folder, given=page("SP101").broken)

    assert only["Rule"]["Id"] == "E0002"
    assert "files only, not standard input" in only["Message"]
