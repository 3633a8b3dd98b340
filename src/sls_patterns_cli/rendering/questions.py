"""The questions of a template as Copier has them: what they offer, and what answers mean."""

import json
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import yaml

from sls_patterns_cli.rendering.jinja import Context, Environment, from_yaml

_NO = {"", "0", "0.0", "n", "no", "f", "false", "off", "~", "null", "none"}


def _truth(value: Any) -> bool:
    return str(value).strip().lower() not in _NO


def _from_json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


_MEANING: Mapping[str, Callable[[Any], Any]]
_MEANING = {"bool": _truth, "int": int, "str": str, "json": _from_json, "yaml": from_yaml}
"""What an answer means, by the type of the question."""


class Question:
    """A question whose `details` may refer to the `answers` before it."""

    def __init__(self, name: str, details: Context, answers: Context, jinja: Environment) -> None:
        self.name = name
        self._details, self._answers, self._jinja = details, answers, jinja
        self.type: str = details["type"]
        self.several = bool(details.get("multiselect"))
        self.has_default = "default" in details

    def _filled(self, detail: str, *, otherwise: Any = "", **added: Any) -> Any:
        value = self._details.get(detail, otherwise)
        return self._jinja.filled(value, {**self._answers, **added})

    @cached_property
    def is_asked(self) -> bool:
        """Whether there is something to answer, after these answers."""
        return _truth(self._filled("when", otherwise=True))

    @property
    def text(self) -> str:
        """How it is asked."""
        return str(self._filled("help")).strip() or self.name

    @cached_property
    def choices(self) -> list[tuple[str, Any]]:
        """What it offers, each with its title; nothing if any answer of its type is right."""
        offered = from_yaml(self._filled("choices", otherwise=[])) or []
        pairs = offered.items() if isinstance(offered, dict) else zip(offered, offered, strict=True)
        return [tuple(self._jinja.filled([*pair], self._answers)) for pair in pairs]

    @property
    def default(self) -> Any:
        """The answer if nobody gives another; ValueError if it is asked for and wrong."""
        answer = self.meaning(self._filled("default"))
        return self.checked(answer) if self.is_asked else answer

    def cast(self, answer: Any) -> Any:
        """An answer, or a list of several, as values of the question's type."""
        mean = _MEANING[self.type]
        return [mean(each) for each in answer] if isinstance(answer, list) else mean(answer)

    def meaning(self, answer: Any) -> Any:
        """The value of an answer; ValueError if it is none that is offered."""
        offered = [self.cast(value) for _, value in self.choices]
        if self.several and isinstance(answer, str):
            answer = yaml.load(answer, yaml.BaseLoader)  # noqa: S506 - all are texts
        value = self.cast(answer)
        for each in value if self.several else [value]:
            if offered and each not in offered:
                raise ValueError(f"Invalid choice for '{self.name}': {each!r} is not in {offered}")
        return [each for each in offered if each in value] if self.several else value

    def objection(self, answer: Any) -> str:
        """What is wrong with an answer; nothing if it is right."""
        return str(self._filled("validator", **{self.name: answer})).strip()

    def checked(self, answer: Any) -> Any:
        """The answer; ValueError if something is wrong with it."""
        if objection := self.objection(answer):
            raise ValueError(f"Validation error for question '{self.name}': {objection}")
        return answer
