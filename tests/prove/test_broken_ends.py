"""The least stack for each mechanism loses nothing, and with its end broken it loses something."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from command import Cli
from contract.changes import REMOVE, changed
from contract.examples import EXAMPLES
from proving_stacks import proven
from rendering import ROOT

from sls_patterns_cli.cloudformation.conditions import Choice
from sls_patterns_cli.cloudformation.stack import stack_of
from sls_patterns_cli.wiring.edges import edges

BROKEN = yaml.safe_load((ROOT / "tests/contract/broken.yml").read_text("utf-8"))
MECHANISMS = ("E1", "E2", "E3", "E4", "E5", "E6", "E7", "E8", "E10")

UNWRITABLE = re.compile(
    r"must be allowed (sqs:SendMessage|s3:PutObject) on (Failed|Dead|\$\{Bad\.Arn\})"
    r"|^E[34] Dead: its policy must let"
)
"""What the contract says of an end to which nobody may write."""

SENT_BY_CODE = {"E1 Store.Environment"}
"""What a handler sends to a dead-letter queue itself: `prove` runs none."""

REFUSED = {"E2 WorkInvokes.Qualifier"}
"""A configuration for an alias that there is not."""

FEW = {"E1 Orders.RedrivePolicy", "E2 WorkRole.Policies", "E4 ToInbox.RedrivePolicy"}


def broken(mutant: dict[str, Any]) -> dict[str, Any]:
    change = (mutant["set"], mutant["to"]) if "set" in mutant else (mutant["remove"], REMOVE)
    return changed(EXAMPLES[mutant["in"]](), *change)


def ends(template: dict[str, Any]) -> dict[tuple[str, str, str], str]:
    """Return what kind of end each edge has, as it is read."""
    found = edges(stack_of(template, Choice({}, {})))
    return {(e.source, e.target, e.mechanism): e.end.kind for e in found}


def breaks_an_end(mutant: dict[str, Any]) -> bool:
    if mutant["in"] not in MECHANISMS:
        return False
    if any(UNWRITABLE.search(said) for said in mutant["says"]):
        return True
    before, after = ends(EXAMPLES[mutant["in"]]()), ends(broken(mutant))
    return any(kind == "resource" and after.get(edge) == "none" for edge, kind in before.items())


def named(mutant: dict[str, Any]) -> str:
    return f"{mutant['in']} {mutant.get('set', mutant.get('remove'))}"


MUTANTS = [
    mutant for mutant in BROKEN if breaks_an_end(mutant) and named(mutant) not in SENT_BY_CODE
]


def losing(cli: Cli, template: dict[str, Any]) -> list[str]:
    rows = proven(cli, written(cli, template))
    return [row["edge"] for row in rows if row["verdict"] in {"lost", "for-ever"}]


def written(cli: Cli, template: dict[str, Any]) -> Path:
    file = cli.folder / "template.json"
    file.write_text(json.dumps(template))
    return file


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name == "E6" else pytest.mark.exhaustive)
        for name in MECHANISMS
    ],
)
def test_a_stack_that_keeps_the_contract_loses_nothing(name: str, cli: Cli) -> None:
    assert losing(cli, EXAMPLES[name]()) == []


def test_enough_broken_ends_are_known() -> None:
    assert {mutant["in"] for mutant in MUTANTS} >= {"E1", "E2", "E3", "E4", "E5", "E6"}


@pytest.mark.parametrize(
    "mutant",
    [
        pytest.param(
            mutant,
            id=named(mutant),
            marks=() if named(mutant).startswith(tuple(FEW)) else pytest.mark.exhaustive,
        )
        for mutant in MUTANTS
    ],
)
def test_a_broken_end_is_seen_or_refused_as_aws_does(mutant: dict[str, Any], cli: Cli) -> None:
    template = broken(mutant)

    if named(mutant) in REFUSED:
        assert cli("prove", written(cli, template)).returncode == 2
    else:
        assert losing(cli, template) != []
