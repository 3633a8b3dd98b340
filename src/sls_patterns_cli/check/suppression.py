"""Suppressions of findings, with a reason: in a resource's Metadata or in a file beside it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from sls_patterns_cli.check.finding import Finding
from sls_patterns_cli.check.rules import RULES
from sls_patterns_cli.cloudformation.metadata import LETTERS, OWN
from sls_patterns_cli.errors import UserError
from sls_patterns_cli.terminal import output

FILE = ".sls-patterns-check.yml"

STALE = RULES["SP001"]

_KEYS = {"rule", "resource", "file", "reason"}


@dataclass(frozen=True)
class Place:
    """Where somebody has written a suppression: a finding of SP001, if it suppresses nothing."""

    file: str
    line: int
    resource: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Suppression:
    """Suppresses the findings of one rule."""

    rule: str
    reason: str
    place: Place
    file: Path | None
    """The file of the findings; None is any."""
    resources: frozenset[str] | None
    """The logical ids of the findings; None is any."""

    def matches(self, finding: Finding) -> bool:
        return (
            self.rule == finding.rule
            and (self.resources is None or finding.resource in self.resources)
            and (self.file is None or self.file == Path(finding.file).resolve())
        )


def apply(
    findings: Iterable[Finding], suppressions: Iterable[Suppression], checked: set[Path]
) -> list[Finding]:
    """The findings, with the reason where one is suppressed, and one of SP001 for each suppression
    in the resolved files that were checked that matches none.

    A suppression for any file may be for another one.
    """
    unused = dict.fromkeys(suppressions)
    known, applied = list(unused), []
    for finding in findings:
        matching = [each for each in known if each.matches(finding)]
        for each in matching:
            unused.pop(each, None)
        applied.append(replace(finding, suppressed=matching[0].reason) if matching else finding)
    return [*applied, *(_stale(each) for each in unused if each.file in checked)]


def _stale(suppression: Suppression) -> Finding:
    return Finding(
        rule=STALE.id,
        severity=STALE.severity,
        file=suppression.place.file,
        line=suppression.place.line,
        resource=suppression.place.resource,
        message=f"The suppression of {suppression.rule} matches no finding.",
        mend="Remove it.",
        url=STALE.url,
    )


def in_metadata(
    metadata: Mapping[str, Any], place: Place, generated: Iterable[str] = ()
) -> list[Suppression]:
    """The suppressions of a resource, whose Metadata and place these are.

    They hold for the resources that a macro generates from it as well. Raises UserError for a
    suppression without a reason, and for an unknown rule.
    """
    own = metadata.get(OWN, {})
    if own == LETTERS:
        return []
    if not isinstance(own, Mapping) or own.keys() - {"suppress"}:
        raise UserError(
            f"{place}: {OWN} in the Metadata may be {LETTERS}, or have one key: suppress"
        )
    entries = own.get("suppress", {})
    if not isinstance(entries, Mapping):
        raise UserError(f"{place}: suppress must map rules to reasons")
    file, resources = Path(place.file).resolve(), frozenset({place.resource, *generated})
    return [
        Suppression(_rule(rule, place), _reason(rule, reason, place), place, file, resources)
        for rule, reason in entries.items()
    ]


def files_above(template: Path, top: Path) -> list[Path]:
    """The suppression files for a template: beside it, and in each folder above up to `top`."""
    folders = [template.resolve().parent]
    top = top.resolve()
    while folders[-1] != top and top in folders[-1].parents:
        folders.append(folders[-1].parent)
    return [folder / FILE for folder in folders if (folder / FILE).is_file()]


def in_file(path: Path) -> list[Suppression]:
    """The suppressions in a file of the form `suppress: [{rule, resource, file, reason}, …]`.

    `resource` is a logical id, or `*` for any; `file` is relative to the file's folder, and any
    template if left out. Raises UserError for what does not have this form, for a suppression
    without a reason, and for an unknown rule.
    """
    return list(_entries(path))


def _entries(path: Path) -> Iterator[Suppression]:
    try:
        text = path.read_text("utf-8")
        node = yaml.compose(text, yaml.SafeLoader)
        content = yaml.safe_load(text)
    except (ValueError, yaml.YAMLError, RecursionError):
        raise UserError(f"{output.shown(path)} is not YAML") from None
    listed = node.value[0][1] if isinstance(node, yaml.MappingNode) and node.value else None
    if (
        not isinstance(listed, yaml.SequenceNode)
        or content.keys() != {"suppress"}
        or len(content["suppress"]) != len(listed.value)
    ):
        raise UserError(f"{output.shown(path)} must have one key, suppress, with a list")
    lines = [each.start_mark.line + 1 for each in listed.value]
    for line, entry in zip(lines, content["suppress"], strict=True):
        place = Place(output.shown(path), line, "")
        if not isinstance(entry, dict) or not entry.keys() <= _KEYS:
            raise UserError(f"{place}: an entry has the keys rule, resource, file and reason")
        rule = _rule(entry.get("rule"), place)
        resource, file = entry.get("resource"), entry.get("file")
        if not isinstance(resource, str) or not resource:
            raise UserError(f"{place}: resource must be a logical id, or * for any")
        if not isinstance(file, str | None):
            raise UserError(f"{place}: file must be a path")
        yield Suppression(
            rule,
            _reason(rule, entry.get("reason"), place),
            replace(place, resource=resource),
            None if file is None else (path.parent / file).resolve(),
            None if resource == "*" else frozenset({resource}),
        )


def _rule(rule: Any, place: Place) -> str:
    if not isinstance(rule, str) or rule not in RULES or rule == STALE.id:
        raise UserError(f"{place}: {rule!r} is no rule that can be suppressed")
    return rule


def _reason(rule: str, reason: Any, place: Place) -> str:
    if not isinstance(reason, str) or not reason.strip():
        raise UserError(f"{place}: the suppression of {rule} needs a reason")
    return " ".join(reason.split())
