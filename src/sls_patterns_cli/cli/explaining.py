"""The pages on what is the same in every project: docs/explain here, or a wheel's copy of it."""

from pathlib import Path

from sls_patterns_cli.errors import UserError

_CLI = Path(__file__).resolve().parent
_PACKAGED, _CHECKOUT = _CLI / "_pages", _CLI.parents[2] / "docs/explain"


def topics() -> dict[str, str]:
    """The title of each page by its topic, which is the name of its file."""
    return {topic: _title((_folder() / f"{topic}.md").read_text("utf-8")) for topic in names()}


def names() -> list[str]:
    """The topics, in the order of the alphabet."""
    return sorted(file.stem for file in _folder().glob("*.md"))


def page(topic: str) -> str:
    """The page of a topic, in Markdown. Raises UserError for a topic that is none."""
    if topic not in names():
        raise UserError(f"{topic!r} is no topic; choose from: {', '.join(names())}")
    return (_folder() / f"{topic}.md").read_text("utf-8")


def as_dict(topic: str) -> dict[str, str]:
    """What programs get of a page."""
    text = page(topic)
    return {"topic": topic, "title": _title(text), "text": text}


def _folder() -> Path:
    return _PACKAGED if _PACKAGED.is_dir() else _CHECKOUT


def _title(text: str) -> str:
    return text.partition("\n")[0].removeprefix("# ")
