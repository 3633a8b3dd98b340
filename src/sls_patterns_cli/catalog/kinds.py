"""The vocabulary of the patterns' graphs: the records of `templates/graph.yml`, typed.

A record says all that is known of a kind of node, a kind of edge, a way to fail, or a datastore.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Declaration = Mapping[str, Any]
Call = Literal["sync", "async"]
Packages = Mapping[str, tuple[str, ...]]
"""The packages that code needs, by runtime."""
Uses = Mapping[str, tuple[str, ...]]
"""The parts of modules that proofs share, by module."""

_LISTS = {"packages", "test_packages", "harness", "python", "typescript"}
"""The keys of records whose values are lists by name."""
_TYPES: Mapping[str, tuple[type, str, str]] = {
    "text": (str, "text", "string"),
    "integer": (int, "a whole number", "integer"),
    "boolean": (bool, "true or false", "boolean"),
    "mapping": (dict, "a mapping", "object"),
}
"""By the type of an attribute: Python's, what a message calls it, and JSON Schema's."""


@dataclass(frozen=True)
class Attribute:
    """What a node or an edge can be given, and which values it takes."""

    name: str
    type: str
    meaning: str
    required: bool = False
    minimum: int | None = None
    maximum: int | None = None
    one_of: tuple[str, ...] = ()
    matches: str | None = None

    @classmethod
    def from_record(cls, name: str, record: Declaration) -> "Attribute":
        """The attribute that a record of `graph.yml` describes."""
        facts = {key: value for key, value in record.items() if key not in {"is", "one_of"}}
        return cls(name, meaning=record["is"], one_of=tuple(record.get("one_of", ())), **facts)

    def accepts(self, value: object) -> bool:
        """Whether the attribute can have this value."""
        kind, _, _ = _TYPES[self.type]
        # A boolean is an integer to Python.
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            return False
        if isinstance(value, str):
            fits = self.matches is None or re.fullmatch(self.matches, value)
            return bool(value.strip() and fits and (not self.one_of or value in self.one_of))
        if isinstance(value, int):
            return (self.minimum is None or value >= self.minimum) and (
                self.maximum is None or value <= self.maximum
            )
        return True

    @property
    def allowed(self) -> str:
        """What the attribute takes, as the end of a sentence."""
        if self.one_of:
            return f"one of: {', '.join(self.one_of)}"
        _, called, _ = _TYPES[self.type]
        if self.matches:
            return f"{called} of the form {self.matches}"
        if self.minimum is not None and self.maximum is not None:
            return f"{called} from {self.minimum} to {self.maximum}"
        return called if self.minimum is None else f"{called} of at least {self.minimum}"

    @property
    def schema(self) -> dict[str, Any]:
        """The attribute's JSON Schema."""
        limits = {
            "minimum": self.minimum,
            "maximum": self.maximum,
            "enum": list(self.one_of) or None,
            "pattern": f"^(?:{self.matches})$" if self.matches else None,
            "minLength": 1 if self.type == "text" else None,
        }
        found = {key: limit for key, limit in limits.items() if limit is not None}
        return {"type": _TYPES[self.type][2], "description": self.meaning, **found}


Attributes = Mapping[str, Attribute]


@dataclass(frozen=True)
class NodeKind:
    """A kind of node."""

    name: str
    title: str
    shape: tuple[str, str]
    """What stands before and after a node's name in a Mermaid flowchart."""
    suffix: str = ""
    """The end of a node's logical id."""
    resource: str = ""
    """The datastore that it always is; its own kind unless given."""
    deployed: bool = True
    """Whether the stack holds it."""
    parameters: tuple[str, ...] = ()
    """The ends of the names of the stack's parameters for it."""
    required: tuple[str, ...] = ()
    """Those of them that have no default, so that the first deployment needs them."""
    adapter: bool = False
    """Whether a function that uses it has an adapter for it."""
    in_vpc: bool = False
    """Whether it is in the datastore's VPC, where functions reach it without the SDK."""
    clients: tuple[str, ...] = ()
    """The clients of boto3 that code for it uses, beside those that every project's tests have."""
    retained: tuple[str, ...] = ()
    """What a deleted stack leaves of it."""
    variable: Mapping[str, str] | None = None
    """The end of the name of the variable by which a function knows it; `value`, the attribute that
    it holds, and the logical id `of` what, with holes for nodes, where that is not the node's own;
    the `reason` for it, if it needs one; and an `example` of its value for unit tests, with holes
    for the node's name and the region."""
    packages: Packages = field(default_factory=dict)
    flavours: tuple[str, ...] = ()
    """The IaC flavours that carry it, such as `sam` or `cdk/python`; empty for all."""
    attributes: Attributes = field(default_factory=dict)

    def carried_by(self, flavour: str, runtime: str) -> bool:
        """Whether the flavour can render it in projects with the runtime."""
        return not self.flavours or bool({flavour, f"{flavour}/{runtime}"} & {*self.flavours})


