"""The command `prove` as tests run it."""

import json
from pathlib import Path
from typing import Any

from command import Cli

Row = dict[str, Any]


def proven(cli: Cli, template: Path, *options: str) -> list[Row]:
    """Return the rows of a template, after checking that the exit code says what they say."""
    result = cli("prove", template, "--json", *options)
    assert result.returncode in {0, 1}, result.stderr
    answer = json.loads(result.stdout)
    assert answer["deployed"] is True
    rows: list[Row] = answer["edges"]
    loses = any(row["verdict"] in {"lost", "for-ever"} for row in rows)
    assert result.returncode == int(loses)
    return rows
