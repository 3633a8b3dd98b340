"""The JSON Schema of a `pattern.yml`, by which editors complete and check it."""

from collections.abc import Iterable, Mapping
from typing import Any

from sls_patterns_cli.catalog.declaration import (
    CREDENTIALS,
    NAME,
    OUTPUT,
    POISON,
    QUESTIONS,
    SUITS,
    WHERE,
)
from sls_patterns_cli.catalog.kinds import Attributes, Vocabulary

Schema = dict[str, Any]

TEXT: Schema = {"type": "string", "minLength": 1}
NAMED: Schema = {"type": "string", "pattern": f"^{NAME}$"}
LISTED: Schema = {"type": "array", "items": TEXT, "uniqueItems": True}


def pattern_schema(vocabulary: Vocabulary) -> Schema:
    """Return the schema: what `declaration.py` accepts, as far as a schema can say it."""
    packages = _mapping(dict.fromkeys(vocabulary.runtimes, LISTED))
    parts: Schema = _mapping(
        {name: _some(module.parts) for name, module in vocabulary.harness.items()}
    )
    topology = {
        "name": NAMED,
        "summary": TEXT,
        "use": TEXT,
        "avoid": TEXT,
        "retired": {**TEXT, "description": "why it is not offered, and how to change to another"},
        "datastores": _choices(vocabulary.datastores),
        "nodes": {
            "type": "array",
            "minItems": 1,
            "items": {
                "oneOf": [_node(kind.name, kind.attributes) for kind in vocabulary.nodes.values()]
            },
        },
        "edges": {
            "type": "array",
            "minItems": 1,
            # Their attributes follow from the kinds of their ends, which no schema can look up.
            "items": _mapping(
                {
                    "from": NAMED,
                    "to": NAMED,
                    "by": {"enum": _ways(vocabulary)},
                    **_any(vocabulary),
                },
                required=("from", "to"),
            ),
        },
        "proofs": {
            "type": "array",
            "minItems": 1,
            "items": _mapping(
                {
                    "id": NAMED,
                    "text": TEXT,
                    "where": {"enum": [*WHERE]},
                    "smoke": TEXT,
                    "tolerated": {"type": "boolean"},
                    "of": {"enum": [*POISON]},
                },
                required=("id", "text", "where"),
            ),
        },
        "adapters": {**LISTED, "items": NAMED},
        "outputs": {**LISTED, "items": {"type": "string", "pattern": f"^{OUTPUT}$"}},
        "test_dependencies": packages,
        "stacks": {**LISTED, "items": NAMED},
        "test_helpers": {**LISTED, "items": NAMED},
        "events": {**LISTED, "items": NAMED},
        "reads_json": {"type": "boolean"},
        "harness": parts,
    }
    more = {name: topology[name] for name in CREDENTIALS}
    topologies = _mapping(
        {**topology, "credentials": _mapping(more, required=CREDENTIALS)},
        required=("name", "summary", "datastores", "nodes", "edges", "proofs"),
    )
    example = _mapping(
        {"title": TEXT, "command": TEXT, "of": _mapping(dict.fromkeys(QUESTIONS, TEXT))},
        required=("title", "command"),
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A pattern of sls-patterns",
        **_mapping(
            {
                "title": TEXT,
                "summary": TEXT,
                "source": TEXT,
                "use": {**TEXT, "description": "what follows `Use it`, with a full stop"},
                "avoid": {**TEXT, "description": "what follows `Do not use it`"},
                "suits": _mapping(
                    {question: _choices(answers) for question, answers in SUITS.items()},
                    required=SUITS,
                ),
                "order": {"type": "integer", "description": "its place among the patterns"},
                "runtimes": _choices(vocabulary.runtimes),
                "flavours": _choices(vocabulary.flavours),
                "topologies": {"type": "array", "minItems": 1, "items": topologies},
                "dependencies": packages,
                "test_dependencies": packages,
                "test_helpers": {**LISTED, "items": NAMED},
                "migrations": _mapping(dict.fromkeys(vocabulary.datastores, LISTED)),
                "examples": {"type": "array", "items": example},
                "events": {**LISTED, "items": NAMED},
                "clients": {**LISTED, "items": NAMED},
                "stacks": {**LISTED, "items": NAMED},
                "temporary_failures": {**LISTED, "items": NAMED},
                "item_stores": {**LISTED, "items": NAMED},
                "reads_json": {"type": "boolean"},
                "validates_requests": {"type": "boolean"},
                "auth": {"enum": [*vocabulary.auth]},
            },
            required=(
                *("title", "summary", "source", "use", "avoid", "suits"),
                *("runtimes", "flavours", "topologies"),
            ),
        ),
    }


def _mapping(properties: Mapping[str, Schema], required: Iterable[str] = ()) -> Schema:
    named = list(required)
    return {
        "type": "object",
        "properties": dict(properties),
        **({"required": named} if named else {}),
        "additionalProperties": False,
    }


def _choices(values: Iterable[str | bool]) -> Schema:
    return {"type": "array", "minItems": 1, "items": {"enum": [*values]}, "uniqueItems": True}


def _some(values: Iterable[str]) -> Schema:
    """Return a list of some of the values, or of none."""
    names = [*values]
    # JSON Schema has no enumeration of nothing.
    items = {"items": {"enum": names}, "uniqueItems": True} if names else {"maxItems": 0}
    return {"type": "array", **items}


def _node(kind: str, attributes: Attributes) -> Schema:
    needed = [name for name, attribute in attributes.items() if attribute.required]
    return _mapping(
        {
            "name": NAMED,
            "kind": {"const": kind},
            **{name: attribute.schema for name, attribute in attributes.items()},
        },
        required=("name", "kind", *needed),
    )


def _ways(vocabulary: Vocabulary) -> list[str]:
    ways = {name.removesuffix(")").partition(" (")[2] for name in vocabulary.edges}
    return sorted(ways - {""})


def _any(vocabulary: Vocabulary) -> dict[str, Schema]:
    """Return each attribute that edges have, as any kind of edge has it."""
    found: dict[str, list[Schema]] = {}
    for kind in vocabulary.edges.values():
        for name, attribute in kind.attributes.items():
            if attribute.schema not in found.setdefault(name, []):
                found[name].append(attribute.schema)
    return {name: each[0] if len(each) == 1 else {"anyOf": each} for name, each in found.items()}
