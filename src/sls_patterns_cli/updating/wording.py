"""Compares sources by what they do: line endings, comments and docstrings do not count."""

import ast
import re
from functools import cache
from pathlib import PurePosixPath

_TYPESCRIPT = re.compile(
    r"""
    (?P<kept>
        "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' | `(?:\\.|[^`\\])*`
        # A slash begins a regular expression only where an operand is expected.
      | (?:(?<=[=(,:\[!&|?{};])|(?<=[=(,:\[!&|?{};]\s)) /(?![*/])
        (?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])+ /
    )
  | //[^\n]* | /\*.*?\*/
    """,
    re.DOTALL | re.VERBOSE,
)

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


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
    """What is left of a source without comments; a file of another kind as it is."""
    content = unix(content)
    try:
        match PurePosixPath(path).suffix:
            case ".py":
                return _python(content).encode()
            case ".ts" | ".mts" | ".js" | ".mjs":
                return _typescript(content.decode()).encode()
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass  # whoever wrote it is not done yet, or this Python is older than the source
    return content


def _python(content: bytes) -> str:
    tree = ast.parse(content)
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
    return ast.unparse(tree) + "\n"


def _typescript(text: str) -> str:
    bare = _TYPESCRIPT.sub(lambda found: found["kept"] or "", text)
    return "".join(f"{line.strip()}\n" for line in bare.splitlines() if line.strip())
