"""B19: no code of a pattern calls AWS without a deadline."""

import re

import pytest
from rendering import ROOT

# What makes a client, and what follows up to the end of the call's first line.
CLIENTS = {
    ".py.jinja": re.compile(r"(?:boto3\.(?:client|resource)|\w+Provider)\((.*)"),
    ".ts.jinja": re.compile(r"new \w+(?:Client|Provider)\((.*(?:\n  .*)*)"),
}
DEADLINES = re.compile(r"DEADLINES|config=patience|connectionTimeout: ")
# It signs tokens on the function's own machine.
WITHOUT_NETWORK = '"rds")'

SOURCES = sorted(
    file
    for folder in ("patterns", "datastores")
    for file in (ROOT / "templates" / folder).rglob("*.jinja")
    if "tests" not in file.parts and f".{file.name.split('.', 1)[1]}" in CLIENTS
)


def without_deadline(suffix: str, source: str) -> list[str]:
    return [
        made
        for made in CLIENTS[suffix].findall(source)
        if not DEADLINES.search(made) and made != WITHOUT_NETWORK
    ]


def test_every_client_of_aws_has_deadlines() -> None:
    assert SOURCES
    for file in SOURCES:
        suffix = f".{file.name.split('.', 1)[1]}"
        assert without_deadline(suffix, file.read_text()) == [], file


@pytest.mark.parametrize(
    ("suffix", "source"),
    [
        (".py.jinja", 'boto3.client("sqs")'),
        (".py.jinja", "SecretsProvider()"),
        (".ts.jinja", "new SQSClient();"),
        (".ts.jinja", "new SFNClient({ maxAttempts: 1 });"),
    ],
)
def test_a_client_without_deadlines_is_found(suffix: str, source: str) -> None:
    assert without_deadline(suffix, source)
