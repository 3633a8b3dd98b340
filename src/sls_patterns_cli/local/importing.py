"""Imports each deployed function once, before proofs would fail by what one import can tell."""

import re
from collections import defaultdict
from pathlib import Path

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local.emulator.asking import ask
from sls_patterns_cli.local.emulator.server import Emulator

SECONDS = 300
"""How long all functions may take; on an idle machine each takes a fraction of a second."""

PLACE = re.compile(r'File "(/[^"]+)", line (\d+)|\(?(/[^\s():]+):(\d+):\d+\)?')
"""A line of code in a traceback of Python, or in a stack of Node.js."""


def refuse_broken(emulator: Emulator, stack: str, root: Path) -> None:
    """Raise UserError with file and line if functions of a project's stack cannot be imported."""
    said = ask(emulator.port, {"do": "start"}, SECONDS)
    if not said:
        return
    ids = {
        each["PhysicalResourceId"]: each["LogicalResourceId"]
        for page in emulator.client("cloudformation")
        .get_paginator("list_stack_resources")
        .paginate(StackName=stack)
        for each in page["StackResourceSummaries"]
    }
    functions = defaultdict(list)
    for name, text in said.items():
        functions[cause(text, root)].append(ids.get(name, name))
    told = "; ".join(
        f"{', '.join(sorted(names))} cannot be imported: {cause}"
        for cause, names in functions.items()
    )
    raise UserError(f"{told}; no proof was run", 1, log=next(iter(said.values())))


def cause(text: str, root: Path) -> str:
    """The error, and the line of the project that led to it."""
    error = text.splitlines()[0]
    python = [(_own(file, root), line) for file, line, *_ in PLACE.findall(text) if file]
    node = [(_own(file, root), line) for *_, file, line in PLACE.findall(text) if file]
    # A traceback of Python ends with where it happened, a stack of Node.js begins with it.
    for file, line in [*reversed(python), *node]:
        if file:
            return f"{error} ({file.as_posix()}, line {line})"
    return error


def _own(file: str, root: Path) -> Path | None:
    """The file of the project that a function's package has from it; None if it is no such."""
    parts = Path(file).parts
    for start in range(1, len(parts)):
        within = Path(*parts[start:])
        for own in (within, "src" / within):
            if (root / own).is_file():
                return own
    return None
