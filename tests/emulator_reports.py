"""Draws up, of each gap of the emulator that an adapter closes, the report for its authors.

An adapter's docstring says in its paragraphs what AWS does and what the plain emulator does; one
that begins with `Reported:` has the address of the report once somebody has filed it.
"""

import ast
from pathlib import Path

from sls_patterns_cli.local.emulator.adapters import ADAPTERS

EMULATOR = Path(__file__).parents[1] / "src/sls_patterns_cli/local/emulator"
PAGE = EMULATOR / "REPORTS.md"

HEAD = """# Reports for the authors of the emulator

Each section is the text of a report on [ministack](https://pypi.org/project/ministack/), written by
`make golden` from the docstring of the adapter that closes the gap here. Whoever publishes this
tool can file them, and add `Reported: <address>` to the docstring.
"""


def reports_page() -> str:
    """Return the page; raises ValueError for an adapter that does not say what it closes."""
    return "\n".join([HEAD, *map(_report, ADAPTERS)])


def _report(adapter: str) -> str:
    file = EMULATOR / "adapters" / f"{adapter.replace('.', '/')}.py"
    title, *paragraphs = (ast.get_docstring(ast.parse(file.read_text())) or "").split("\n\n")
    said = {
        subject: paragraph.removeprefix(f"{subject}:").strip()
        for paragraph in paragraphs
        for subject in ("AWS", "Emulator", "Reported")
        if paragraph.startswith(f"{subject}:")
    }
    if not {"AWS", "Emulator"} <= said.keys():
        raise ValueError(f"{file.name} does not say in its docstring what AWS and the emulator do")
    return (
        f"## {title}\n\n"
        f"`{adapter}`, {said.get('Reported', 'not reported')}\n\n"
        f"**AWS:** {said['AWS']}\n\n"
        f"**ministack:** {said['Emulator']}\n"
    )
