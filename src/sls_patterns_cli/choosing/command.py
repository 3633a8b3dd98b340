"""`choose`: ask, and name the patterns that are left, with the reason."""

from collections.abc import Sequence

from sls_patterns_cli import catalog
from sls_patterns_cli.asking import ask as asking
from sls_patterns_cli.asking.question import Option, Question
from sls_patterns_cli.catalog.model import Pattern
from sls_patterns_cli.choosing.questions import FEW, Answer, Answers, next_question, suitable
from sls_patterns_cli.errors import UserError
from sls_patterns_cli.terminal import output


def run(given: Answers, *, ask: bool, json: bool) -> int:
    """Print the patterns that suit the answers; what was not given is asked for if `ask`.

    Raises UserError if no pattern suits them, KeyboardInterrupt if somebody ends the questions.
    """
    patterns, answers = list(catalog.patterns()), dict(given)
    if not suitable(patterns, answers):
        raise UserError("no pattern suits all of these answers; leave one out")
    while ask and (question := next_question(patterns, answers)):
        options = (Option(answer, text) for answer, text in question.answers.items())
        answers[question.name] = asking.ask(Question(question.text, tuple(options)))
    left = suitable(patterns, answers)
    if ask and len(left) > FEW:
        closest = (Option(each.slug, each.title, each.slug, (each.use,)) for each in left)
        left = [catalog.pattern(asking.ask(Question("What comes closest?", tuple(closest))))]
    if json:
        output.show_json([_as_dict(each) for each in left])
    else:
        _show(left)
    return 0


def _show(patterns: Sequence[Pattern]) -> None:
    for number, pattern in enumerate(patterns):
        if number:
            output.show()
        output.show(output.bold(f"{pattern.slug}  {pattern.title}"))
        output.paragraph(pattern.summary)
        output.paragraph(f"Use it {pattern.use}")
        output.paragraph(f"Do not use it {pattern.avoid}")
        output.show(f"  sls-patterns new {pattern.slug}")


def _as_dict(pattern: Pattern) -> dict[str, Answer | str]:
    return {
        "slug": pattern.slug,
        "title": pattern.title,
        "summary": pattern.summary,
        "use": pattern.use,
        "avoid": pattern.avoid,
    }
