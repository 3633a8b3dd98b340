"""Letters deleted for good, after a copy of each in a file."""

import json
import os
from pathlib import Path
from typing import Any, Self

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.letters.aws import explained
from sls_patterns_cli.letters.ends import End
from sls_patterns_cli.letters.letter import Letter
from sls_patterns_cli.letters.listing import group_in, letters_of
from sls_patterns_cli.letters.selection import Selection


class Copy:
    """A file with a letter on each line, which only its owner reads."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def require_new(self) -> None:
        """Raise UserError for a file that is there: a copy overwrites none."""
        if self.file.exists():
            raise UserError(f"{self.file} is there already: name a new file.")

    def __enter__(self) -> Self:
        descriptor = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._stream = os.fdopen(descriptor, "w", encoding="utf-8")
        return self

    def __exit__(self, *_error: object) -> None:
        self._stream.close()

    def add(self, letter: Letter) -> None:
        """Write a letter, and see to it that it is on the disk."""
        self._stream.write(f"{json.dumps(_line(letter), ensure_ascii=False)}\n")
        self._stream.flush()
        os.fsync(self._stream.fileno())


def discard(end: End, selection: Selection, copy: Copy) -> int:
    """Copy and delete what is chosen of an end; return how many. Raises UserError."""
    discarded = 0
    with explained(end.name), end.store.reading() as reading:
        for batch in reading:
            for letter in batch:
                if selection.takes(letter, group_in(end.way_of(letter), letter)):
                    copy.add(letter)
                    reading.delete(letter)
                    discarded += 1
                else:
                    reading.skip(letter)
    return discarded


def chosen(end: End, selection: Selection) -> int:
    """Return how many letters of an end are chosen; raises UserError."""
    return sum(1 for _ in letters_of(end, selection))


def _line(letter: Letter) -> dict[str, Any]:
    attributes = {
        name: {key: given[key] for key in ("DataType", "StringValue") if key in given}
        for name, given in letter.attributes.items()
    }
    return {
        "end": letter.end,
        "id": letter.id,
        "message_id": letter.message_id or None,
        "sent_at": letter.sent_at.isoformat(),
        "received": letter.received,
        "system": dict(letter.system),
        "attributes": attributes,
        "body": letter.body,
    }
