"""Aurora PostgreSQL, with triggers on the table: they wait for slow messages, and count."""

import csv
import io
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from conservation.datastore import OUTAGE_SECONDS, Datastore, Interruptible, Item
from conservation.stack import Stack
from sls_patterns_cli.local.emulator.datastores.postgresql import binaries

MASTER = "master"

LOOKS_AT_MOST_EVERY_SECONDS = 0.2

# BEFORE INSERT fires for what is there already as well, which ON CONFLICT then leaves alone. What a
# trigger counts is committed with the transaction of the function, or not at all.
TRIGGERS = """
CREATE TABLE answered (id text NOT NULL, began timestamptz, ended timestamptz);
CREATE TABLE written (id text NOT NULL, change text NOT NULL);
CREATE FUNCTION answer() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE began timestamptz := clock_timestamp();
BEGIN
    IF NEW.id LIKE 'slow-%' THEN PERFORM pg_sleep({seconds}); END IF;
    INSERT INTO public.answered VALUES (NEW.id, began, clock_timestamp());
    RETURN NEW;
END $$;
CREATE FUNCTION write() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
    INSERT INTO public.written VALUES (NEW.id, {change});
    RETURN NULL;
END $$;
CREATE TRIGGER answer BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION answer();
CREATE TRIGGER write AFTER INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION write();
"""


WAITS_SECONDS = 5
"""How long a statement may take."""

MOST_AT_A_TIME = """
SELECT max(others) FROM (
    SELECT count(*) AS others FROM answered AS one JOIN answered AS other
    ON other.began <= one.began AND one.began < other.ended GROUP BY one.id, one.began
) AS at_a_time
"""


class Aurora(Interruptible):
    def __init__(
        self, stack: Stack, slow_seconds: float, *, table: str = "", change: str = "''"
    ) -> None:
        """The table is named for the node unless another is given.

        `change` is an expression of a row, NEW, that tells one change of the row from the next.
        """
        (self._node,) = stack.clusters
        database = self._node.lower()
        self._table = table or database
        self._stack, self._rds = stack, stack.client("rds")
        self._down_until_tried = 0.0
        self._cluster = stack.outputs[f"{self._node}ClusterId"]
        self._psql = (
            str(binaries() / "psql"),
            *("--no-psqlrc", "--csv", "--tuples-only", "--quiet", "-v", "ON_ERROR_STOP=1"),
            *("-h", stack.outputs[f"{self._node}ClusterEndpoint"]),
            *("-p", stack.outputs[f"{self._node}ClusterPort"]),
            *("-U", MASTER, "-d", database),
        )
        self._counts = {"answered": Counter[Item](), "written": Counter[Item]()}
        self._looked_at = 0.0
        self._ask(TRIGGERS.format(table=self._table, seconds=slow_seconds, change=change))

    def stored(self) -> set[Item]:
        return {(self._node, message) for (message,) in self._ask(f"SELECT id FROM {self._table}")}  # noqa: S608

    def written(self) -> Counter[Item]:
        return self._count("written")

    def answered(self) -> Counter[Item]:
        return self._count("answered")

    def fail_for_a_while(self) -> None:
        self._rds.stop_db_cluster(DBClusterIdentifier=self._cluster)
        time.sleep(OUTAGE_SECONDS)
        self._rds.start_db_cluster(DBClusterIdentifier=self._cluster)

    def fail_until_tried(self, tries: float) -> None:
        self._down_until_tried = tries
        self._rds.stop_db_cluster(DBClusterIdentifier=self._cluster)

    def is_down(self) -> bool:
        if self._down_until_tried and self._stack.most_failures() >= self._down_until_tried:
            self.recover()
        return bool(self._down_until_tried)

    def recover(self) -> None:
        self._down_until_tried = 0
        self._rds.start_db_cluster(DBClusterIdentifier=self._cluster)

    def answer_late(self) -> None:
        """Leave it to the triggers: what takes long is chosen when they are made."""

    def most_at_a_time(self) -> int:
        most = next(iter(self._ask(MOST_AT_A_TIME)[0]), None)
        return int(most or 0)

    def _count(self, table: str) -> Counter[Item]:
        """Return what was counted a moment ago; during an outage, what was counted before."""
        if time.monotonic() - self._looked_at > LOOKS_AT_MOST_EVERY_SECONDS:
            counts = {name: Counter[Item]() for name in self._counts}
            try:
                for name, message, count in self._ask(
                    "SELECT 'answered', id, count(*) FROM answered GROUP BY id UNION ALL "
                    "SELECT 'written', id, max(times) FROM "
                    "(SELECT id, count(*) AS times FROM written GROUP BY id, change) AS changes "
                    "GROUP BY id"
                ):
                    counts[name][self._node, message] = int(count)
                self._counts = counts
            except ConnectionError:
                pass
            self._looked_at = time.monotonic()
        return self._counts[table]

    def _ask(self, statements: str) -> list[list[str]]:
        done = subprocess.run(
            self._psql, input=statements, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise ConnectionError(done.stderr)
        return list(csv.reader(io.StringIO(done.stdout)))


@contextmanager
def disturbable(stack: Stack, slow_seconds: float) -> Iterator[Datastore]:
    yield Aurora(stack, slow_seconds)
