"""The JSON Schema of the compiled graphs: all that templates can read, and nothing else."""

import types
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints

from sls_patterns_cli.catalog.compiler.dashboard import Dashboard, Limit
from sls_patterns_cli.catalog.compiler.poison import Poison
from sls_patterns_cli.catalog.compiler.records import (
    Acknowledgement,
    Alarm,
    Grant,
    Metric,
    OptionalParameter,
    Output,
    Reference,
    Threshold,
    Variable,
)
from sls_patterns_cli.catalog.compiler.stack import (
    DERIVED,
    Failure,
    Rollout,
    SignIn,
    Stack,
    Waits,
)
from sls_patterns_cli.catalog.kinds import Attributes, Vocabulary

Schema = dict[str, Any]

SIMPLE = {bool: "boolean", int: "integer", str: "string", type(None): "null"}
NAMES: Schema = {"type": "array", "items": {"type": "string"}}
NUMBERS: Schema = {"type": "array", "items": {"type": "integer"}}


def graph_schema(vocabulary: Vocabulary) -> Schema:
    """Return the schema: the fields of `Stack`, and of each kind of node and edge."""
    known = {
        "nodes": {
            "type": "object",
            "additionalProperties": {
                "oneOf": [_node(kind.name, kind.attributes) for kind in vocabulary.nodes.values()]
            },
        },
        "edges": {"type": "array", "items": _edge(vocabulary)},
        "alarms": {"type": "array", "items": _alarm()},
        "dashboard": _record(Dashboard),
        "optional_parameters": {"type": "array", "items": _record(OptionalParameter)},
        "thresholds": {"type": "array", "items": _record(Threshold)},
        "acknowledgements": {"type": "array", "items": _record(Acknowledgement)},
        "outputs": {"type": "array", "items": _record(Output)},
    }
    rollout = _typed(Rollout)
    rollout["properties"] |= {name: known[name] for name in rollout["properties"] if name in known}
    board = known["dashboard"]["properties"]
    rollout["properties"]["dashboard"] = _closed({name: board[name] for name in ("alarms", "top")})
    known["rollout"] = rollout
    hints = get_type_hints(Stack)
    stack = {field.name: known.get(field.name) or of(hints[field.name]) for field in fields(Stack)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A compiled graph",
        **_closed({**stack, "former": _change(), "auth": _changes(vocabulary)}, {"former", "auth"}),
    }


def _change() -> Schema:
    """Return the schema of what an answer changes; what it makes is a graph again."""
    return _closed({part: {"type": "object"} for part in ("nodes", "edges", "slices", "values")})


def _changes(vocabulary: Vocabulary) -> Schema:
    """Return the schema of what each answer to `auth` changes."""
    change = _change()
    return _closed({auth: change for auth in vocabulary.auth if auth != "none"}, vocabulary.auth)


def of(hint: Any) -> Schema:
    """Return the schema of a type; of a mapping without a type of its own, any object."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in SIMPLE:
        return {"type": SIMPLE[hint]}
    if origin is Literal:
        return {"enum": [*arguments]}
    if origin in {list, tuple}:
        return {"type": "array", "items": of(arguments[0])}
    if origin is dict:
        inner = {} if arguments[1] is Any else of(arguments[1])
        return {"type": "object", "additionalProperties": inner or True}
    if origin in {Union, types.UnionType}:
        return {"anyOf": [of(argument) for argument in arguments]}
    known = PRINTED.get(hint) or partial(_record if is_dataclass(hint) else _typed, hint)
    return known()


def _typed(record: type) -> Schema:
    """Return the schema of a TypedDict."""
    hints = get_type_hints(record, include_extras=True)
    optional = {name for name, hint in hints.items() if get_origin(hint) is NotRequired}
    found = {
        name: of(get_args(hint)[0] if name in optional else hint) for name, hint in hints.items()
    }
    return _closed(found, optional)


def _record(record: Any) -> Schema:
    """Return the schema of a dataclass."""
    hints = get_type_hints(record)
    return _closed({field.name: of(hints[field.name]) for field in fields(record)})


def _closed(properties: Mapping[str, Schema], optional: Collection[str] = ()) -> Schema:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def _node(kind: str, attributes: Attributes) -> Schema:
    derived = _typed(DERIVED[kind]) if kind in DERIVED else _closed({})
    common = {
        "name": {"type": "string"},
        "kind": {"const": kind},
        "resource": {"type": "string"},
        "id": {"type": "string"},
        "shape": NAMES,
        "incoming": NUMBERS,
        "outgoing": NUMBERS,
    }
    given = {name: {"type": each.schema["type"]} for name, each in attributes.items()}
    optional = {name for name, each in attributes.items() if not each.required}
    absent = {name for name in derived["properties"] if name not in derived["required"]}
    return _closed({**common, **given, **derived["properties"]}, optional | absent)


def _edge(vocabulary: Vocabulary) -> Schema:
    attributes = {
        name: each.schema["type"]
        for kind in vocabulary.edges.values()
        for name, each in kind.attributes.items()
    }
    given: dict[str, Schema] = {name: {"type": kind} for name, kind in attributes.items()}
    # Of a log group it is a text, of a bus a mapping.
    given["pattern"] = {"type": ["string", "object"]}
    given |= _typed(Waits)["properties"] | _typed(SignIn)["properties"]
    common: dict[str, Schema] = {
        "from": {"type": "string"},
        "to": {"type": "string"},
        "call": {"enum": ["sync", "async"]},
        "failures": {"type": "array", "items": _typed(Failure)},
        "variables": {"type": "array", "items": _record(Variable)},
        "grants": {"type": "array", "items": _record(Grant)},
        "by": {"type": "string"},
        "poison": {"enum": [*get_args(Poison)]},
    }
    return _closed({**given, **common}, {*given, "by", "poison"})


def _alarm() -> Schema:
    hints = get_type_hints(Alarm)
    return _closed(
        {
            **{
                name: of(hint)
                for name, hint in hints.items()
                if name not in {"metrics", "threshold", "within"}
            },
            "description": {"type": "string"},
            "threshold": {"type": ["integer", "string"]},
            "within": {"type": ["string", "null"]},
            "metrics": {"type": "object", "additionalProperties": _metric()},
        }
    )


def _metric() -> Schema:
    dimensions = {
        "type": "object",
        "additionalProperties": {"anyOf": [{"type": "string"}, _record(Reference)]},
    }
    hints = get_type_hints(Metric).items()
    return _closed({name: dimensions if name == "dimensions" else of(hint) for name, hint in hints})


def _limit() -> Schema:
    """Return the schema of a limit: a threshold that is a parameter is there by its name."""
    return _closed({"label": {"type": "string"}, "value": {"type": ["integer", "string"]}})


PRINTED: Mapping[type, Callable[[], Schema]] = {Metric: _metric, Limit: _limit}
"""The records that templates read in another form than they are compiled in."""
