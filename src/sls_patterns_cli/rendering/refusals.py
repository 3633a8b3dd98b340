"""Answers that were given and would be dropped in silence, or taken for others."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from jinja2 import Environment

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.rendering.answers import Given

TRUTHS = ("true", "false")
"""The answers to a question that is answered by yes or no."""

WHOLE_NUMBER = re.compile(r"-?[0-9]{1,9}")
"""A number that is no text of thousands of digits, which Python refuses to read."""

LIST = re.compile(r"\[[\w\s,.-]*\]")
"""A list of names as YAML has it."""

Questions = Mapping[str, Mapping[str, Any]]
"""What the template says of each question."""


def refuse_unasked(given: Given, questions: Questions, jinja: Environment) -> None:
    """Raise UserError for what is no question, or one that is computed and never asked.

    So it does for what is no answer to a question that is answered by yes or no, or by a number,
    and for what is no list where the question takes several.
    """
    asked = [
        question for question, details in questions.items() if details.get("when") is not False
    ]
    for question, (option, _) in given.items():
        if question not in asked:
            raise UserError(f"{option} is not a question; the questions are: {', '.join(asked)}")
    for question, (option, value) in given.items():
        details = questions[question]
        # Any other text would be taken for true.
        if details.get("type") == "bool" and value not in TRUTHS:
            raise UserError(f"{option} is {value!r}; choose from: {', '.join(TRUTHS)}")
        # Python's int() would say what is wrong; the question's own check says what is allowed.
        if details.get("type") == "int" and not WHOLE_NUMBER.fullmatch(value):
            says = jinja.from_string(details.get("validator", "")).render({question: value}).strip()
            raise UserError(f"{option}: {says or f'{value!r} is not a whole number'}")
        if details.get("multiselect") and not LIST.fullmatch(value):
            raise UserError(f"{option}: {value!r} is not a list of names, such as [one, another]")


def refuse_without_effect(given: Given, questions: Questions, hidden: Collection[str]) -> None:
    """Raise UserError for an answer to what is `hidden`: not asked for with the other answers."""
    for question, (option, _) in given.items():
        # One with choices was checked against them; any other value would change nothing. Where one
        # takes several, there was none to choose.
        details = questions[question]
        checked = details.get("choices") and not details.get("multiselect")
        if question in hidden and not checked:
            raise UserError(f"{option} is not asked for with these answers")