@dataclass(frozen=True)
class EdgeKind:
    """A kind of edge, named `source -> target`, with ` (by)` where the kinds leave a choice."""

    name: str
    call: Call
    failures: tuple[str, ...]
    packages: Packages = field(default_factory=dict)
    attributes: Attributes = field(default_factory=dict)
    target_with: tuple[str, ...] = ()
    """The attributes that a target needs to be reached so."""
    target_without: tuple[str, ...] = ()
    """The attributes with which a target cannot be reached so."""
    variable: Mapping[str, str] | None = None
    """The variable by which a function knows the target, where its kind's is another one; where the
    function is the target, that by which it knows what the edge brings."""
    adapters: tuple[str, ...] = ()
    """The adapters that code for it uses, from `templates/shared/`."""
    body_adapters: tuple[str, ...] = ()
    """Those that it also uses if its route brings a body."""
    actions: tuple[str, ...] = ()
    """What the role of a client needs to be allowed to do."""
    way_back: tuple[str, ...] = ()
    """What sends back what failed, where it is not that of the failure; of an edge to a delivery
    also what the delivery could not pass on. `clients` of boto3 and `test_packages` are what this
    needs."""
    set_aside: tuple[str, ...] = ()
    """What sends back the messages of a queue that nothing consumes."""
    clients: tuple[str, ...] = ()
    test_packages: Packages = field(default_factory=dict)


@dataclass(frozen=True)
class Mechanism:
    """A way in which an edge fails."""

    id: str
    mechanism: str
    end: str | None = None
    """The name of the dead-letter queue, with holes for nodes; None if the caller gets it."""
    fails: str = "target"
    """Where the failure shows: at the `source`, the `target`, or the node of a kind."""
    way_back: tuple[str, ...] = ()
    """The redrives of what is in the end, each after those that it builds on."""
    clients: tuple[str, ...] = ()
    """The clients of boto3 that this code uses, beside those that every project's tests have."""
    packages: Packages = field(default_factory=dict)
    """The packages that this code needs."""
    retained: tuple[str, ...] = ()
    """What a deleted stack leaves of the end."""
    forms: Mapping[str, "Mechanism"] = field(default_factory=dict)
    """What it is where the function that failed says in `failed_events` how Lambda keeps events, or
    a state machine has a `final_error`."""

    def where(self, attributes: Declaration) -> "Mechanism":
        """The mechanism at a node with these attributes."""
        form = "final-error" if "final_error" in attributes else attributes.get("failed_events", "")
        return self.forms.get(form, self)

    @classmethod
    def from_declaration(cls, name: str, declared: Declaration) -> "Mechanism":
        """The mechanism as `graph.yml` declares it: a form says what differs."""
        record = {key: value for key, value in declared.items() if key != "forms"}
        plain = cls(name, **_typed(record))
        forms = declared.get("forms", {})
        return replace(
            plain, forms={form: replace(plain, **_typed(each)) for form, each in forms.items()}
        )


@dataclass(frozen=True)
class Redrive:
    """How what is in a dead-letter queue goes back: its code is in `templates/dead_letters/`."""

    name: str
    after: tuple[str, ...] = ()
    """Those on whose code it builds."""
    to: Mapping[str, str] = field(default_factory=dict)
    """What comes after it, by the kind of the node that the failed edge leads to."""
    queue: str = ""
    """The class of the queue; without one, others use the code."""
    target: str = ""
    """The stack output that says where messages go, with holes for nodes."""
    actions: tuple[str, ...] = ()
    """What the role of an operator needs to be allowed to do."""
    python: Packages | None = None
    """The names that the code imports, by module; None if there is no code in this language."""
    typescript: Packages | None = None
    clients: Mapping[str, str] = field(default_factory=dict)
    """The classes of the constants by which the code in TypeScript calls AWS."""


@dataclass(frozen=True)
class Datastore:
    """What a datastore is, and what it adds to the graph of a service that uses it."""

    name: str
    title: str
    idle: str
    """Its cost while nothing uses it."""
    suffix: str
    used_by: tuple[str, ...]
    """The kinds of nodes that can use it."""
    resource: str = ""
    """The kind of node whose folder in the flavours it shares; its own unless given."""
    table_format: str = ""
    """How the files of its table are made; empty where they are lines of JSON in folders."""
    variable: Mapping[str, str] | None = None
    """The variable by which a function knows it, as that of a kind of node."""
    access: tuple[str, ...] = ()
    """What a function may do with it."""
    retained: tuple[str, ...] = ()
    """What a deleted stack leaves of it."""
    protected: bool = False
    """Whether a deployment protects it from deletion."""
    experimental: str = ""
    """What has not been shown of it, as a sentence; empty where it is proven."""
    local: bool = True
    """Whether the local stack can run it; a service whose datastore it cannot run has no proofs."""
    loads_every: int | None = None
    """The seconds for which a delivery collects before it loads; None where the pattern says so."""
    way_back: tuple[str, ...] = ()
    """What sends back what a delivery could not bring into it, after what the failure says."""
    readers: bool = False
    """Whether it has instances that only readers use."""
    clients: tuple[str, ...] = ()
    packages: Packages = field(default_factory=dict)
    test_packages: Packages = field(default_factory=dict)
    reachable: tuple[str, ...] | None = None
    """The kinds of nodes that its functions reach from inside the VPC; None if it has no VPC."""
    waits: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """The least `timeout` of a function that uses it, and for how long of it the function tries to
    `connect`, in seconds: by how the function is called, and for the `own` access. `record` is what
    a record of a batch takes at most once the batch has waited for the datastore. The datastore
    ends a `statement` after so many seconds, and its wait for a `lock`."""
    at_most: Mapping[str, int] = field(default_factory=dict)
    """The largest values of what bounds the functions that use it: attributes of the edges from
    queues and of the APIs that lead to them."""
    adapters: tuple[str, ...] = ()
    migrations: tuple[str, ...] = ()
    nodes: tuple[Declaration, ...] = ()
    edges: tuple[Declaration, ...] = ()


