"""What is wrong with the edges of a stack: one module a hundred of rules."""

from collections.abc import Iterator

from sls_patterns_cli.check.judgements import (
    alarms_out_of_reach,
    batches,
    broken_ends,
    deaf_alarms,
    landing_zones,
    latching_alarms,
    no_end,
)
from sls_patterns_cli.check.judgements.fault import Fault
from sls_patterns_cli.cloudformation.stack import Stack

JUDGEMENTS = (
    no_end.faults,
    broken_ends.faults,
    deaf_alarms.faults,
    latching_alarms.faults,
    alarms_out_of_reach.faults,
    batches.faults,
    landing_zones.faults,
)


def faults(stack: Stack) -> Iterator[Fault]:
    """Yield every fault of a stack, by the hundreds of rules."""
    for judge in JUDGEMENTS:
        yield from judge(stack)
