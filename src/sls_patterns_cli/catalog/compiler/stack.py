"""What templates read of a graph: one closed record, which `make golden` writes as JSON."""

from dataclasses import dataclass, fields
from typing import Any, Literal, NotRequired, TypedDict

from sls_patterns_cli.catalog.compiler.numbers import Numbers
from sls_patterns_cli.catalog.compiler.quantities import Number
from sls_patterns_cli.catalog.compiler.records import Facts, Grant


class End(TypedDict):
    """A queue in which failures end, or in which a function or bus sets messages aside."""

    id: str
    at: str
    """Where the failure shows, or what sets the messages aside."""
    back_to: NotRequired[str]
    """Where messages that are set aside came from."""
    way_back: list[str]
    expires_from: Literal["sending", "move"]
    """SQS counts the time of a message that it moves from its first sending, of a FIFO queue from
    the move."""
    of_deployments: bool
    """What fails there was no message but a step of a deployment."""
    edges: list[int]


class Failure(TypedDict):
    """How an edge fails, where that shows, and in which queue it ends."""

    id: str
    end: str | None
    queue: str | None
    at: str


class Waits(TypedDict, total=False):
    """For how many seconds a function waits for a database: to connect, for a statement, a lock."""

    connect: int
    statement: int
    lock: int


class SignIn(TypedDict, total=False):
    """As which user a function signs in to a database."""

    user: str


class Moved(TypedDict):
    """A path that a function serves instead of another system."""

    path: str
    function: str
    api: str


class Cors(TypedDict):
    """What pages of other origins may send to an API, and read of its answers."""

    methods: list[str]
    headers: list[str]
    exposed: list[str]
    max_age: int
    answered_by: NotRequired[list[str]]
    """Of a REST API: the functions that add the headers to their responses, as it adds none."""


class Api(TypedDict):
    """What is compiled of an HTTP or REST API beside its attributes."""

    answers_for_datastore: bool
    calls_services: bool
    replaces: str | None
    """The system whose routes it takes over: a routes file says which."""
    answers_for_others: bool
    issuer: str | None
    """The OpenID provider whose tokens it checks by itself, by name."""
    subject: str | None
    """What names the caller in the access log; None where nobody checks who calls."""
    signed: NotRequired[bool]
    """Whether each request has a signature of AWS, which API Gateway checks."""
    cors: NotRequired[Cors]
    """Of an API whose callers may be web pages."""
    bound_by: NotRequired[list[str]]
    """The optional parameters that together bound the datastore instead of the API's limits; with
    all of them set, its limits are these:"""
    raised_rate_limit: NotRequired[int]
    raised_burst_limit: NotRequired[int]


class Function(TypedDict):
    """What is compiled of a function beside its attributes."""

    invoked_asynchronously: bool
    failed_events: str | None
    retries: NotRequired[int]
    """How often Lambda tries an asynchronous invocation again."""
    retried: NotRequired[str]
    """When it does so, as a sentence has it."""
    attempts: NotRequired[Number]
    """One more than `retries`."""
    reads_stream: bool
    invokes_itself: bool
    grants: list[Grant]
    """What it may do to keep events that failed in a bucket."""
    security_groups: NotRequired[list[str]]
    """Its security groups in the VPC, one for each store that it uses there."""
    sends_over_ipv6: NotRequired[bool]
    """It sends poison to SQS, which answers it inside the VPC over IPv6 only."""
    callers: list[str]
    """Who calls it by its alias from outside: the stack has a parameter for each."""
    configured_by: list[Facts]
    """The parameters of the stack whose values its environment has, as references: a version is
    published with them, and another value needs another version."""


class Queue(TypedDict):
    """What is compiled of a queue beside its attributes."""

    visibility_timeout: int | None
    visibility_reason: NotRequired[str]
    """What the number of seconds follows from."""
    receives: NotRequired[Number]
    """After how many SQS moves a message to the dead-letter queue."""
    receives_reason: NotRequired[str]
    """What that number follows from."""
    kept_for_inspection: bool


class Delivery(TypedDict):
    """What is compiled of a delivery stream beside its attributes."""

    late_after_minutes: int
    grants: list[Grant]
    """What its role may do."""


class StateMachine(TypedDict):
    """What is compiled of a state machine beside its attributes."""

    grants: list[Grant]
    """What it may do beside its calls."""


class External(TypedDict):
    """What is compiled of a system outside the stack beside its attributes."""

    proxied: bool
    called: bool


class Cache(TypedDict):
    """What is compiled of a cache beside its attributes."""

    access: dict[str, list[str]]
    """By runtime: the parts of the access string of its user."""


