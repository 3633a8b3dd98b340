"""The console by which Rich prints. Imports Rich: import this module lazily."""

import os
from typing import Literal

from rich.console import Console


def console() -> Console:
    """A console on stdout: no colours where NO_COLOR (https://no-color.org) is not empty."""
    colours: Literal["auto"] | None = None if os.environ.get("NO_COLOR") else "auto"
    return Console(color_system=colours, highlight=False, markup=False, emoji=False)


def in_unicode(output: Console) -> bool:
    """Whether the terminal can show more than its code page."""
    return output.encoding.lower().startswith("utf")
