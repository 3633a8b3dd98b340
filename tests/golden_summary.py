"""What a change does to generated files, as facts: `57 times: RetentionInDays: 30 -> 14`.

Equal changes are told once, with how many files and variants they are in and of how many patterns;
grouped by language and flavour, those that are in most files first. `golden_diff` finds what is
compared.
"""

import difflib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import PurePosixPath
from typing import Any

import yaml
from golden import Projects

LANGUAGES = {
    "": "make",
    ".json": "JSON",
    ".md": "Markdown",
    ".py": "Python",
    ".sql": "SQL",
    ".toml": "TOML",
    ".ts": "TypeScript",
    ".txt": "text",
    ".yaml": "YAML",
    ".yml": "YAML",
}

NOTHING = '""'
WORDS = 3

AROUND = 40
"""So many characters of a line are shown on either side of what changes in it."""


@dataclass
class Fact:
    """A change, and the files that it is in."""

    files: set[tuple[str, str, str]] = field(default_factory=set)
    """Pattern, path and content: variants that have the same file count once."""
    variants: set[tuple[str, str]] = field(default_factory=set)
    """Those that have such a file, by pattern and name."""

    def add(self, pattern: str, variant: str, path: str = "", content: str = "") -> None:
        self.files.add((pattern, path, content))
        self.variants.add((pattern, variant))

    @property
    def patterns(self) -> set[str]:
        return {pattern for pattern, *_ in self.files}


Facts = dict[tuple[str, str], Fact]
"""Facts by group and text."""


def facts(before: Mapping[str, Projects], after: Mapping[str, Projects]) -> Facts:
    """Return what differs between the projects of patterns."""
    found: Facts = defaultdict(Fact)
    for pattern in sorted({*before, *after}):
        old, new = before.get(pattern, {}), after.get(pattern, {})
        for sign, variants in (("-", old.keys() - new), ("+", new.keys() - old)):
            for variant in variants:
                found["variants", f"{sign} {variant}"].add(pattern, variant)
        for variant in sorted(old.keys() & new):
            for path in sorted({*old[variant], *new[variant]}):
                one, other = old[variant].get(path), new[variant].get(path)
                if one is None or other is None:
                    change = f"{'+' if one is None else '-'} {path}"
                    found["files", change].add(pattern, variant, path, other or one or "")
                elif one != other:
                    for change in differences(one, other):
                        fact = found[kind(path, variant), change]
                        fact.add(pattern, variant, path, f"{one}\0{other}")
    return found


def kind(path: str, variant: str) -> str:
    """Return the group of a change: its language, and the flavour where only that has the file."""
    name = PurePosixPath(path)
    language = LANGUAGES.get(name.suffix, name.suffix.removeprefix("."))
    infrastructure = name.parts[0] in ("infrastructure", "template.yaml", "statemachines")
    flavour = next((each for each in ("sam", "cdk") if f"-{each}-" in variant), "")
    return f"{language}, {flavour.upper()}" if infrastructure and flavour else language


@cache
def differences(one: str, other: str) -> tuple[str, ...]:
    """Return each change once: of a template by its resources, of all else by its lines."""
    if "\nResources:" in one and "\nResources:" in other:
        return tuple(dict.fromkeys(of_templates(one, other))) or ("comments or layout",)
    return of_lines(one, other)


def of_templates(one: str, other: str) -> Iterator[str]:
    """Yield what comes, goes and changes: resources by their types, all else by its name."""
    old, new = (read(each) for each in (one, other))
    for section in dict.fromkeys([*old, *new]):
        before, after = old.get(section, {}), new.get(section, {})
        if not isinstance(before, dict) or not isinstance(after, dict):
            before, after = {"": before}, {"": after}
        for name in dict.fromkeys([*before, *after]):
            gone, come = before.get(name), after.get(name)
            if gone == come:
                continue
            kind = section
            if section == "Resources":
                kind = str((gone or come or {}).get("Type"))
            if gone is None or come is None:
                yield f"{'+' if gone is None else '-'} {kind} {ending(name)}"
            else:
                yield from of_values(kind, gone, come)


