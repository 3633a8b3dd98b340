"""What was received from a queue, and what became of it: on disk, as there may be millions."""

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from typing import NamedTuple

SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE messages (message INTEGER PRIMARY KEY, letter INTEGER, handle TEXT, until REAL);
CREATE INDEX by_time ON messages (until) WHERE handle IS NOT NULL;
CREATE TABLE letters (letter INTEGER PRIMARY KEY, state INTEGER);
"""
SEEN, GIVEN, DELETED = 0, 1, 2


class Held(NamedTuple):
    """A message that nobody else receives until its time is over."""

    message: int
    handle: str


class Ledger:
    """Messages by id, each with its newest receipt handle; and letters, of which they are copies.

    It may be used in several threads.
    """

    def __init__(self) -> None:
        # Without a name it is a file that is gone as soon as it is closed, also by a kill.
        self._disk = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._disk.executescript(SCHEMA)
        self._lock = threading.Lock()
        self.messages = 0
        self.letters = 0

    def receive(self, message_id: str, letter_id: str, handle: str, until: float) -> bool:
        """Note a message that is held until a moment; tell whether it is a new one."""
        message, letter = hash(message_id), hash(letter_id)
        with self._lock:
            known = self._disk.execute(
                "UPDATE messages SET handle = ?, until = ? WHERE message = ?",
                (handle, until, message),
            ).rowcount
            if known:
                return False
            self._disk.execute(
                "INSERT INTO messages VALUES (?, ?, ?, ?)", (message, letter, handle, until)
            )
            self.messages += 1
            self.letters += self._disk.execute(
                "INSERT OR IGNORE INTO letters VALUES (?, ?)", (letter, SEEN)
            ).rowcount
            return True

    def give(self, letter_id: str) -> bool:
        """Tell whether a letter is to be given: not if it was, or if a copy of it was."""
        with self._lock:
            given = "UPDATE letters SET state = ? WHERE letter = ? AND state = ?"
            return bool(self._disk.execute(given, (GIVEN, hash(letter_id), SEEN)).rowcount)

    def take_back(self, letter_id: str) -> None:
        """Let another copy of a letter be given."""
        with self._lock:
            back = "UPDATE letters SET state = ? WHERE letter = ? AND state = ?"
            self._disk.execute(back, (SEEN, hash(letter_id), GIVEN))

    def delete(self, message_id: str, letter_id: str) -> None:
        with self._lock:
            gone = "UPDATE messages SET handle = NULL WHERE message = ?"
            self._disk.execute(gone, (hash(message_id),))
            deleted = "UPDATE letters SET state = ? WHERE letter = ?"
            self._disk.execute(deleted, (DELETED, hash(letter_id)))

    def is_deleted(self, letter_id: str) -> bool:
        with self._lock:
            asked = "SELECT 1 FROM letters WHERE letter = ? AND state = ?"
            return self._disk.execute(asked, (hash(letter_id), DELETED)).fetchone() is not None

    def due(self, moment: float, most: int) -> list[Held]:
        """Return what is held until a moment or less, what is due first before the rest."""
        with self._lock:
            due = (
                "SELECT message, handle FROM messages "
                "WHERE handle IS NOT NULL AND until <= ? ORDER BY until LIMIT ?"
            )
            return [Held(*row) for row in self._disk.execute(due, (moment, most))]

    def hold(self, held: Iterable[Held], until: float) -> None:
        """Note that messages are held longer, unless they have another handle by now."""
        with self._lock:
            self._disk.executemany(
                "UPDATE messages SET until = ? WHERE message = ? AND handle = ?",
                [(until, each.message, each.handle) for each in held],
            )

    def handles(self, most: int, *, of_deleted: bool) -> Iterator[list[str]]:
        """Yield the handles of what is held, so many at a time: of deleted letters or the others.

        Nothing may be noted meanwhile.
        """
        states = (DELETED,) if of_deleted else (SEEN, GIVEN)
        found = self._disk.execute(
            "SELECT handle FROM messages JOIN letters USING (letter) "
            "WHERE handle IS NOT NULL AND state BETWEEN ? AND ?",
            (states[0], states[-1]),
        )
        while rows := found.fetchmany(most):
            yield [handle for (handle,) in rows]

    def close(self) -> None:
        self._disk.close()
