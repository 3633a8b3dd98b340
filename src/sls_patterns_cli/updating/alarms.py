"""Says which alarms an update adds, removes and changes: SAM's template declares them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sls_patterns_cli.updating.replaced import resources

ALARM = "AWS::CloudWatch::Alarm"


@dataclass(frozen=True)
class AlarmChanges:
    """The logical ids of alarms, in the order of their templates; CDK adds a hash to each."""

    gone: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    """Those that have other metrics, numbers, actions or texts."""

    def __bool__(self) -> bool:
        return bool(self.gone or self.new or self.changed)


def alarm_changes(before: bytes, after: bytes) -> AlarmChanges:
    """What happens to the alarms between SAM's templates of two versions."""
    old, new = _alarms(before), _alarms(after)
    return AlarmChanges(
        gone=[name for name in old if name not in new],
        new=[name for name in new if name not in old],
        changed=[name for name in new if name in old and new[name] != old[name]],
    )


def _alarms(template: bytes) -> Mapping[str, Any]:
    """What each alarm says, without comments and layout, by its logical id."""
    return {
        name: _said(node) for name, (kind, node) in resources(template).items() if kind == ALARM
    }


def _said(node: Any) -> Any:
    if isinstance(node.value, str):
        return node.tag, node.value
    return node.tag, [
        tuple(map(_said, each)) if isinstance(each, tuple) else _said(each) for each in node.value
    ]
