"""Compares sources by what they do: line endings, comments and other words do not count.

Words are comments, docstrings, the titles of unit tests, what `make help` prints, and the prose of
documents. Comments that tools obey are not, nor what prose has of code, links and numbers.
"""

import ast
import re
import tomllib
from functools import cache
from pathlib import PurePosixPath

import yaml

_TYPESCRIPT = re.compile(
    r"""
    (?P<kept>
        "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' | (?P<template>`(?:\\.|[^`\\])*`)
        # A slash begins a regular expression only where an operand is expected.
      | (?:(?<=[=(,:\[!&|?{};])|(?<=[=(,:\[!&|?{};]\s)) /(?![*/])
        (?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])+ /
    )
  | //[^\n]* | /\*.*?\*/
    """,
    re.DOTALL | re.VERBOSE,
)

_OBEYED = re.compile(
    r"""
    \A\#![^\n]*
  | (?:\#|//|/\*) \s* (?:
        noqa\b (?: : \s* [A-Z]+\d+ (?: , \s* [A-Z]+\d+ )* )?
      | type: \s* ignore (?: \[ [\w, -]* \] )?
      | @ts-[\w-]+
      | eslint-[\w-]+ (?: [ ]+ [\w@/-]+ (?: , \s* [\w@/-]+ )* )?
      | (?: prettier | vitest | v8 ) [ -] ignore
      | (?: checkov | ruff | mypy | pragma | zizmor ) : [^\n]*
    )
    """,
    re.VERBOSE,
)
"""Comments that interpreters, compilers and linters obey."""

_FACTS = re.compile(r"(?ms)^```.*?^```|`[^`]*`|\]\([^)]*\)|https?://\S+|\d[\w.,%]*")
"""What a document has of code, links and numbers."""

_TITLE = re.compile(
    r"""
    (?<![.\w]) (?: (?P<call> (?: test | it | describe ) (?: \.\w+ )* \( \s* )
        (?: "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' )
      | (?<=def[ ]) test_\w+ )
    """,
    re.VERBOSE,
)
"""The title of a unit test, which in Python is its function's name."""

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def unix(content: bytes) -> bytes:
    """A text with the line endings that the template's have."""
    return content.replace(b"\r\n", b"\n")


def like(content: bytes, users: bytes) -> bytes:
    """The template's text with the line endings of the user's."""
    return content.replace(b"\n", b"\r\n") if b"\r\n" in users else content


def is_same(path: str, one: bytes, other: bytes) -> bool:
    """Whether two contents of the file at `path` differ in words alone, or not at all."""
    return unix(one) == unix(other) or code(path, one) == code(path, other)


@cache
def code(path: str, content: bytes) -> bytes:
    """What is left of a source without words; a file of another kind as it is."""
    content, place = unix(content), PurePosixPath(path)
    if (reader := _READERS.get(place.suffix or place.name)) is None:
        return content
    try:
        text = content.decode()
        bare = reader(text)
        if place.parts[:2] == ("tests", "unit"):
            bare = _TITLE.sub(lambda title: title["call"] or "", bare)
    except (SyntaxError, ValueError, RecursionError, MemoryError, yaml.YAMLError):
        return content  # whoever wrote it is not done yet, or this Python is older than the source
    obeyed = [] if place.suffix == ".md" else _OBEYED.findall(text)
    return "\n".join([bare, *obeyed]).encode()


def _python(text: str) -> str:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
    return ast.unparse(tree) + "\n"


def _typescript(text: str) -> str:
    bare = _TYPESCRIPT.sub(_kept, text)
    return "".join(f"{line.strip()}\n" for line in bare.splitlines() if line.strip())


def _kept(found: re.Match[str]) -> str:
    template = found["template"] or ""
    if template.rfind("${") > template.rfind("}"):
        raise ValueError("a template within a template, of which the expression knows nothing")
    return found["kept"] or ""


def _yaml(text: str) -> str:
    facts = ("anchor", "tag", "implicit", "value")
    return "".join(
        f"{type(event).__name__} {[getattr(event, fact, None) for fact in facts]}\n"
        for event in yaml.parse(text, Loader=_LOADER)
    )


def _toml(text: str) -> str:
    return repr(tomllib.loads(text))


def _makefile(text: str) -> str:
    lines, continued = [], False
    for line in text.split("\n"):
        if continued or not line.startswith("#"):
            lines.append(line if line.startswith("\t") else re.sub(r"\s+## .*", "", line))
            continued = line.endswith("\\")
    return "\n".join(lines)


def _lines(text: str) -> str:
    return "".join(f"{line}\n" for line in text.split("\n") if not line.startswith("#"))


def _facts(text: str) -> str:
    return "".join(f"{fact}\n" for fact in _FACTS.findall(text))


_READERS = {
    **dict.fromkeys((".ts", ".mts", ".js", ".mjs"), _typescript),
    **dict.fromkeys((".yaml", ".yml"), _yaml),
    **dict.fromkeys((".txt", ".gitignore", ".editorconfig"), _lines),
    ".py": _python,
    ".toml": _toml,
    ".md": _facts,
    "Makefile": _makefile,
}
