"""Finds the versions that files pin, of packages and of workflows' actions."""

import re
from collections import defaultdict
from pathlib import PurePosixPath

from packaging.version import InvalidVersion, Version

_PYTHON = re.compile(r"(?<![\w.-])(?P<name>[A-Za-z][\w.-]*)(?:\[[^\]\n]*\])?==(?P<pin>\d[\w.!+]*)")
_NPM = re.compile(r'"(?P<name>@?[\w./-]+)": "[~^]?(?P<pin>\d+\.\d[\w.+-]*)"')
_ACTION = re.compile(
    r"uses: +(?P<name>[\w.-]+/[\w./-]+)@(?P<pin>[^\s#]+(?:[ \t]+#[ \t]*v?\d[\w.]*)?)"
)


def newest(path: str, ours: bytes, base: bytes, theirs: bytes) -> tuple[bytes, bytes, bytes]:
    """The three sides of a merge, each with the newer version of every pin that was raised.

    A pin that one of the sides has lowered, or has in several versions, stays.
    """
    sides = [side.decode() for side in (ours, base, theirs)]
    for form in _forms(PurePosixPath(path)):
        found = [_found(form, side) for side in sides]
        newer = {
            name: pin
            for name in found[0].keys() & found[1].keys() & found[2].keys()
            if (pin := _newer(*(pins[name] for pins in found)))
        }
        sides = [_with(form, side, newer) for side in sides]
    ours, base, theirs = (side.encode() for side in sides)
    return ours, base, theirs


def _forms(path: PurePosixPath) -> tuple[re.Pattern[str], ...]:
    """How the file at a path writes pins."""
    if path.name == "package.json":
        return (_NPM,)
    if path.match("requirements*.txt"):
        return (_PYTHON,)
    if path.match(".github/workflows/*.yml") or path.match(".github/workflows/*.yaml"):
        return (_PYTHON, _ACTION)
    return ()


def _found(form: re.Pattern[str], text: str) -> dict[str, str]:
    """The pins of a text by their names; of each name that has only one."""
    found = defaultdict(set)
    for pin in form.finditer(text):
        found[pin["name"]].add(pin["pin"])
    return {name: pin for name, pins in found.items() for pin in pins if len(pins) == 1}


def _newer(ours: str, base: str, theirs: str) -> str | None:
    """The pin that a merge takes; None if it is not for a machine to decide."""
    try:
        mine, before, templates = (_version(pin) for pin in (ours, base, theirs))
    except InvalidVersion:
        return None
    if min(mine, templates) < before:
        return None
    if base in (ours, theirs):
        return theirs if ours == base else ours
    return ours if mine >= templates else theirs


def _version(pin: str) -> Version:
    """The version of a pin, or what the comment beside a hash says that it is."""
    return Version(pin.rpartition("#")[2].strip())


def _with(form: re.Pattern[str], text: str, pins: dict[str, str]) -> str:
    """The text with other pins."""

    def renewed(found: re.Match[str]) -> str:
        start, end = (at - found.start() for at in found.span("pin"))
        return f"{found[0][:start]}{pins.get(found['name'], found['pin'])}{found[0][end:]}"

    return form.sub(renewed, text)