def of_values(path: str, one: Any, other: Any) -> Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        for name in dict.fromkeys([*one, *other]):
            if one.get(name) != other.get(name):
                yield from of_values(f"{path}.{name}", one.get(name), other.get(name))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for gone, come in zip(one, other, strict=True):
            if gone != come:
                yield from of_values(path, gone, come)
    else:
        old, new = (NOTHING if each is None else shortened(str(each)) for each in (one, other))
        yield f"{path.replace('.Properties', '')}: {old} -> {new}"


def read(template: str) -> dict[str, Any]:
    """Return a template, its tags as `!Ref Queue`."""
    found: dict[str, Any] = yaml.load(template, Loader=Loader)  # noqa: S506 - a SafeLoader
    return found


class Loader(yaml.SafeLoader):
    """Reads a tag as part of the value."""


def tagged(loader: Loader, tag: str, node: yaml.Node) -> str:
    value = (
        loader.construct_scalar(node)
        if isinstance(node, yaml.ScalarNode)
        else loader.construct_sequence(node, deep=True)
        if isinstance(node, yaml.SequenceNode)
        else yaml.serialize(node)
    )
    return f"!{tag} {value}"


Loader.add_multi_constructor("!", tagged)


def ending(name: str) -> str:
    """Return the last words of a logical id: those before name a node of one pattern."""
    words = re.findall(r"[A-Z][a-z0-9]*", name)
    return name if len(words) <= WORDS else f"…{''.join(words[-WORDS:])}"


def of_lines(one: str, other: str) -> tuple[str, ...]:
    """Return each change once: lines one by one where as many come as go, or else the first."""
    old, new = one.splitlines(), other.splitlines()
    told = dict[str, None]()
    for tag, i, j, k, m in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        gone, come = ([line.strip() for line in part] for part in (old[i:j], new[k:m]))
        if tag == "replace" and len(gone) == len(come):
            told.update(dict.fromkeys(map(changed, gone, come)))
        elif tag != "equal":
            first = next(filter(None, come or gone), "")
            sign = {"insert": "+", "delete": "-", "replace": "~"}[tag]
            told[f"{sign} {shortened(first)} (-{len(gone)} +{len(come)} lines)"] = None
    return tuple(told)


def changed(one: str, other: str) -> str:
    """Return `name: old -> new` for what differs in a line."""
    old, new = (re.findall(r"[\w.-]+|\s+|.", line) for line in (one, other))
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    left, right = "".join(old[:start]), "".join(old[len(old) - end :])
    gone, come = ("".join(each[start : len(each) - end]) for each in (old, new))
    if len(left) > AROUND:
        left = f"…{left[-AROUND:]}"
    if len(right) > AROUND:
        right = f"{right[:AROUND]}…"
    return f"{left}{shortened(gone) or NOTHING} -> {shortened(come) or NOTHING}{right}"


def shortened(text: str) -> str:
    return text if len(text) <= 2 * AROUND else f"{text[: 2 * AROUND]}…"


def summary(found: Facts) -> Iterator[str]:
    """Yield the lines of a report."""
    if not found:
        yield "No generated file has changed."
        return
    files = {file for fact in found.values() for file in fact.files if file[2]}
    patterns = set[str]().union(*(fact.patterns for fact in found.values()))
    yield f"Changes: {len(found)}; files: {len(files)}; patterns: {len(patterns)}"
    for group in sorted({group for group, _ in found}):
        yield f"\n{group}"
        of_group = [(text, fact) for (each, text), fact in found.items() if each == group]
        for text, fact in sorted(of_group, key=lambda each: (-len(each[1].files), each[0])):
            of = next(iter(fact.patterns)) if len(fact.patterns) == 1 else len(fact.patterns)
            unit = "" if isinstance(of, str) else " patterns"
            times = "time" if len(fact.files) == 1 else "times"
            within = "" if len(fact.variants) == 1 else f", {len(fact.variants)} variants"
            yield f"{len(fact.files):>5} {times}: {text} ({of}{unit}{within})"
