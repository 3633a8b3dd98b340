"""The dead letters of a stack, listed and sent back as `sls-patterns letters` does it."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.letters import deployed as deployments
from sls_patterns_cli.letters import listing
from sls_patterns_cli.letters.aws import Clients, connect
from sls_patterns_cli.letters.ends import End, ends
from sls_patterns_cli.letters.letter import UNREADABLE
from sls_patterns_cli.letters.redriving import Redrive, Wish
from sls_patterns_cli.letters.selection import Selection


def shown(stack: str) -> list[dict[str, Any]]:
    """Return each letter with its end, what failed and why."""
    return [
        {
            "queue": deployments.CDK_HASH.sub("", end.name),
            "what": _payload(way, letter),
            "why": str(cause),
        }
        for end in _ends(stack)
        for way, letter, cause in listing.letters_of(end, Selection())
    ]


def redrive(stack: str, executions: Iterable[str]) -> dict[str, Any]:
    """Send all letters back; return whether all are sent, and why letters stay or are back.

    Without canaries: a proof looks itself at what becomes of what it has sent.
    """
    wish = Wish(Selection(), executions=frozenset(executions), all_readers=True, canary=False)
    reports = [Redrive(end, wish).run(lambda _: None) for end in _ends(stack)]
    return {
        "done": all(report.is_sent for report in reports),
        "reasons": [reason for report in reports for _, _, reason in report.reasons],
    }


def _ends(stack: str) -> list[End]:
    clients = _clients()
    found, _ = ends(_deployed(stack), clients)
    return found


@cache
def _clients() -> Clients:
    return connect()


@cache
def _deployed(stack: str) -> deployments.Deployed:
    """Return the stack, which is deployed once for all proofs."""
    return deployments.read(stack, _clients())


def _payload(way: Any, letter: Any) -> Any:
    try:
        return way.payload(letter)
    except UNREADABLE as error:
        raise UserError(f"letter {letter.id} cannot be read: {error!r}") from error
