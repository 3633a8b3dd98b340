"""Metric math and the rules of composite alarms, read by Python's own parser."""

import ast
import re
from collections.abc import Mapping


def parsed(text: str, spelled: Mapping[str, str]) -> ast.expr:
    """Return an expression, once its words and operators are spelled as Python has them.

    Args:
        text: what a template has; what stands in quotes is left alone.
        spelled: how Python spells what is spelled otherwise.

    Raises:
        SyntaxError: it is no expression.
    """
    otherwise = "|".join(rf"\b{each}\b" if each.isalpha() else re.escape(each) for each in spelled)
    parts = re.split(r"""("[^"]*"|'[^']*')""", text)
    parts[::2] = [re.sub(otherwise, lambda it: f" {spelled[it[0]]} ", part) for part in parts[::2]]
    return ast.parse(f"({''.join(parts)})", mode="eval").body
