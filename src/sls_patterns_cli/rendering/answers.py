"""The answers to the template's questions: given beforehand, and recorded in a project."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sls_patterns_cli.errors import UserError

ANSWERS_FILE = ".copier-answers.yml"

SEVERAL = frozenset({"parameters"})
"""The questions whose answers are lists of names; an empty one is not recorded."""

Given = Mapping[str, tuple[str, str]]
"""The questions answered beforehand: how each was (such as `--datastore`), and the answer."""


def read(folder: Path, *wanted: str) -> dict[str, Any]:
    """What the answers file in `folder` holds; raises UserError unless it says what is `wanted`."""
    import yaml

    file = folder / ANSWERS_FILE
    try:
        loaded = yaml.safe_load(file.read_bytes())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UserError(
            f"{folder} is not a project of sls-patterns: it has no {ANSWERS_FILE}"
        ) from error
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}") from error
    except (yaml.YAMLError, ValueError) as error:  # such as a date that does not exist
        raise UserError(f"{file} is broken: {error}; restore it with git") from error
    if not isinstance(loaded, dict) or not all(isinstance(key, str) for key in loaded):
        raise UserError(f"{file} is broken: it holds no answers; restore it with git")
    for key, value in to_questions(loaded).items():
        several = isinstance(value, list) and all(isinstance(each, str) for each in value)
        if isinstance(value, dict | list) and not (key in SEVERAL and several):
            raise UserError(f"{file} is broken: {key} is not one value; restore it with git")
    for key in wanted:
        if not (isinstance(loaded.get(key), str) and loaded[key]):
            raise UserError(f"{file} is broken: it does not say {key}; restore it with git")
    return loaded


def project_around(folder: Path) -> Path | None:
    """The nearest folder, from `folder` upwards, that is a project; None if there is none."""
    folder = folder.absolute()
    return next(
        (root for root in (folder, *folder.parents) if (root / ANSWERS_FILE).is_file()), None
    )


def to_questions(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """The answers to the template's questions; the rest says which version made the project."""
    return {key: value for key, value in recorded.items() if not key.startswith("_")}


def without_questions(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """What a project records that is no answer, beside the version that made it."""
    version = {"_commit", "_src_path"}
    return {key: recorded[key] for key in recorded if key.startswith("_") and key not in version}


def shown(answer: Any) -> str:
    """An answer as `--data` takes it: a list in brackets, and that of no answer is empty."""
    if answer is None:
        return "[]"
    if isinstance(answer, bool):
        return str(answer).lower()
    return f"[{', '.join(answer)}]" if isinstance(answer, list) else str(answer)


def rendered(content: bytes) -> dict[str, Any]:
    """The answers to the template's questions in an answers file that it has just made."""
    import yaml

    return to_questions(yaml.safe_load(content))