class Datastore(TypedDict):
    """What is compiled of a datastore beside its attributes."""

    access: NotRequired[dict[str, list[str]]]
    """Of one that is a cache, by runtime: the parts of the access string of its user."""
    way_out: NotRequired[Literal["none", "nat", "ipv6"]]
    """What leads out of its VPC: a NAT gateway to where its users call something outside AWS; an
    egress-only internet gateway for IPv6 to SQS, where they send poison."""
    table_format: NotRequired[str]
    """How the files of its table are made, if they are no lines of JSON in folders."""
    grants: NotRequired[list[Grant]]
    """What the role of a warehouse may do."""


class Rollout(TypedDict):
    """What gradual deployments add to the same facts of the stack."""

    stopped_by: dict[str, list[str]]
    """By the logical id of a function: the alarms that stop its deployment."""
    versions: dict[str, Facts]
    """By the logical id of a function: the alarm on the version that is being deployed."""
    alarms: list[Facts]
    dashboard: Facts
    """What stands in the place of the same facts of the dashboard: all alarms, and their height."""
    alarm_metrics: int
    thresholds: list[Facts]
    outputs: list[Facts]
    acknowledgements: list[Facts]


DERIVED: dict[str, type] = {
    "http-api": Api,
    "rest-api": Api,
    "function": Function,
    "queue": Queue,
    "delivery": Delivery,
    "state-machine": StateMachine,
    "external": External,
    "cache": Cache,
    "datastore": Datastore,
}
"""What is compiled of a node of each kind, beside its attributes and its place in the graph."""


@dataclass(frozen=True)
class Stack:
    """All that templates know of a service, but for the answers themselves."""

    local: bool
    """Whether the local stack can run it."""
    experimental: str
    """What has not been shown of its datastore, as a sentence; empty where it is proven."""
    harness: dict[str, list[str]]
    """The modules that proofs share, and the parts of each, which the project's proofs use."""
    refusals: list[Facts]
    """The proofs that the API refuses who may not call it, as a pattern declares proofs."""
    nodes: dict[str, Facts]
    """By name; a node's `incoming` and `outgoing` are numbers of `edges`."""
    edges: list[Facts]
    numbers: Numbers
    """What all stacks share, by kind."""
    ends: list[str]
    """The names that the graph gives to the ends of failures."""
    dead_letter_queues: list[End]
    set_aside_queues: list[End]
    """The queues that nothing consumes, in the form of the dead-letter queues."""
    redrive: Facts | None
    """What the dead-letter tool is made of."""
    alarms: list[Facts]
    dashboard: Facts
    """What the dashboard shows, for projects that have one."""
    outputs: list[Facts]
    acknowledgements: list[Facts]
    """What cdk-nag finds and the stack does not change."""
    rollout: Rollout
    stack_order: list[str]
    """The names of the nodes as the code of a CDK stack defines them."""
    stack_parts: list[str]
    """What the code of a CDK stack needs beside its resources."""
    stack_imports: dict[str, list[list[str]]]
    """By language: the modules of the CDK and their aliases."""
    optional_imports: dict[str, dict[str, list[list[str]]]]
    """By option: those that its parameters need beside them."""
    encryption: dict[str, list[str]]
    """Who uses a customer managed key: writers, readers, and services of AWS."""
    alarm_metrics: int
    """How many metrics the alarms watch: each is charged."""
    optional_parameters: list[Facts]
    """The parameters that are in a template if they are wanted."""
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
    """Those whose code is the user's."""
    remote_functions: list[str]
    """Those of other services, for which the project has stand-ins."""
    stores: list[str]
    """The datastores that code has an adapter of: what only a service writes to has none."""
    required_parameters: list[str]
    """Those of them that have no default."""
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
    moved: list[Moved]
    """What a routes file says at first."""
    mapping_templates: list[str]
    account_needs: list[str]
    """What a deployment fails without, and no stack can bring."""
    reserved_concurrency: int
    calls_aws: bool
    """Whether functions call AWS with its SDK."""
    sdk_targets: list[str]
    """The nodes that they call with it."""
    grants: bool
    """Whether a role has permissions: what a function calls outside AWS needs none, nor does what
    the network guards."""
    clients: list[str]
    """The clients of boto3 for which the project installs types."""
    packages: dict[str, list[str]]
    """By runtime."""
    stubs_aws: bool
    """Whether unit tests in TypeScript stand in for clients of AWS."""
    test_packages: dict[str, list[str]]
    tool_packages: dict[str, list[str]]
    """What only the tool that redrives needs."""
    retained: str
    """What a deleted stack leaves, as a sentence lists it."""

    def as_dict(self) -> dict[str, Any]:
        """The record as templates read it."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
