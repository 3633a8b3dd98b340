"""What the emulator needs for tables: installed for a project that has one, and for no other."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sls_patterns_cli.local.languages import uv
from sls_patterns_cli.terminal.progress import Progress

PINNED = ("duckdb==2.0.1", "pyarrow==26.0.1", "pyiceberg==0.12.0")
"""DuckDB in the place of Athena's engine, and Apache's libraries for Iceberg: 294 MB installed."""

TABLE = "AWS::Glue::Table"


def folder(work: Path) -> Path:
    """Where they are, in the folder of what the local stack makes of a project."""
    return work / "query-packages"


def install_if_needed(work: Path, template: Mapping[str, Any], progress: Progress) -> None:
    """Install them if the template has a table; raises UserError."""
    if not any(each["Type"] == TABLE for each in template["Resources"].values()):
        return
    python = Path(sys.executable)
    stamp = f"{' '.join(PINNED)} for {python}"
    wanted = uv.Wanted(PINNED, "DuckDB and PyIceberg for tables", stamp, work)
    uv.into_folder(folder(work), python, wanted, progress, compiled=False)
