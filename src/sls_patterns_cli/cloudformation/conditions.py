"""What a template's conditions may come to, and what it is then.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/conditions-section-structure.html
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, product
from math import prod
from typing import Any

OTHER = "(another value)"
"""What a parameter is that has none of the values it is compared with."""

MOST_CHOICES = 64
"""So many combinations are tried in full; of more, each value is tried by itself."""

MOST_SINGLE_CHANGES = 24

NO_VALUE = {"Ref": "AWS::NoValue"}


@dataclass(frozen=True)
class Choice:
    """One outcome of the conditions: the value of each parameter and free comparison."""

    conditions: Mapping[str, Any]
    values: Mapping[str, str]

    def named(self, name: Any) -> bool:
        """Tell whether a condition holds; one that is declared nowhere does."""
        declared = isinstance(name, str) and name in self.conditions
        return not declared or self.holds(self.conditions[name])

    def holds(self, condition: Any) -> bool:
        match condition:
            case {"Condition": str() as name}:
                return self.named(name)
            case {"Fn::Not": [inner]}:
                return not self.holds(inner)
            case {"Fn::And": [*inner]}:
                return all(map(self.holds, inner))
            case {"Fn::Or": [*inner]}:
                return any(map(self.holds, inner))
            case {"Fn::Equals": [left, right]}:
                sides = _literal(left, self.values), _literal(right, self.values)
                if None not in sides:
                    return sides[0] == sides[1]
        return self.values.get(as_text(condition)) == "true"

    def apply(self, value: Any) -> Any:
        """Return the value with each Fn::If decided and what is AWS::NoValue left out."""
        if isinstance(value, list):
            return [done for done in map(self.apply, value) if done != NO_VALUE]
        if not isinstance(value, dict):
            return value
        match value:
            case {"Fn::If": [str() as name, then, otherwise]} if len(value) == 1:
                return self.apply(then if self.named(name) else otherwise)
        applied = {key: self.apply(inner) for key, inner in value.items()}
        return {key: done for key, done in applied.items() if done != NO_VALUE}


def choices(
    conditions: Mapping[str, Any], parameters: Mapping[str, Any], used: Iterable[str]
) -> tuple[list[Choice], bool]:
    """Return what the used conditions may come to, and whether that is all that they may.

    What the defaults of parameters give comes first. A parameter takes the values it is compared
    with, its default and one more, or those that it allows; what else is compared may be equal or
    not. Of more than MOST_CHOICES combinations those are left in which all have their first value,
    all their second and so on, and then some that differ in one value from the default.
    """
    domains = _Domains(conditions, parameters)
    domains.add(used)
    default, names = domains.default(), sorted(domains.values)
    if prod(len(values) for values in domains.values.values()) <= MOST_CHOICES:
        every = product(*(domains.values[name] for name in names))
        found = [dict(zip(names, each, strict=True)) for each in every]
        complete = True
    else:
        found = [*domains.in_step(), *islice(domains.single_changes(default), MOST_SINGLE_CHANGES)]
        complete = False
    others = [values for values in found if values != default]
    return [Choice(conditions, values) for values in (default, *others)], complete


class _Domains:
    """The values that parameters and comparisons may have."""

    def __init__(self, conditions: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
        self._conditions, self._parameters = conditions, parameters
        self._seen: set[str] = set()
        self.values: dict[str, list[str]] = {}

    def add(self, used: Iterable[str]) -> None:
        for name in used:
            if name in self._conditions and name not in self._seen:
                self._seen.add(name)
                self._add(self._conditions[name])

    def default(self) -> dict[str, str]:
        return {
            name: default if (default := self._default(name)) in values else values[-1]
            for name, values in self.values.items()
        }

    def in_step(self) -> Iterator[dict[str, str]]:
        """Yield the values so that each occurs, with as few choices as there are values of one."""
        for number in range(max(map(len, self.values.values()))):
            yield {name: of[min(number, len(of) - 1)] for name, of in self.values.items()}

    def single_changes(self, default: Mapping[str, str]) -> Iterator[dict[str, str]]:
        for name, of in self.values.items():
            yield from ({**default, name: value} for value in of if value != default[name])

    def _add(self, condition: Any) -> None:
        match condition:
            case {"Condition": str() as name}:
                self.add([name])
            case {"Fn::Not": [*inner]} | {"Fn::And": [*inner]} | {"Fn::Or": [*inner]}:
                for each in inner:
                    self._add(each)
            case {"Fn::Equals": [left, right]}:
                self._compare(left, right, condition)
            case _:
                self.values.setdefault(as_text(condition), ["true", "false"])

    def _compare(self, left: Any, right: Any, condition: Any) -> None:
        names, literals = [], []
        for side in (left, right):
            match side:
                case {"Ref": str() as name}:
                    names.append(name)
                case dict() | list():
                    self.values.setdefault(as_text(condition), ["false", "true"])
                    return
                case _:
                    literals.append(as_text(side))
        for name in names:
            self._extend(name, literals or [])

    def _extend(self, name: str, literals: Iterable[str]) -> None:
        declared = self._parameters.get(name)
        declared = declared if isinstance(declared, dict) else {}
        allowed = declared.get("AllowedValues")
        if isinstance(allowed, list) and allowed:
            self.values[name] = list(dict.fromkeys(map(as_text, allowed)))
            return
        default = [] if self._default(name) is None else [str(self._default(name))]
        known = [each for each in self.values.get(name, []) if each != OTHER]
        self.values[name] = list(dict.fromkeys([*default, *known, *literals, OTHER]))

    def _default(self, name: str) -> str | None:
        declared = self._parameters.get(name)
        if isinstance(declared, dict) and "Default" in declared:
            return as_text(declared["Default"])
        return None


def _literal(side: Any, values: Mapping[str, str]) -> str | None:
    match side:
        case {"Ref": str() as name}:
            return values.get(name)
        case dict() | list():
            return None
    return as_text(side)


def as_text(value: Any) -> str:
    """Return a value as CloudFormation compares and passes it: as text."""
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
