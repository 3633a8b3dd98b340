"""Asks in the way that suits the terminal."""

from typing import Any

from sls_patterns_cli.asking.question import Question
from sls_patterns_cli.terminal import output


def ask(question: Question, *, back: bool = False) -> Any:
    """The answer of somebody at a terminal; `back` offers the question before.

    Raises Back, EOFError if the input ended, KeyboardInterrupt if somebody ended it.
    """
    if not output.is_interactive():
        from sls_patterns_cli.asking import in_lines

        return in_lines.ask(question, back=back)
    from sls_patterns_cli.asking import form

    answer = form.ask(question, back=back)
    short = question.text.partition("? ")[0].removesuffix("?")
    output.show(f"{output.bold(f'? {short}?')} {question.said(answer)}")
    return answer
