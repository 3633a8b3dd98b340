"""Reads texts, paths and lists of them without pydantic, whose import takes as long as Typer's.

Typer loads it for each parameter that is no flag, also for one that is not given. What is neither
is left to Typer, and so is what it refuses, in its own words. It is private in Typer, which is
pinned: `tests/cli/test_plain_parameters.py` compares both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer import BadParameter
from typer._click import Context
from typer._coercion import RuntimeParam, TypeDescriptor, build_runtime_param
from typer._param_types import coerce_cli_path
from typer.core import _TyperParameter

_OF_LISTS = {list[str]: str, list[Path]: Path}


@dataclass(frozen=True)
class PlainParameter(RuntimeParam):
    """Reads a parameter by itself, or lets Typer do it."""

    descriptor: TypeDescriptor

    def _coerce_value(self, value: Any, param: _TyperParameter, ctx: Context) -> Any:
        try:
            return self._read(value, self.annotation)
        except (BadParameter, _NotPlain):
            return build_runtime_param(self.descriptor).coerce(value, param, ctx)

    def _read(self, value: Any, kind: Any) -> Any:
        if self.parameter_info.parser is None:
            if kind is str and isinstance(value, str):
                return value
            if kind is Path and isinstance(value, str | Path):
                return coerce_cli_path(Path(value), self.parameter_info, path_type=Path)
            if kind in _OF_LISTS and isinstance(value, Sequence):
                return [self._read(each, _OF_LISTS[kind]) for each in value]
        raise _NotPlain


class _NotPlain(Exception):  # noqa: N818 - no error
    """It is for Typer to read."""


def _runtime_param(self: _TyperParameter) -> RuntimeParam:
    descriptor = self.type_descriptor
    return PlainParameter(descriptor.parameter_info, descriptor.annotation, descriptor)


def install() -> None:
    """Let every command of this process read its parameters so."""
    _TyperParameter.get_runtime_param = _runtime_param  # type: ignore[method-assign]
