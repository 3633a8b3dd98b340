"""`doctor`: print what was found."""

from pathlib import Path

from sls_patterns_cli.doctor import findings
from sls_patterns_cli.doctor.findings import Finding
from sls_patterns_cli.terminal import output

MARKS = {"ok": "ok", "mend": "MEND", "note": "note"}


def run(path: Path, *, json: bool) -> int:
    """Print what this machine lacks, and of the project in `path` if there is one.

    Returns 1 if something would fail, else 0; raises UserError for a project that is broken.
    """
    project = findings.project_of(path)
    root, recorded = project or (None, {})
    found = [
        *findings.of_machine(recorded),
        *(findings.of_project(root, recorded) if root else ()),
    ]
    to_mend = [each for each in found if each.state == "mend"]
    if json:
        output.show_json({"ok": not to_mend, "findings": [each.as_dict() for each in found]})
    else:
        _show(found, len(to_mend), of=root)
    return 1 if to_mend else 0


def _show(found: list[Finding], to_mend: int, *, of: Path | None) -> None:
    output.show(output.bold(f"The project in {output.shown(of)}" if of else "This machine"))
    rows = []
    for each in found:
        rows.append((MARKS[each.state], each.name, each.found))
        if each.mend:
            rows.append(("", "", each.mend))
    output.table(rows)
    output.show()
    output.show("Nothing to mend" if not to_mend else f"{to_mend} to mend")
