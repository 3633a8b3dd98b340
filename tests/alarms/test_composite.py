"""Alarms on alarms:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-combining.html
"""

from collections.abc import Mapping, Sequence

import pytest

from sls_patterns_cli.alarms.composite import Composite, UnknownRuleError, changes, told
from sls_patterns_cli.alarms.evaluation import Change, State

ON, OFF = State.ALARM, State.OK
CPU = [Change(60, ON), Change(300, OFF)]
DISK = [Change(120, ON), Change(180, OFF)]
NONE = [Change(240, State.INSUFFICIENT_DATA)]
ALARMS: Mapping[str, Sequence[Change]] = {"CPU": CPU, "disk full": DISK, "none": NONE}


@pytest.mark.parametrize(
    ("rule", "expected"),
    {
        "ALARM(CPU)": CPU,
        'ALARM("disk full")': DISK,
        'ALARM("CPU") AND ALARM("disk full")': DISK,
        'ALARM(CPU) OR ALARM("disk full")': CPU,
        'ALARM(CPU) AND NOT ALARM("disk full")': [
            Change(60, ON),
            Change(120, OFF),
            Change(180, ON),
            Change(300, OFF),
        ],
        'OK(CPU) AND NOT (ALARM("disk full") OR TRUE)': [],
        "INSUFFICIENT_DATA(none)": [Change(240, ON)],
        "TRUE": [Change(0, ON)],
        "FALSE": [],
        'ALARM("arn:aws:cloudwatch:eu-central-1:123456789012:alarm:CPU")': CPU,
        "ALARM(CPU)\n  AND ALARM(CPU)": CPU,
    }.items(),
)
def test_a_rule_follows_the_states_that_it_names(rule: str, expected: list[Change]) -> None:
    assert changes(Composite("both", rule), ALARMS) == expected


@pytest.mark.parametrize("rule", ["ALARM(other)", "CPU", "ALARM(CPU) AND", "WORSE(CPU)", "1"])
def test_what_is_no_rule_is_refused(rule: str) -> None:
    with pytest.raises(UnknownRuleError):
        changes(Composite("both", rule), ALARMS)


WAITS: dict[str, tuple[list[Change], list[Change], list[int]]] = {
    "the suppressor does not go off": ([], [Change(120, ON)], [240]),
    "it goes off too late": ([Change(300, ON)], [Change(120, ON)], [240]),
    "it went off before, and back": ([Change(60, ON), Change(240, OFF)], [Change(120, ON)], [420]),
    "it goes off in time": ([Change(180, ON), Change(240, OFF)], [Change(120, ON)], [420]),
    "it stays": ([Change(60, ON)], [Change(120, ON)], []),
    "all is well before it goes back": (
        [Change(60, ON), Change(240, OFF)],
        [Change(120, ON), Change(300, OFF)],
        [],
    ),
    "all is well while the actions wait": ([], [Change(120, ON), Change(180, OFF)], []),
}
"""By what happens: the suppressor's changes, those of the alarm, and when its actions run."""


@pytest.mark.parametrize("what", WAITS)
def test_a_suppressor_keeps_the_actions_back(what: str) -> None:
    suppressing, own, expected = WAITS[what]
    composite = Composite("one", "ALARM(own)", "suppressor", wait=120, extension=180)

    assert told(composite, own, {"own": own, "suppressor": suppressing}) == expected


def test_without_a_suppressor_each_change_to_alarm_tells() -> None:
    composite = Composite("one", "ALARM(CPU)")

    assert told(composite, changes(composite, ALARMS), ALARMS) == [60]
