"""Which tools on this machine a generated project's own commands need."""

import shutil
from collections.abc import Iterable, Mapping

_ALWAYS = ("make",)

_BY_ANSWER = {
    "python": ("python3",),
    "typescript": ("node", "npm"),
    "sam": ("sam", "aws"),
    "cdk": ("node", "npx", "aws"),
}


def missing(answers: Mapping[str, object]) -> list[str]:
    """The tools that a project with these answers needs and that are not on the PATH."""
    needed: Iterable[str] = (
        *_ALWAYS,
        *(tool for answer in answers.values() for tool in _BY_ANSWER.get(str(answer), ())),
    )
    return [tool for tool in dict.fromkeys(needed) if shutil.which(tool) is None]
