"""What a rule found in a template."""

from dataclasses import asdict, dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """A violation of a rule, at the line of the template that causes it."""

    rule: str
    severity: Severity
    file: str
    line: int
    resource: str
    message: str
    mend: str
    url: str
    suppressed: str | None = None
    """The reason, where somebody has suppressed it."""

    def as_dict(self) -> dict[str, str | int | None]:
        """Return the finding as it is printed for programs; `suppressed` only where it is."""
        fields: dict[str, str | int | None] = asdict(self)
        if self.suppressed is None:
            del fields["suppressed"]
        return fields
