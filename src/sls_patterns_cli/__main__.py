"""The way in: `sls-patterns`, and `python -m sls_patterns_cli`."""

import sys


def main() -> None:
    """Run the command line and exit with its code; a user's error is one line on stderr."""
    try:
        # Imported here so that Ctrl-C while Python loads modules is quiet as well.
        from sls_patterns_cli import cli

        code = cli.run(sys.argv[1:])
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
