"""The way in: `sls-patterns`, and `python -m sls_patterns_cli`."""

import sys

try:
    from sls_patterns_cli.system import interrupts
except KeyboardInterrupt:  # until it has been imported, nothing handles Ctrl-C
    sys.exit(130)


def main() -> None:
    """Run the command line and exit with its code; a user's error is one line on stderr."""
    interrupts.end_at_once()
    from sls_patterns_cli.cli import kept_help

    if kept_help.show(sys.argv[1:]):
        sys.exit()
    from sls_patterns_cli.system.importing import much_imported

    with much_imported():
        from sls_patterns_cli.cli import commands

    sys.exit(commands.run(sys.argv[1:]))


if __name__ == "__main__":
    main()
