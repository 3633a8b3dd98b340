"""What is wrong with a template or with an answer, in this tool's words, one line each."""

import ast
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from jinja2 import TemplateError, TemplateNotFound
from yaml import YAMLError

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.rendering.answers import Given
from sls_patterns_cli.system.new_folder import PREFIX

EXCESSIVE = (OverflowError, MemoryError, RecursionError)
"""What a template ends with that loops, grows or includes itself without end."""


@contextmanager
def explained(given: Given, place: Callable[[], Path | None] | None = None) -> Iterator[None]:
    """Within it each error of rendering is a UserError; `place` is where a new project will be.

    A new project is made from the template in this package: that is broken on this machine. An
    update takes templates from elsewhere, and refuses those that are broken or would do harm.
    """
    refused = 1 if place else 2
    try:
        yield
    except EOFError as error:
        raise UserError(
            "the input ended before the last question; give the answers as options"
        ) from error
    except TemplateNotFound as error:  # an OSError, too
        # Of several places, that of the pattern for all its topologies.
        searched = [str(place) for place in getattr(error, "templates", [])]
        own = [place for place in searched if place.startswith("templates/patterns/")]
        missing = own[-1] if own else error.name
        raise UserError(f"the template is broken: it has no file {missing}", refused) from error
    except (TemplateError, YAMLError, *EXCESSIVE) as error:
        raise UserError(f"the template is broken: {one_line(error)}", refused) from error
    except ValueError as error:
        raise _wrong_answer(error, given) from error
    except OSError as error:
        # A temporary folder is nothing that the user knows of.
        known = error.filename and PREFIX not in str(error.filename)
        where = error.filename if known else place and place()
        raise UserError(f"{where or 'cannot render'}: {error.strerror}", exit_code=1) from error


def one_line(error: BaseException) -> str:
    """What an error says, or else what it is called."""
    return " ".join(str(error).split()) or type(error).__name__


def _wrong_answer(error: ValueError, given: Given) -> UserError:
    """What is said about a wrong answer, with the option that gave it and with what is allowed."""
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
