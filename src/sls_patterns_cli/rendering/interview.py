"""Asks the template's questions: with a way back, and a review at the end.

The renderer says what `questions.yml` says: which question comes next, what it offers, and which
answers are valid. To go back, or to change an answer, it goes through its questions once more, and
gets the answers from before to those that stay as they are.
"""

import shutil
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from sls_patterns_cli import catalog
from sls_patterns_cli.asking.ask import ask
from sls_patterns_cli.asking.question import Back, Option, Question
from sls_patterns_cli.catalog.tree import picture
from sls_patterns_cli.rendering import questions
from sls_patterns_cli.terminal.output import shown

_CREATE, _CANCEL = object(), object()

Answers = dict[str, Any]


class _Remembered(NamedTuple):
    """An answer, and what the default was when it was given."""

    answer: Any
    default: Any


class _Before(NamedTuple):
    """The answers before one of them is changed."""

    remembered: dict[str, _Remembered]
    answered: dict[str, Any]


class Interview:
    """The questions to one person.

    `answered` has the answers so far, by question, also if the interview ends early. `objection`
    says what is wrong with an answer beside what the template says; nothing if it is right.
    """

    def __init__(
        self, answered: MutableMapping[str, Any], objection: Callable[[str, Any], str]
    ) -> None:
        self._answered = answered
        self._objection = objection
        self._asked: dict[str, Question] = {}
        """The questions of this pass, with the one that is being asked."""
        self._remembered: dict[str, _Remembered] = {}
        self._kept: set[str] = set()
        """The questions that are not asked again in this pass if their answers are still valid."""
        self._before_change: _Before | None = None

    def conduct(
        self,
        ask_all: Callable[[Callable[[questions.Question], Any]], Answers],
        place: Callable[[Answers], Path],
    ) -> Answers:
        """Let the renderer `ask_all` questions until somebody agrees to the answers.

        `place` is where the project will be. If nothing had to be asked, nobody is asked to agree.
        Raises KeyboardInterrupt if somebody ends it.
        """
        while True:
            self._asked.clear()
            self._answered.clear()
            try:
                answers = ask_all(self._answer)
                self._before_change = None
                self._kept = {*self._asked}
                if not self._asked or self._is_agreed(place(answers)):
                    return answers
            except Back:
                self._go_back()
            except BaseException:
                if self._before_change:
                    self._answered.clear()
                    self._answered.update(self._before_change.answered)
                raise

    def _answer(self, asked: questions.Question) -> Any:
        """What somebody answers, or has answered before."""
        name = asked.name
        self._asked[name] = question = _question(asked, self._objection)
        if not (name in self._kept and self._is_valid(name, question)):
            can_go_back = len(self._asked) > 1 or self._before_change is not None
            answer = ask(self._preset(name, question), back=can_go_back)
            self._remembered[name] = _Remembered(answer, question.default)
        self._answered[name] = asked.cast(self._remembered[name].answer)
        return self._answered[name]

    def _is_valid(self, name: str, question: Question) -> bool:
        """Whether there is a remembered answer that can be given now.

        A default that was taken is none any more, if another one is offered now.
        """
        if name not in self._remembered:
            return False
        answer, default = self._remembered[name]
        if answer == default != question.default:
            return False
        if question.options and not question.free:
            values = [each.value for each in question.options]
            return all(each in values for each in (answer if question.several else [answer]))
        return not question.objection(answer)

    def _preset(self, name: str, question: Question) -> Question:
        """The question with what was answered before as its default."""
        if not self._is_valid(name, question):
            return question
        return replace(question, default=self._remembered[name].answer)

    def _go_back(self) -> None:
        """Ask for the answer before this question; in a change, leave the answers as they were."""
        if self._before_change:
            self._remembered, self._before_change = self._before_change.remembered, None
            self._kept = {*self._remembered}
        else:
            *before, _ = self._asked
            self._kept = {*before[:-1]}

    def _is_agreed(self, place: Path) -> bool:
        """Whether the project is to be made; if not, it is known what is asked for again."""
        question = Question(
            "Are these answers right? Choose one to change it.",
            (
                Option(_CREATE, f"Create {shown(place)}"),
                *(
                    Option(name, name.replace("_", " "), asked.said(self._remembered[name].answer))
                    for name, asked in self._asked.items()
                ),
                Option(_CANCEL, "Cancel, and write nothing"),
            ),
            default=_CREATE,
        )
        try:
            answer = ask(question, back=True)
        except Back:
            *before, _ = self._asked
            self._kept = {*before}
            return False
        if answer is _CANCEL:
            raise KeyboardInterrupt
        if answer is not _CREATE:
            self._before_change = _Before(dict(self._remembered), dict(self._answered))
            self._kept = {*self._asked} - {answer}
        return answer is _CREATE


def _question(asked: questions.Question, objection: Callable[[str, Any], str]) -> Question:
    """The template's question in the form in which it is asked."""
    name = asked.name
    default = asked.default if asked.has_default else None

    def object_to(answer: Any) -> str:
        try:
            meaning = asked.meaning(answer)
        except ValueError:
            return f"{answer} is not a whole number"
        return asked.objection(meaning) or objection(name, answer)

    if asked.choices:
        options = tuple(_option(name, title, value) for title, value in asked.choices)
        return Question(asked.text, options, default, several=asked.several, objection=object_to)
    if asked.type == "bool":
        return Question(asked.text, (Option(True, "yes"), Option(False, "no")), default)  # noqa: FBT003
    options = tuple(_SUGGESTED[name]()) if name in _SUGGESTED else ()
    text = "" if default is None else str(default)
    return Question(asked.text, options, text, free=True, objection=object_to)


def _option(question: str, title: str, value: Any) -> Option:
    """An option of a choice, whose first line is its name, and the others what it means."""
    name, *lines = title.splitlines()
    meaning = " ".join(line.strip() for line in lines)
    if question != "pattern":
        return Option(value, name, paragraphs=(meaning,) if meaning else ())
    pattern = catalog.pattern(value)
    width = shutil.get_terminal_size().columns - len("     ")
    return Option(
        pattern.slug,
        name,
        pattern.slug,
        (meaning, f"Use it {pattern.use}", f"Do not use it {pattern.avoid}"),
        tuple(picture(pattern.topology(), width)),
        also=pattern.searched,
    )


def _regions() -> Iterator[Option]:
    for region, place in catalog.places_of_regions().items():
        yield Option(region, region, place)


_SUGGESTED = {"region": _regions}
"""What is offered where another text is an answer, too."""
