"""One template as it would be deployed, and where each resource stands."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sls_patterns_cli.cloudformation.document import Document, Template
from sls_patterns_cli.cloudformation.stack import inside


@dataclass(frozen=True)
class Position:
    """Where a resource stands: the line is of the most that the path reaches."""

    document: Document
    path: tuple[str, ...]


@dataclass
class Source:
    """One template as it would be deployed, nested stacks included.

    `unread` says what could not be followed; `shown` is the name of a resource for people, where it
    differs from its id in the template; `is_plan` tells a plan of Terraform's from a template.
    """

    file: Path
    template: Template
    positions: dict[str, Position]
    unread: list[str] = field(default_factory=list)
    shown: dict[str, str] = field(default_factory=dict)
    is_plan: bool = False

    def line(self, resource: str, *path: str) -> tuple[Path, int]:
        """Return the file and line of a resource, or of a property of it."""
        position = self.positions.get(resource)
        if position is None:
            return self.file, 1
        return position.document.file, position.document.line(*position.path, *path)

    def metadata(self, resource: str) -> dict[str, Any]:
        """Return the Metadata of a resource as it stands in its file."""
        found = self._written(resource, "Metadata")
        return found if isinstance(found, dict) else {}

    def type(self, resource: str) -> str:
        """Return the type of a resource as it stands in its file: of an event that of its owner."""
        return str(self._written(resource, "Type"))

    def _written(self, resource: str, part: str) -> Any:
        position = self.positions.get(resource)
        return inside(position.document.content, *position.path[:2], part) if position else None

    def name(self, resource: str) -> str:
        """Return the name of a resource for people."""
        return self.shown.get(resource, resource)

    def text(self, text: str) -> str:
        """Return a text with the names of resources for people."""
        if not self.shown:
            return text
        return re.sub(r"\w+", lambda word: self.shown.get(word[0], word[0]), text)
