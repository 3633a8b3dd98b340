"""Functions that nothing starts for a while: what is disabled, and whose that is."""

from collections.abc import Sequence
from dataclasses import dataclass

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.letters.aws import explained
from sls_patterns_cli.letters.deployed import Deployed, resource_of
from sls_patterns_cli.letters.starters import Starter
from sls_patterns_cli.wiring.model import FUNCTION


@dataclass(frozen=True)
class Switched:
    """What starts a function, as it is now; `is_new` tells whether this command did it."""

    starter: Starter
    is_enabled: bool
    is_new: bool


def starters_of(found: Sequence[Starter], deployed: Deployed, given: str) -> list[Starter]:
    """Return what starts the function that somebody names; raises UserError for nothing."""
    function = resource_of(deployed, "function", FUNCTION, given)
    starting = [each for each in found if each.function == function]
    if not starting:
        raise UserError(
            f"{function} has no event source mapping, rule or schedule that its template enables."
        )
    return starting


def switch(starter: Starter, *, on: bool) -> Switched:
    """Enable or disable what starts a function; raises UserError."""
    with explained(starter.name):
        is_new = starter.is_enabled() != on
        # Lambda may still be at it.
        starter.switch(on=on)
    return Switched(starter, on, is_new)


def is_paused(starter: Starter) -> bool:
    """Tell whether somebody has disabled what the template enables; raises UserError."""
    with explained(f"whether {starter.name} starts {starter.function} cannot be read"):
        return not starter.is_enabled()
