"""HTTP and REST APIs of API Gateway."""

from collections.abc import Iterable, Iterator

from sls_patterns_cli.catalog.compiler.kinds import delivery, queue, state_machine, stream
from sls_patterns_cli.catalog.compiler.kinds.network import SECURITY_GROUP, subnets
from sls_patterns_cli.catalog.compiler.kinds.rate import (
    SLOWEST,
    calls,
    outage,
    refusal_rate,
    refused_data,
    slow,
)
from sls_patterns_cli.catalog.compiler.records import (
    Acknowledgement,
    Alarm,
    Attribute,
    CompiledNode,
    Facts,
    Grant,
    Metric,
    OptionalParameter,
    Output,
    Reference,
    output,
    unique,
)

NAMES: dict[str, tuple[str, Attribute, str, str]] = {
    "http-api": ("ApiId", "api_id", "5xx", "4xx"),
    "rest-api": ("ApiName", "rest_api_name", "5XXError", "4XXError"),
}
"""The dimension by which an API publishes, its value, and what it calls errors of the
service and of callers:
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html and
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html"""

INTEGRATION_SECONDS = 29
"""API Gateway waits no longer for what is behind it (fact P4)."""

REFUSED_DATA = '($.status = "400" || $.status = "413" || $.status = "415") && $.apiId = *'
"""The lines of an access log about requests that are refused for their form or size, and not
because of who calls. What is a dimension has to be in the pattern (fact C30)."""

PREFLIGHT_SECONDS = 7200
"""For how long a browser keeps the answer to a preflight request; Chromium keeps none for longer:
https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Access-Control-Max-Age"""

SIGNED_HEADERS = ("Authorization", "X-Amz-Content-Sha256", "X-Amz-Date", "X-Amz-Security-Token")
"""The headers of a request that is signed with temporary credentials:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html"""

EXPOSED_HEADERS = ("Location", "Retry-After", "WWW-Authenticate")
"""The headers of responses that callers need, and that a browser hides from a page unless they are
exposed: where what was created is, when to try again, and why a token was refused."""

ORIGINS = r"none|\*|https?://[^\s/,]+(,https?://[^\s/,]+)*"
"""An origin has no path, not even a slash at its end: browsers compare it as it is."""

NAMED_ORIGINS = r"none|https?://[A-Za-z0-9.:-]+(,https?://[A-Za-z0-9.:-]+)*"
"""Those of a REST API are a variable of its stage, which takes no `*` (fact O26):
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-stage.html"""

DOMAIN = r"none|([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}"
"""A domain name in lower case, as API Gateway takes it:
https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-custom-domains.html"""

CERTIFICATE = r"none|arn:[a-z-]+:acm:[a-z0-9-]+:\d{12}:certificate/[a-z0-9-]+"
"""The ARN of a certificate."""

HOSTED_ZONE = r"none|Z[A-Z0-9]{1,31}"
"""The id of a hosted zone:
https://docs.aws.amazon.com/Route53/latest/APIReference/API_HostedZone.html"""

LISTENER = r"none|arn:[a-z-]+:elasticloadbalancing:[a-z0-9-]+:\d{12}:listener/(app|net)/\S+"
"""The listener of a load balancer: an HTTP API names it, and not the load balancer (fact O81)."""

WEB_ACL = r"none|arn:[a-z-]+:wafv2:[a-z0-9-]+:\d{12}:regional/webacl/\S+"
"""The ARN of a web ACL that may be in front of an API of its region: one of CloudFront may not."""


def metric(node: CompiledNode, name: str, statistic: str = "Sum") -> Metric:
    """A metric of all routes of an API."""
    dimension, attribute, _, _ = NAMES[node["kind"]]
    named = {dimension: Reference(node["id"], attribute)}
    return Metric("AWS/ApiGateway", name, statistic, named)


def counted(node: CompiledNode) -> dict[str, Metric]:
    """The calls of an API, and how many of them it has failed to serve."""
    _, _, failed, _ = NAMES[node["kind"]]
    return {"calls": metric(node, "Count"), "failed": metric(node, failed)}


