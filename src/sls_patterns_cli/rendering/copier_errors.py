"""Copier's errors in this tool's words, one line each."""

from collections.abc import Iterator
from contextlib import contextmanager

from copier.errors import CopierError, InvalidConfigFileError, UnsafeTemplateError

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.rendering import template_errors
from sls_patterns_cli.rendering.answers import Given


@contextmanager
def explained(given: Given) -> Iterator[None]:
    """Within it each error of Copier, and of the template that it renders, is a UserError."""
    with template_errors.explained(given):
        try:
            yield
        except KeyboardInterrupt:  # Copier's is a CopierError, too
            raise
        except InvalidConfigFileError as error:
            raise UserError("the template is broken: copier.yml cannot be read") from error
        except UnsafeTemplateError as error:
            # Copier's own advice is an option of its own command.
            features = str(error).splitlines()[0].partition(": ")[2].rstrip(".")
            raise UserError(f"the template would run code on this machine: {features}") from error
        except CopierError as error:
            raise UserError(template_errors.one_line(error)) from error
        except AssertionError as error:
            if str(error):
                raise  # it is not Copier's, which asserts without a message what settings must be
            raise UserError(
                "the template is broken: a setting in copier.yml, such as an absolute path"
            ) from error
