"""Copier's errors in this tool's words, one line each."""

import ast
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from copier.errors import (
    CopierError,
    InteractiveSessionError,
    InvalidConfigFileError,
    UnsafeTemplateError,
)
from jinja2 import TemplateError, TemplateNotFound
from yaml import YAMLError

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.rendering.answers import Given
from sls_patterns_cli.system.new_folder import PREFIX

EXCESSIVE = (OverflowError, MemoryError, RecursionError)
"""What a template ends with that loops, grows or includes itself without end."""

_VALIDATION = re.compile(r"Validation error for question '(\w+)': (.*)", re.DOTALL)


def without_question(error: str) -> str:
    """What Copier says is wrong with an answer, without the name of the question."""
    found = _VALIDATION.fullmatch(error)
    return found[2] if found else error


@contextmanager
def explained(  # noqa: C901 - one clause for each kind of error
    given: Given, place: Callable[[], Path | None] | None = None
) -> Iterator[None]:
    """Within it each error of Copier is a UserError; `place` is where a new project will be.

    A new project is made from the template in this package: that is broken on this machine. An
    update takes templates from elsewhere, and refuses those that are broken or would do harm.
    """
    refused = 1 if place else 2
    try:
        yield
    except KeyboardInterrupt:  # Copier's is a CopierError, too
        raise
    except InteractiveSessionError as error:
        raise UserError(
            "the input ended before the last question; give the answers as options"
        ) from error
    except InvalidConfigFileError as error:
        raise UserError("the template is broken: copier.yml cannot be read", refused) from error
    except UnsafeTemplateError as error:
        # Copier's own advice is an option of its own command.
        features = str(error).splitlines()[0].partition(": ")[2].rstrip(".")
        raise UserError(
            f"the template would run code on this machine: {features}", refused
        ) from error
    except CopierError as error:
        raise UserError(_one_line(error), refused) from error
    except TemplateNotFound as error:  # an OSError, too
        # Of several places, that of the pattern for all its topologies.
        searched = [str(place) for place in getattr(error, "templates", [])]
        own = [place for place in searched if place.startswith("templates/patterns/")]
        missing = own[-1] if own else error.name
        raise UserError(f"the template is broken: it has no file {missing}", refused) from error
    except (TemplateError, YAMLError, *EXCESSIVE) as error:
        raise UserError(f"the template is broken: {_one_line(error)}", refused) from error
    except AssertionError as error:
        if str(error):
            raise  # it is not Copier's, which asserts without a message what settings must be
        raise UserError(
            "the template is broken: a setting in copier.yml, such as an absolute path", refused
        ) from error
    except ValueError as error:
        raise _wrong_answer(error, given) from error
    except OSError as error:
        # A temporary folder is nothing that the user knows of.
        known = error.filename and PREFIX not in str(error.filename)
        where = error.filename if known else place and place()
        raise UserError(f"{where or 'cannot render'}: {error.strerror}", exit_code=1) from error


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


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
    if found := _VALIDATION.fullmatch(text):
        question, detail = found.groups()
        return UserError(f"{given[question][0] if question in given else question}: {detail}")
    return UserError(text)
