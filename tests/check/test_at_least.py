"""`check --at-least` tells a Makefile whether the installed command can check its project."""

import pytest
from command import Cli

from sls_patterns_cli import catalog


@pytest.mark.parametrize("version", [catalog.version(), f"v{catalog.version()}", "v0.1.0"])
def test_this_version_and_older_ones_are_enough(version: str, cli: Cli) -> None:
    done = cli("check", "--at-least", version)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("version", "line"),
    [
        ("v99.0.0", f"This is {catalog.version()}, older than v99.0.0."),
        ("main", "--at-least 'main' is not a version"),
        ("", "--at-least '' is not a version"),
    ],
)
def test_a_newer_version_and_what_is_none_are_refused(version: str, line: str, cli: Cli) -> None:
    done = cli("check", "--at-least", version)

    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"sls-patterns: {line}\n")
