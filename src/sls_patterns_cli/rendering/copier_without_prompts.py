"""Imports Copier without the libraries by which it asks: a quarter of the time that this takes.

Where this tool asks, it asks by itself.
"""

import sys
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from sls_patterns_cli.system.importing import much_imported


@dataclass
class _Choice:
    """What Copier reads of a choice when it checks an answer: questionary's `Choice`."""

    title: str
    value: Any = None
    disabled: str | None = None
    checked: bool = False

    def __post_init__(self) -> None:
        self.value = self.title if self.value is None else self.value


def _unavailable(*_: object, **__: object) -> None:
    raise AssertionError("nothing can be asked: Copier was imported without what asks")


def _plain(*_: object) -> None:
    """No highlighting, of computed answers which nobody sees."""


STAND_INS: dict[str, dict[str, Any]] = {
    "prompt_toolkit.lexers": {"PygmentsLexer": _plain},
    "pygments.lexers.data": {"JsonLexer": None, "YamlLexer": None},
    "questionary": {"confirm": _unavailable, "unsafe_prompt": _unavailable},
    "questionary.prompts.common": {"Choice": _Choice},
}
"""What Copier imports, by the module that has it."""


def import_copier() -> None:
    """Import Copier; no effect if it is imported already."""
    if "copier" in sys.modules:
        return
    absent = [name for name in STAND_INS if name not in sys.modules]
    for name in absent:
        sys.modules[name] = ModuleType(name)
        vars(sys.modules[name]).update(STAND_INS[name])
    try:
        with much_imported():
            import copier  # noqa: F401
    finally:
        for name in absent:
            del sys.modules[name]
