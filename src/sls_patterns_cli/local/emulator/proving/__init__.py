"""What `prove` changes in the emulator: nobody's code runs, targets break, and someone reads along.

`adapters.__main__` applies it where VARIABLE is set, after the adapters.
"""

VARIABLE = "SLS_PATTERNS_PROVING"


def apply() -> None:
    """Put the stand-ins into the emulator of this process."""
    from sls_patterns_cli.local.emulator.proving import deliveries, executions, functions, resources

    for part in (functions, executions, resources, deliveries):
        part.apply()
