"""What templates read of a graph: one closed record, which `make golden` writes as JSON."""

from dataclasses import dataclass, fields
from typing import Any

from sls_patterns_cli.catalog.compiler.records import Facts


@dataclass(frozen=True)
class Stack:
    """All that templates know of a service, but for the answers themselves."""

    local: bool
    """Whether the local stack can run it."""
    harness: dict[str, list[str]]
    """The modules that proofs share, and the parts of each, which the project's proofs use."""
    nodes: dict[str, Facts]
    """By name; a node's `incoming` and `outgoing` are numbers of `edges`."""
    edges: list[Facts]
    ends: list[str]
    """The names that the graph gives to the ends of failures."""
    dead_letter_queues: list[Facts]
    set_aside_queues: list[Facts]
    """The queues that nothing consumes, in the form of the dead-letter queues."""
    redrive: Facts
    """What the dead-letter tool is made of."""
    alarms: list[Facts]
    stack_order: list[str]
    """The names of the nodes as the code of a CDK stack defines them."""
    stack_parts: list[str]
    """What the code of a CDK stack needs beside its resources."""
    stack_imports: dict[str, list[list[str]]]
    """By language: the modules of the CDK and their aliases."""
    alarm_metrics: int
    """How many metrics the alarms watch: each is charged."""
    thresholds: list[Facts]
    """The parameters of the alarms."""
    failures_section: str
    """The section of the README on what is in dead-letter queues."""
    replayed: list[str]
    """The functions that a redrive invokes, and whose answer it waits for."""
    handed_over: list[str]
    """The functions that a redrive invokes without waiting: nothing had reached them."""
    hidden_seconds: int
    """For how long a listing or a redrive hides messages: longer than these may take."""
    record_seconds: int | None
    """What a function needs to process one more record of a batch."""
    caller_actions: list[str]
    """What the role of who calls the service needs, and so the one that runs the smoke test."""
    seconds_to_end: int
    """How long at most until a failure is in its dead-letter queue: proofs wait for it."""
    mechanisms: list[str]
    mechanisms_with_ends: list[str]
    resources: list[str]
    """What the deployed nodes become, each once."""
    parameters: list[str]
    """Where what is deployed elsewhere is, who may call, and the like."""
    functions: list[str]
    remote_functions: list[str]
    """Those of other services, for which the project has stand-ins."""
    stores: list[str]
    """The datastores that code has an adapter of: what only a service writes to has none."""
    protected: list[str]
    """What a deployment protects from deletion."""
    adapters: list[str]
    variables: dict[str, str]
    """What functions know other nodes by, in unit tests; the template fills in the region."""
    migrations: list[str]
    """Those that a function of the service applies."""
    tool_migrations: list[str]
    """Those that a tool of the project applies."""
    state_machines: list[str]
    linted_machines: list[str]
    """Those that statelint reads: it refuses what a service adds to the language, as S3 does to the
    reader of a distributed map."""
    moved: list[Facts]
    """What a routes file says at first."""
    mapping_templates: list[str]
    account_needs: list[str]
    """What a deployment fails without, and no stack can bring."""
    reserved_concurrency: int
    calls_aws: bool
    """Whether functions call AWS with its SDK."""
    grants: bool
    """Whether a role has permissions: what a function calls outside AWS needs none, nor does what
    the network guards."""
    clients: list[str]
    """The clients of boto3 for which the project installs types."""
    packages: dict[str, list[str]]
    """By runtime."""
    test_packages: dict[str, list[str]]
    retained: str
    """What a deleted stack leaves, as a sentence lists it."""

    def as_dict(self) -> dict[str, Any]:
        """The record as templates read it."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
