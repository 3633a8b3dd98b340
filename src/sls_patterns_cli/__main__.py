"""The way in: `sls-patterns`, and `python -m sls_patterns_cli`."""

import sys

from sls_patterns_cli.cli import kept_help
from sls_patterns_cli.system import interrupts
from sls_patterns_cli.system.importing import much_imported


def main() -> None:
    """Run the command line and exit with its code; a user's error is one line on stderr."""
    interrupts.end_at_once()
    if kept_help.show(sys.argv[1:]):
        sys.exit()
    with much_imported():
        from sls_patterns_cli.cli import commands

    sys.exit(commands.run(sys.argv[1:]))


if __name__ == "__main__":
    main()
