"""The command `prove` as tests run it."""

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

import kept
from command import Cli
from prepared import prepared
from rendering import ROOT

Row = dict[str, Any]


def proven(cli: Cli, template: Path, *options: str) -> list[Row]:
    """Return the rows of a template, after checking that the exit code says what they say.

    What was seen of the same template by the same tool is kept.
    """

    def prove(folder: Path) -> None:
        result = cli("prove", template, "--json", *options)
        assert result.returncode in {0, 1}, result.stderr
        answer = json.loads(result.stdout)
        assert answer["deployed"] is True
        loses = any(row["verdict"] in {"lost", "for-ever"} for row in answer["edges"])
        assert result.returncode == int(loses)
        (folder / "rows.json").write_text(json.dumps(answer["edges"]))

    seen = prepared("what is proven", prove, Path(__file__), template, repr(options), _tool())
    rows: list[Row] = json.loads((seen / "rows.json").read_text())
    return rows


@cache
def _tool() -> str:
    """Return the digest of the command and of the packages that it runs with."""
    return kept.digest(ROOT / "src", ROOT / "requirements.lock", sys.version)
