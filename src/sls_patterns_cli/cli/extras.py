"""What to do if a command needs an extra that is not installed."""

from sls_patterns_cli import catalog
from sls_patterns_cli.errors import UserError


def extra_missing(error: ModuleNotFoundError, extra: str) -> Exception:
    """`error`, or what to do if it is one of the modules of the extra, which names its command."""
    package = (error.name or "").partition(".")[0]
    if package == __name__.partition(".")[0]:
        return error
    return UserError(
        f"{extra} needs {package}: install {catalog.DISTRIBUTION} with its extra [{extra}]"
    )
