"""Asks where a terminal can only print lines: nothing moves its cursor."""

import sys
from typing import Any

from sls_patterns_cli.asking.question import Back, Option, Question
from sls_patterns_cli.terminal import output

BACK = "<"
"""What somebody types to see the question before."""
NONE = "none"
"""The answer to a question for several options by which none is chosen."""


def ask(question: Question, *, back: bool) -> Any:
    """The answer that somebody types: a number, a name, several of them, or a text.

    Raises Back, EOFError if the input ended, KeyboardInterrupt if somebody ended it.
    """
    output.show(question.text)
    for number, option in enumerate(question.options, 1):
        output.show(f"  {number:2}  {option.line}")
        for paragraph in option.paragraphs:
            output.paragraph(paragraph, indent=" " * 6)
    while True:
        typed = _typed(question, back=back)
        if back and typed == BACK:
            raise Back
        answer, objection = _answer(question, typed)
        if not objection:
            return answer
        output.paragraph(objection, indent="  ! ")


def _typed(question: Question, *, back: bool) -> str:
    kind = "A number or a name" if question.options else "A text"
    if question.several:
        kind = "Numbers or names, with commas between them"
    way_back = f", {BACK} to go back" if back else ""
    sys.stdout.write(f"{kind}{way_back} [{_shown(question)}]: ")
    sys.stdout.flush()
    if not (line := sys.stdin.readline()):
        raise EOFError
    return line.strip()


def _shown(question: Question) -> str:
    """The answer that an empty line gives."""
    if question.several:
        return ", ".join(map(str, question.default)) or NONE
    known = next((each for each in question.options if each.value == question.default), None)
    return known.name if known and isinstance(known.value, bool) else str(question.default)


def _answer(question: Question, typed: str) -> tuple[Any, str]:
    """What somebody typed as an answer, and what is wrong with it."""
    answer: Any
    if not typed:
        answer = question.default
    elif question.several:
        names = [] if typed.casefold() == NONE else typed.split(",")
        found = [_option(question, each.strip()) for each in names]
        if unknown := [each for each in found if isinstance(each, str)]:
            return None, _not_offered(question, unknown[0])
        answer = [each.value for each in found if isinstance(each, Option)]
    else:
        one = _option(question, typed)
        if isinstance(one, str) and question.options and not question.free:
            return None, _not_offered(question, one)
        answer = one if isinstance(one, str) else one.value
    return answer, question.objection(answer)


def _option(question: Question, typed: str) -> Option | str:
    """The option with that number, value or name, or the text itself."""
    for number, option in enumerate(question.options, 1):
        if typed.casefold() in {str(number), str(option.value).casefold(), option.name.casefold()}:
            return option
    return typed


def _not_offered(question: Question, typed: str) -> str:
    names = ", ".join(each.name for each in question.options)
    return f"{typed} is not offered; choose from: {names}"
