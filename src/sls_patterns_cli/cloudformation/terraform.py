"""Terraform plans."""

from typing import Any


def is_plan(content: Any) -> bool:
    return isinstance(content, dict) and "planned_values" in content


def template(plan: dict[str, Any]) -> dict[str, Any]:
    raise NotImplementedError