def alarms(node: CompiledNode) -> Iterator[Alarm]:
    """The alarms of an API: whatever fails behind it, it is the API that answers."""
    _, _, failed, refused = NAMES[node["kind"]]
    yield from outage(
        node["id"],
        "ErrorsAlarm",
        (
            "The API answers too many requests with a 5xx status",
            "Three or more of the few requests of an hour got a 5xx status",
        ),
        "see its access log, then the logs of its functions",
        calls(failed=metric(node, failed), all_of_them=metric(node, "Count")),
    )
    yield slow(
        f"{node['id']}LatencyAlarm",
        "The API is slow",
        "compare its latency with the durations of its functions",
        metric(node, "Latency", SLOWEST),
    )
    if name := node.get("refused_data"):
        yield refused_data(
            node,
            refused=Metric(None, name, "Sum", {"ApiId": Reference(node["id"], "rest_api_id")}),
            errors=metric(node, refused),
            requests=metric(node, "Count"),
        )
    if first := _if_all_are_refused(node):
        yield refusal_rate(
            node, first, refused=metric(node, refused), all_of_them=metric(node, "Count")
        )


def _if_all_are_refused(node: CompiledNode) -> str | None:
    """What to look at first where tokens of callers are checked: a mistake of ours refuses all."""
    kinds = {each["kind"] for target in node.targets for each in (target, *target.targets)}
    if "openid-provider" in kinds:
        return "check issuer and audience, and the provider's keys"
    for edge in node.outgoing:
        if edge.get("by") == "authorizer":
            return f"see the log of the {edge['to']} function"
    return None


def subject(*, signed: bool, tokens: bool, authorizer: bool) -> str | None:
    """What names the caller of an API in its access log, by who authorizes its calls.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html and
    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-variables-for-access-logging.html
    """
    if signed:
        return "$context.identity.userArn"
    if tokens:
        return "$context.authorizer.claims.sub"
    return "$context.authorizer.principalId" if authorizer else None


def cors(routes: Iterable[Facts], authorization: Iterable[str]) -> Facts:
    """What pages of other origins may send and read, by the routes of an API.

    `authorization` names the headers by which it knows its callers. Credentials of browsers, such
    as cookies, are not among what they may send: no API of a pattern knows its callers by them.
    """
    routes = list(routes)
    methods = unique(each["route"].split(" ")[0] for each in routes)
    bodies = ["Content-Type"] if {"POST", "PUT", "PATCH"} & {*methods} else []
    read = (each["header"] for each in routes if "header" in each)
    return {
        "methods": methods,
        "headers": unique([*authorization, *bodies, *read]),
        "exposed": [*EXPOSED_HEADERS],
        "max_age": PREFLIGHT_SECONDS,
    }


def answered_by(node: CompiledNode) -> list[str]:
    """Return the functions that answer the callers of a REST API, by name."""
    functions = {each["name"] for each in node.targets if each["kind"] == "function"}
    routes = (edge for edge in node.outgoing if "route" in edge)
    return unique(edge["to"] for edge in routes if edge["to"] in functions)


def parameters(node: CompiledNode) -> Iterator[OptionalParameter]:
    """The origins whose pages may call an API, its domain name, and the web ACL in front of it."""
    if node.get("cors"):
        named = node["kind"] == "rest-api"
        yield OptionalParameter(
            "AllowedOrigins",
            "cors",
            "none",
            "The origins whose pages may call the API, such as https://www.example.com, separated "
            f"by commas; {'' if named else '* allows all of them, '}none allows no page of another "
            "origin",
            pattern=NAMED_ORIGINS if named else ORIGINS,
            default_is_off=not named,
        )
    yield OptionalParameter(
        "DomainName",
        "domain",
        "none",
        "The domain name of the API, such as api.example.com; with none, it has the address that "
        "API Gateway gives it",
        pattern=DOMAIN,
        default_is_off=True,
    )
    yield OptionalParameter(
        "CertificateArn",
        "domain",
        "none",
        "The certificate of the domain name, which ACM has in the region of the stack",
        pattern=CERTIFICATE,
        default_is_off=True,
    )
    yield OptionalParameter(
        "HostedZoneId",
        "domain",
        "none",
        "The hosted zone of Route 53 in which the stack makes the record of the domain name; with "
        "none, you make it",
        pattern=HOSTED_ZONE,
        default_is_off=True,
    )
    if node["kind"] == "http-api" and node["replaces"]:
        yield from private_legacy()
    # AWS WAF protects no HTTP API.
    if node["kind"] == "rest-api":
        yield OptionalParameter(
            "WebAclArn",
            "waf",
            "none",
            "The web ACL of AWS WAF that filters what the API gets, by its ARN; none filters "
            "nothing",
            pattern=WEB_ACL,
            default_is_off=True,
        )


