"""The file of a project in which its fixes are noted that are open, or that its owner waived.

It stands beside `.copier-answers.yml` and is committed. No template has it, so plain Copier leaves
it alone.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sls_patterns_cli.catalog.declaration import Place
from sls_patterns_cli.errors import UserError

RECORD = ".sls-patterns.yml"

_HEAD = """\
# Fixes of the template for files that are yours. Commit this file, and change it with
# `sls-patterns fix`; `sls-patterns status --fixes` shows the fixes.
"""


@dataclass(frozen=True)
class Note:
    """A fix that is open, or waived for a reason; `since` is the version that lacked it."""

    id: str
    since: str
    waived: str | None = None


def read(project: Path) -> tuple[Note, ...]:
    """The notes of the project in a folder; raises UserError if the file is broken."""
    import yaml

    file = project / RECORD
    place = Place(str(file))
    try:
        declared = yaml.safe_load(file.read_bytes())
        place.only(declared, ("fixes",))
        notes = tuple(_note(place, each) for each in place.items(declared, "fixes", at_least=1))
        place.different("fix", [note.id for note in notes])
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise UserError(f"{file} is broken: {error}; restore it with git") from error
    except UserError as error:
        raise UserError(f"{error.message}; restore it with git") from error
    return notes


def _note(place: Place, declared: object) -> Note:
    at = place.at("fix")
    at.only(declared, ("id", "since"), ("waived",))
    assert isinstance(declared, dict)  # noqa: S101 - `only` refuses all else
    return Note(
        id=at.text(declared, "id", r"\d+\.\d+\.\d+-\d+"),
        since=at.text(declared, "since", r"v?\d+\.\d+\.\d+\S*"),
        waived=at.text(declared, "waived") if "waived" in declared else None,
    )


def written(notes: Iterable[Note]) -> bytes | None:
    """The content of the file, as Prettier formats it; None if there is nothing to note."""
    lines = [line for note in notes for line in _lines(note)]
    return "\n".join([f"{_HEAD}fixes:", *lines, ""]).encode() if lines else None


def _lines(note: Note) -> Iterator[str]:
    yield f"  - id: {note.id}"
    yield f"    since: {note.since}"
    if note.waived:
        reason = " ".join(note.waived.split())
        if reason.count('"') > reason.count("'"):
            quoted = "'" + reason.replace("'", "''") + "'"
        else:
            quoted = json.dumps(reason, ensure_ascii=False)
        yield f"    waived: {quoted}"


def refuse_unless_open(project: Path, wanted: str) -> None:
    """Raise UserError unless a fix is noted as open in the project in a folder."""
    open_ = [note.id for note in read(project) if note.waived is None]
    if wanted not in open_:
        there = f"open: {', '.join(open_)}" if open_ else "no fix is open"
        raise UserError(f"fix {wanted} is not open; {there}")


def add(project: Path, note: Note) -> None:
    """Note a fix, unless it is noted already."""
    notes = read(project)
    if note.id not in [each.id for each in notes]:
        (project / RECORD).write_bytes(written([*notes, note]) or b"")


def change(project: Path, changed: Callable[[Note], Note | None]) -> None:
    """Write the file anew, with what becomes of each note; None removes it."""
    content = written(filter(None, map(changed, read(project))))
    if content is None:
        (project / RECORD).unlink()
    else:
        (project / RECORD).write_bytes(content)
