"""What an answer changes of a compiled graph: graphs are composed, not multiplied.

`templates/composed.jinja` puts the two together again.
"""

import json
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Any

from sls_patterns_cli.catalog.compiler.records import Facts


def difference(base: Facts, changed: Facts) -> Facts:
    """What makes `changed` of `base`; both have the same keys.

    `nodes` and `edges` have the facts that differ, by name and by number. `slices` have, for each
    list of `base`, slices and what stands in their place, the last one first. `values` are those of
    the other keys that differ.
    """
    rest = {key: value for key, value in changed.items() if base[key] != value}
    rest.pop("nodes", None)
    rest.pop("edges", None)
    return {
        "nodes": _facts(base["nodes"], changed["nodes"]),
        "edges": _facts(_numbered(base["edges"]), _numbered(changed["edges"])),
        "slices": {
            key: _slices(base[key], value) for key, value in rest.items() if isinstance(value, list)
        },
        "values": {key: value for key, value in rest.items() if not isinstance(value, list)},
    }


def _numbered(edges: Sequence[Facts]) -> dict[str, Facts]:
    return {str(number): edge for number, edge in enumerate(edges)}


def _facts(base: dict[str, Facts], changed: dict[str, Facts]) -> dict[str, Facts]:
    """The facts of each record that differ; a new record's are all of its facts."""
    differing = {
        name: {
            fact: value
            for fact, value in facts.items()
            if name not in base or fact not in base[name] or base[name][fact] != value
        }
        for name, facts in changed.items()
    }
    return {name: facts for name, facts in differing.items() if facts}


def _slices(base: Sequence[Any], changed: Sequence[Any]) -> list[list[Any]]:
    old, new = ([json.dumps(each) for each in some] for some in (base, changed))
    matched = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return [
        [start, end, list(changed[new_start:new_end])]
        for what, start, end, new_start, new_end in reversed(matched)
        if what != "equal"
    ]
