"""The dead letters of a deployed stack, and the way back of each.

For other packages, such as `prove`:

    found, said = letters.ends(letters.Deployed(name, arn, stack, ids), clients)
    for end in found:
        with end.store.reading() as reading:
            for batch in reading:                  # a few letters at a time, each once
                for letter in batch:
                    outcome = end.send_back(letter)  # sent, processed, failed-again or kept
                    if outcome.leaves:
                        reading.delete(letter)
                    else:
                        reading.hold(letter)         # shown to others again when the reading ends

`stack` is a stack of `cloudformation`, `ids` maps logical ids to physical ones, and `clients`
returns the boto3 client of a service: `Emulator.client` does. `end.way_of(letter)` says how a
letter comes back; `end.confirm()` asks AWS where failures end now.
"""

from sls_patterns_cli.letters.deployed import Deployed
from sls_patterns_cli.letters.ends import End, ends
from sls_patterns_cli.letters.letter import Letter, Outcome

__all__ = ["Deployed", "End", "Letter", "Outcome", "ends"]
