"""B19: no code of a pattern calls AWS without a deadline."""

import re
from pathlib import Path

import pytest
from rendering import ROOT

# What makes a client, and what follows up to the end of the call's first line.
CLIENTS = {
    # A provider that is given a client has that client's deadlines.
    ".py.jinja": re.compile(r"(?:boto3\.(?:client|resource)|\w+Provider)\((?!boto3_client=)(.*)"),
    ".ts.jinja": re.compile(r"new \w+(?:Client|Provider)\((.*(?:\n  .*)*)"),
}
DEADLINES = re.compile(
    r"DEADLINES|config=(?:patience|deadlines)|{ clientConfig }|connectionTimeout: "
)
# It signs tokens on the function's own machine.
WITHOUT_NETWORK = '"rds")'
# A class of the project, which is given what an environment variable says.
OWN = "variable("

SOURCES = sorted(
    file
    for folder in ("patterns", "datastores", "shared")
    for file in (ROOT / "templates" / folder).rglob("*.jinja")
    # The deadlines of calls are those of whoever makes them; an operator interrupts a tool.
    if not {"tests", "clients", "tools"} & {*file.parts}
    and f".{file.name.split('.', 1)[1]}" in CLIENTS
)


def without_deadline(suffix: str, source: str) -> list[str]:
    return [
        made
        for made in CLIENTS[suffix].findall(source)
        if not DEADLINES.search(made) and made != WITHOUT_NETWORK and not made.startswith(OWN)
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


ITS_CALLERS_DEADLINE = re.compile(r"read_timeout=seconds|abortSignal: deadline")
ONE_ATTEMPT = re.compile(r"\"total_max_attempts\": 1|maxAttempts: 1\b")


@pytest.mark.parametrize(
    "file",
    sorted((ROOT / "templates").glob("patterns/*/clients/*.jinja"))
    + sorted((ROOT / "templates").glob("shared/*/adapters/invocation.*.jinja")),
    ids=lambda f: f.name,
)
def test_what_invokes_a_function_makes_one_attempt_in_time(file: Path) -> None:
    """Fact B29: the SDK's own retries would run the function again after a timeout."""
    source = file.read_text()

    made = len(re.findall(r"boto3\.client\(\"lambda\"|new LambdaClient\(", source))
    assert made == len(ONE_ATTEMPT.findall(source)) > 0
    assert made == len(ITS_CALLERS_DEADLINE.findall(source))