@dataclass(frozen=True)
class HarnessModule:
    """A module that proofs share; a project has those that its proofs import."""

    name: str
    parts: Mapping[str, Uses] = field(default_factory=dict)
    """What a project has of it only where its proofs call it, with what this calls itself."""


@dataclass(frozen=True)
class Refusals:
    """The proofs that an API refuses who may not call it, for an answer to the question `auth`."""

    refused: Mapping[str, int]
    """The status of what an API refuses itself, by its kind."""
    proofs: tuple[Declaration, ...]
    harness: Uses
    """What the proofs use of the modules that proofs share."""
    test_packages: Packages = field(default_factory=dict)
    """The packages that these need."""


@dataclass(frozen=True)
class Vocabulary:
    """All kinds, by their names."""

    runtimes: tuple[str, ...]
    flavours: Mapping[str, str]
    """With what each is."""
    auth: Mapping[str, str]
    """The answers to who may call a public API, with what each means."""
    nodes: Mapping[str, NodeKind]
    edges: Mapping[str, EdgeKind]
    failures: Mapping[str, Mechanism]
    redrives: Mapping[str, Redrive]
    datastores: Mapping[str, Datastore]
    harness: Mapping[str, HarnessModule]
    refusals: Mapping[str, Refusals]
    """By the answer to who may call."""

    @classmethod
    def from_declaration(
        cls, declared: Declaration, harness: Declaration, refusals: Declaration
    ) -> "Vocabulary":
        """The vocabulary that `graph.yml`, `harness.yml` and `refusals.yml` declare."""
        return cls(
            runtimes=tuple(declared["runtimes"]),
            flavours=declared["flavours"],
            auth=declared["auth"],
            nodes={
                name: NodeKind(name, **{**_typed(record), "shape": tuple(record["shape"])})
                for name, record in declared["nodes"].items()
            },
            edges={
                name: EdgeKind(name, **_typed(record)) for name, record in declared["edges"].items()
            },
            failures={
                name: Mechanism.from_declaration(name, record)
                for name, record in declared["failures"].items()
            },
            redrives={
                name: Redrive(name, **_typed(record))
                for name, record in declared["redrives"].items()
            },
            datastores={
                name: Datastore(name, **_typed(record))
                for name, record in declared["datastores"].items()
            },
            harness={
                name: HarnessModule(name, **_typed(record)) for name, record in harness.items()
            },
            refusals={auth: Refusals(**_typed(record)) for auth, record in refusals.items()},
        )

    def edges_between(self, source: str, target: str) -> tuple[str, ...]:
        """The ways, by `by`, in which a node of one kind reaches one of another; "" for none."""
        found = []
        for name in self.edges:
            between, _, by = name.removesuffix(")").partition(" (")
            if between == f"{source} -> {target}":
                found.append(by)
        return tuple(found)

    def clients(
        self,
        kinds: Iterable[str],
        edges: Iterable[EdgeKind],
        mechanisms: Iterable[Mechanism],
        datastores: Iterable[str],
    ) -> tuple[str, ...]:
        """The clients of boto3 that code for these nodes, edges, failures and datastores uses."""
        found = [client for kind in kinds for client in self.nodes[kind].clients]
        found += [client for edge in edges for client in edge.clients]
        found += [client for each in mechanisms for client in each.clients]
        found += [client for each in datastores for client in self.datastores[each].clients]
        return tuple(dict.fromkeys(found))


def _typed(record: Declaration) -> dict[str, Any]:
    """A record's values as its class has them: attributes as objects, lists as tuples."""
    typed: dict[str, Any] = {}
    for key, value in record.items():
        if key == "attributes":
            typed[key] = {name: Attribute.from_record(name, each) for name, each in value.items()}
        elif key in _LISTS:
            typed[key] = _lists(value)
        elif key == "parts":
            typed[key] = {part: _lists(needs) for part, needs in value.items()}
        else:
            typed[key] = tuple(value) if isinstance(value, list) else value
    return typed


def _lists(declared: Declaration) -> dict[str, tuple[str, ...]]:
    return {name: tuple(values) for name, values in declared.items()}
