"""The pages of the rules: docs/rules of this repository, or the copy that a wheel has of it."""

from pathlib import Path

from sls_patterns_cli.check.rules import RULES
from sls_patterns_cli.errors import UserError

_CHECK = Path(__file__).resolve().parent
_PACKAGED, _CHECKOUT = _CHECK / "_pages", _CHECK.parents[2] / "docs/rules"


def page(rule: str) -> str:
    """The page of a rule, in Markdown. Raises UserError for an id that is none."""
    if rule not in RULES:
        raise UserError(f"{rule!r} is no rule; the rules are: {', '.join(RULES)}")
    folder = _PACKAGED if _PACKAGED.is_dir() else _CHECKOUT
    return (folder / f"{rule}.md").read_text("utf-8")


def description(rule: str) -> str:
    """What its page says happens on AWS, on one line: the text before the first section."""
    _title, _, rest = page(rule).partition("\n")
    return " ".join(rest.partition("\n## ")[0].split())
