"""Copier's errors in this tool's words, one line each."""

import ast
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from copier.errors import CopierError, InteractiveSessionError, InvalidConfigFileError
from jinja2 import TemplateError
from yaml import YAMLError

from sls_patterns_cli.answers import Given
from sls_patterns_cli.destination import PREFIX
from sls_patterns_cli.errors import UserError


@contextmanager
def explained(given: Given, place: Callable[[], Path | None] = lambda: None) -> Iterator[None]:
    """Within it each error of Copier is a UserError; `place` is where the project will be."""
    try:
        yield
    except KeyboardInterrupt:  # Copier's is a CopierError, too
        raise
    except InteractiveSessionError as error:
        raise UserError(
            "the input ended before the last question; give the answers as options"
        ) from error
    except InvalidConfigFileError as error:
        raise UserError("the template is broken: copier.yml cannot be read", 1) from error
    except CopierError as error:
        raise UserError(str(error), exit_code=1) from error
    except (TemplateError, YAMLError) as error:  # of a template that is missing an OSError, too
        raise UserError(f"the template is broken: {error}", exit_code=1) from error
    except ValueError as error:
        raise _wrong_answer(error, given) from error
    except OSError as error:
        # A temporary folder is nothing that the user knows of.
        known = error.filename and PREFIX not in str(error.filename)
        where = error.filename if known else place()
        raise UserError(f"{where or 'cannot render'}: {error.strerror}", exit_code=1) from error


def _wrong_answer(error: ValueError, given: Given) -> UserError:
    """What Copier says about a wrong answer, in this tool's words and with what is allowed."""
    text = str(error)
    if found := re.fullmatch(r"Invalid choice for '(\w+)': (.*)", text, re.DOTALL):
        question, detail = found.groups()
        option = given[question][0] if question in given else question
        if choice := re.fullmatch(r"(.*) is not in (\[.*\])", detail, re.DOTALL):
            allowed = ", ".join(map(str, ast.literal_eval(choice[2])))
            return UserError(f"{option}: {choice[1]} is not offered; choose from: {allowed}")
        return UserError(f"{option}: {detail}")
    if found := re.fullmatch(r"Validation error for question '(\w+)': (.*)", text, re.DOTALL):
        question, detail = found.groups()
        return UserError(f"{given[question][0] if question in given else question}: {detail}")
    return UserError(text)
