"""The modules that the code of a CDK stack imports, by what is in the graph."""

from collections.abc import Callable
from dataclasses import dataclass

from sls_patterns_cli.catalog.compiler.records import Alarm, Facts, Graph, Option
from sls_patterns_cli.catalog.compiler.stack_parts import any_node, either, has_part, of


@dataclass(frozen=True)
class Module:
    """A module of the CDK: `aws-lambda` in TypeScript, `aws_lambda` in Python, and its aliases."""

    name: str
    needed: Callable[[Graph], bool]
    python: str | None = None
    """The alias in Python: the name without its prefix by default, None for no import."""
    typescript: str | None = None


def _module(name: str, needed: Callable[[Graph], bool], alias: str | None = None) -> Module:
    alias = alias or name
    return Module(f"aws-{name}", needed, alias, alias)


MODULES = (
    _module("apigateway", of("rest-api")),
    _module("apigatewayv2", of("http-api")),
    _module(
        "apigatewayv2-authorizers",
        any_node(
            lambda node: (
                node["kind"] == "http-api"
                and bool(
                    node.get("signed")
                    or any(edge.get("by") == "authorizer" for edge in node.outgoing)
                    or (node["issuer"] and not (node["calls_services"] or node["replaces"]))
                )
            )
        ),
        "authorizers",
    ),
    _module(
        "apigatewayv2-integrations",
        any_node(
            lambda node: (
                node["kind"] == "http-api"
                and any(target["kind"] == "function" for target in node.targets)
            )
        ),
        "integrations",
    ),
    _module("athena", has_part("queried-tables")),
    _module("dynamodb", of("dynamodb")),
    _module("ec2", of("aurora-postgresql", "cache", "redshift-serverless")),
    _module("elasticache", of("cache")),
    _module(
        "events",
        either(of("event-bus"), has_part("delivery-rules"), has_part("failure-rules")),
    ),
    _module("glue", has_part("queried-tables")),
    _module("iam", has_part("iam")),
    _module("kinesis", of("stream")),
    # Python imports the one class that it needs: its name is long already.
    Module("aws-kinesisfirehose", of("delivery"), None, "firehose"),
    _module("kms", of("topic")),
    Module("aws-lambda", of("function"), "lambda_", "lambda"),
    Module("aws-lambda-nodejs", of("function"), None, "nodejs"),
    _module("logs", lambda _: True),
    Module("aws-logs-destinations", of("log-group"), "logs_destinations", "destinations"),
    _module("rds", of("aurora-postgresql")),
    _module("redshiftserverless", of("redshift-serverless")),
    _module(
        "s3",
        either(of("bucket", "redshift-serverless", "s3"), has_part("reported-buckets")),
    ),
    _module("scheduler", of("schedule")),
    _module("secretsmanager", of("redshift-serverless", "secret")),
    _module("sns", of("topic")),
    _module(
        "sns-subscriptions",
        any_node(lambda node: node["kind"] == "topic" and bool(node["outgoing"])),
        "subscriptions",
    ),
    _module(
        "sqs",
        either(of("event-bus", "queue"), has_part("dead-letter-queues")),
    ),
    _module("ssm", of("event-bus", "topic")),
    _module("stepfunctions", of("state-machine"), "sfn"),
)

APIS = of("http-api", "rest-api")

OPTIONAL: dict[Option, tuple[Module, ...]] = {
    "domain": (_module("apigatewayv2", APIS), _module("route53", APIS)),
    "email": (_module("sns", lambda _: True),),
    "waf": (_module("wafv2", of("rest-api")),),
    "private-legacy": (
        _module("iam", any_node(lambda node: bool(node.get("proxied") and node.get("called")))),
    ),
}
"""What optional parameters need."""


def imports(graph: Graph, alarms: list[Alarm]) -> Facts:
    """The imports of the stack's module in each language, as pairs of a module and its alias."""
    needed = [module for module in MODULES if module.needed(graph)]
    kept = any(alarm.missing == "ignore" for alarm in alarms)
    below = any(alarm.below for alarm in alarms)
    cloudwatch = Module(
        "aws-cloudwatch",
        lambda _: True,
        "cloudwatch" if kept else None,
        "cloudwatch" if kept or below else None,
    )
    modules = sorted([*needed, cloudwatch], key=lambda module: module.name)
    return _by_language(modules)


def optional_imports(graph: Graph) -> dict[str, Facts]:
    """The imports that optional parameters add, by their option."""
    return {
        option: _by_language([module for module in modules if module.needed(graph)])
        for option, modules in OPTIONAL.items()
        if any(module.needed(graph) for module in modules)
    }


def _by_language(modules: list[Module]) -> Facts:
    return {
        "python": [
            [module.name.replace("-", "_"), module.python] for module in modules if module.python
        ],
        "typescript": [[module.name, module.typescript] for module in modules if module.typescript],
    }
