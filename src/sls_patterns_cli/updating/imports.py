"""Which names the sources of a project import from each other, and which they define."""

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import PurePosixPath
from posixpath import normpath

Import = tuple[str, frozenset[str]]
"""The path of a source, without suffix, and the names that are imported from it."""

_ROOTS = ("src/", "clients/", "tests/")
"""Where Python finds the modules of a project."""

_IMPORT = re.compile(
    r'\b(?:import|export)\s+(?:type\s+)?(?:\{([^}]*)\}|[^"\';]*?)\s*(?:from\s+)?"(\.[^"]+)"'
)
_EXPORT = re.compile(
    r"\bexport\s+(?:declare\s+)?(?:abstract\s+|async\s+)?"
    r"(?:const|let|function\*?|class|type|interface|enum)\s+(\w+)"
)
_EXPORTED = re.compile(r"\bexport\s+(?:type\s+)?\{([^}]*)\}")


def places(module: str) -> tuple[str, ...]:
    """Where the source may be that is imported as a path without suffix."""
    return (f"{module}.py", f"{module}/__init__.py", f"{module}.ts", f"{module}/index.ts")


@cache
def imported(path: str, content: bytes) -> tuple[Import, ...]:
    """What the source at `path` imports that may be in the project; empty if it cannot be read."""
    read: dict[str, Callable[[str, str], Iterator[Import]]] = {
        ".py": _python_imports,
        ".ts": _typescript_imports,
    }
    reader = read.get(PurePosixPath(path).suffix)
    try:
        return tuple(reader(path, content.decode())) if reader else ()
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()


@cache
def defined(path: str, content: bytes) -> frozenset[str] | None:
    """The names that others can import from the source at `path`; None if it cannot be read."""
    try:
        text = content.decode()
        if PurePosixPath(path).suffix == ".py":
            return frozenset(_python_names(ast.parse(text)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if re.search(r"\bexport\s+\*", text):
        return None
    names = {found[1] for found in _EXPORT.finditer(text)}
    for found in _EXPORTED.finditer(text):
        names |= {each.split(" as ")[-1].strip() for each in found[1].split(",")}
    return frozenset(names)


def _python_imports(path: str, text: str) -> Iterator[Import]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                for root in _ROOTS:
                    yield root + alias.name.replace(".", "/"), frozenset()
        elif isinstance(node, ast.ImportFrom):
            above = [f"{PurePosixPath(path).parents[node.level - 1].as_posix()}/"]
            for root in above if node.level else _ROOTS:
                module = (root + (node.module or "").replace(".", "/")).rstrip("/")
                yield module, frozenset(alias.name for alias in node.names)
                # Each of the names may be a module.
                for alias in node.names:
                    yield f"{module}/{alias.name}", frozenset()


def _python_names(tree: ast.Module) -> Iterator[str]:
    """Every name that is bound anywhere: more than can be imported, but no less."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.alias():
                yield node.asname or node.name.partition(".")[0]


def _typescript_imports(path: str, text: str) -> Iterator[Import]:
    for found in _IMPORT.finditer(text):
        place = normpath(f"{PurePosixPath(path).parent}/{found[2]}")
        names = {
            each.strip().removeprefix("type ").split(" as ")[0].strip()
            for each in (found[1] or "").split(",")
        }
        yield str(PurePosixPath(place).with_suffix("")), frozenset(filter(None, names))
