"""Print sizes and times of 20 hostile requests against each route of each API."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from hostile import api_variants, drive


def main(patterns: list[str]) -> None:
    """Measure the named patterns, or all."""
    head = ("pattern", "requests", "statuses", "largest answer", "most allocated", "slowest")
    print(f"{head[0]:48}{head[1]:>9}  {head[2]:24}{head[3]:>15}{head[4]:>16}{head[5]:>10}")
    for runtime in ("python", "typescript"):
        wanted = [
            each
            for each in api_variants()
            if each.runtime == runtime and (not patterns or each.pattern in patterns)
        ]
        with TemporaryDirectory() as folder:
            for variant, answers in drive(wanted, Path(folder)):
                name = f"{variant.pattern} {variant.topology} {runtime}"
                statuses = ", ".join(map(str, sorted({each.status for each in answers})))
                largest = max(each.size for each in answers)
                allocated = max(each.allocated for each in answers) / 1024
                slowest = max(each.milliseconds for each in answers)
                print(
                    f"{name:48}{len(answers):9}  {statuses:24}{largest:9} bytes"
                    f"{allocated:12.0f} KiB{slowest:7.1f} ms",
                    flush=True,
                )
                for answer in answers:
                    if answer.is_harmful:
                        print(f"  {answer}")


if __name__ == "__main__":
    main(sys.argv[1:])