def private_legacy() -> Iterator[OptionalParameter]:
    """The load balancer of a legacy system in a VPC, and the place of what calls it there.

    A REST API is not deployed again when a parameter changes (fact B6), so that its stage would go
    on calling the system over the Internet.
    """
    yield OptionalParameter(
        "ListenerArn",
        "private-legacy",
        "none",
        "The HTTPS or TLS listener of the load balancer in front of the legacy system, by its ARN; "
        "with none, the legacy system is called over the Internet",
        pattern=LISTENER,
    )
    yield from subnets("private-legacy", "AB", "A private subnet of the VPC of that load balancer")
    yield OptionalParameter(
        "CallersSecurityGroupId",
        "private-legacy",
        "none",
        "A security group of that VPC, which may call the load balancer",
        pattern=f"none|{SECURITY_GROUP}",
    )


def outputs(node: CompiledNode) -> Iterator[Output]:
    """The address of an API, and the name of its access log."""
    api, log = node["id"], f"{node['id']}LogGroup"
    address: Attribute = "api_endpoint" if node["kind"] == "http-api" else "url"
    yield output(api, "Url", "The address of the API", address)
    yield output(log, "Name", "The access log of the API", "log_group_name", where_read=True)


def acknowledged(node: CompiledNode) -> Iterator[Acknowledgement]:
    """That an API is open, and what of a REST API bills by the month or the byte."""
    allowed = next(each["allowed"] for each in node.graph.nodes if each["kind"] == "client")
    hint = "; the README says when to add an authorizer" if allowed == "anyone" else ""
    is_open = f"open to {allowed}{hint}"
    protected = (
        node.get("signed")
        or any(edge.get("by") == "authorizer" for edge in node.graph.edges)
        or any(each["kind"] == "openid-provider" for each in node.graph.nodes)
    )
    rest = node["kind"] == "rest-api"
    if rest:
        yield Acknowledgement("AwsSolutions-APIG2", "who gets a request checks it")
        yield Acknowledgement(
            "AwsSolutions-APIG3", "a web ACL bills by the month; it is a choice of the owner"
        )
    systems = {each["name"] for each in node.graph.nodes if each["kind"] == "external"}
    if not protected:
        yield Acknowledgement("AwsSolutions-APIG4", is_open)
    elif systems & {edge["to"] for edge in node.outgoing}:
        yield Acknowledgement(
            "AwsSolutions-APIG4", "what is passed on is authorized by the system that gets it"
        )
    if rest:
        yield Acknowledgement(
            "AwsSolutions-APIG6", "execution logs hold what was sent, and bill by the byte"
        )
        yield Acknowledgement("AwsSolutions-COG4", is_open)


def integrated(edge: Facts, source: CompiledNode, target: CompiledNode) -> Iterator[Grant]:
    """What an API calls without a function, once for all of its routes to a node."""
    role = f"{source['id']}Role"
    routes = [each for each in source.outgoing if each["to"] == edge["to"]]
    if edge != routes[0]:
        return
    actions = unique(each["action"] for each in routes if "action" in each)
    match target["kind"]:
        case "queue":
            yield queue.grant(role, target["id"], *(f"sqs:{each}" for each in actions))
        case "stream":
            yield stream.grant(role, target["id"], *(f"kinesis:{each}" for each in actions))
        case "delivery":
            yield delivery.grant(role, target["id"], *(f"firehose:{each}" for each in actions))
        case "state-machine":
            yield state_machine.start(role, target["id"], wait=edge["call"] == "sync")
