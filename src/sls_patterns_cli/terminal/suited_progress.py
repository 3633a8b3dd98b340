"""How a command shows how far it is: live in a terminal, else in plain lines."""

from sls_patterns_cli.terminal import output
from sls_patterns_cli.terminal.progress import Progress


def suited_progress() -> Progress:
    """The progress that suits what stdout is."""
    if output.is_interactive():
        from sls_patterns_cli.terminal.live_progress import LiveProgress

        return LiveProgress()
    return Progress()
