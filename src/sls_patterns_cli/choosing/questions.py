"""The questions, and the patterns that the answers leave."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sls_patterns_cli.catalog.model import Pattern

Answer = str | bool

Answers = Mapping[str, Answer]
"""The answers so far, by the names of questions."""

FEW = 3
"""So many patterns are named; of more, the one that comes closest is asked for."""


@dataclass(frozen=True)
class Question:
    """A question, whose answers are those that `suits` in a pattern.yml can have."""

    name: str
    text: str
    answers: Mapping[Answer, str]


QUESTIONS = (
    Question(
        "callers",
        "Who calls?",
        {
            "people": "people or systems outside AWS, over HTTP",
            "services": "my own services, inside AWS",
            "changes": "nobody: a new file or a log line starts it",
        },
    ),
    Question(
        "waits",
        "Must the caller wait for the result?",
        {True: "yes", False: "no: an acknowledgement is enough"},
    ),
    Question(
        "ordered",
        "Must messages be processed in the order in which they were sent?",
        {False: "no", True: "yes"},
    ),
    Question(
        "receivers",
        "Who processes one message or request?",
        {
            "one": "one function or service",
            "several": "several services, each for itself",
            "by-type": "one of several functions, by its type or route",
        },
    ),
)


def suitable(patterns: Iterable[Pattern], answers: Answers) -> list[Pattern]:
    """The patterns that suit all of the answers."""
    return [
        pattern
        for pattern in patterns
        if all(answer in pattern.suits[question] for question, answer in answers.items())
    ]


def next_question(patterns: Sequence[Pattern], answers: Answers) -> Question | None:
    """The next question whose answer leaves fewer of the patterns; None if there is none.

    Its answers are those that leave some.
    """
    left = suitable(patterns, answers)
    if len(left) <= 1:
        return None
    for question in QUESTIONS:
        possible = {
            answer: text
            for answer, text in question.answers.items()
            if any(answer in pattern.suits[question.name] for pattern in left)
        }
        divides = any(possible.keys() - set(pattern.suits[question.name]) for pattern in left)
        if question.name not in answers and divides:
            return Question(question.name, question.text, possible)
    return None
