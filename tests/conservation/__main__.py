"""Measure: each messaging pattern at full size, in each runtime."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from conservation import FULL_SIZE, conserve
from conservation.patterns import SERVICES


def main(patterns: list[str]) -> None:
    """Run those of the named patterns, or all."""
    for service in SERVICES:
        for runtime in ("python", "typescript"):
            if not patterns or service.pattern in patterns:
                with TemporaryDirectory() as name:
                    outcome = conserve(Path(name) / "project", service, FULL_SIZE, runtime=runtime)
                print(f"{service}, {runtime}: {outcome}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
