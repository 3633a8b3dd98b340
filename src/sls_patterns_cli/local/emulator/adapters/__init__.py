"""Closes the gaps between the emulator and AWS that a generated project touches.

One module for each gap, in a folder for each AWS service. Its docstring says what AWS does, with
the page that documents it, and what the plain emulator does; its `apply()` puts the difference
right inside the emulator's process. `verify` finds what is no longer the code that an adapter was
written for, so a test fails with another version of the emulator, not silently a proof.
"""

import functools
import hashlib
import importlib
import inspect
import textwrap
from collections.abc import Callable, MutableMapping
from typing import Any

ADAPTERS = (
    "cognito.signing_keys",  # before others import what imports Cognito
    "iam.secure_transport",
    "iam.batch_actions",
    "iam.map_runs",
    "sqs.many_messages",  # before what changes its steps
    "sqs.queue_waits",
    "sqs.queue_receipts",
    "sqs.queue_locking",
    "sqs.queue_redrive",
    "sqs.trace_attribute",
    "lambda_.trace_header",
    "lambda_.event_source_permissions",
    "lambda_.event_source_visibility",
    "lambda_.event_source_scaling",
    "lambda_.payload_limits",
    "lambda_.function_errors",
    "lambda_.function_updates",
    "lambda_.function_processes",
    "lambda_.environment_starts",
    "lambda_.reserved_concurrency",
    "lambda_.function_aliases",
    "lambda_.asynchronous_invocation",
    "lambda_.durable_executions",
    "sns.topic_delivery",
    "sns.endpoint_delivery",
    "logs.log_subscriptions",
    "logs.insights_queries",
    "scheduler.schedule_delivery",
    "events.rule_delivery",
    "stepfunctions.task_timeouts",
    "stepfunctions.execution_stop",
    "stepfunctions.express_executions",
    "stepfunctions.execution_traces",
    "stepfunctions.retries",
    "stepfunctions.execution_names",
    "stepfunctions.name_limits",
    "stepfunctions.execution_input",
    "stepfunctions.execution_output",
    "stepfunctions.late_descriptions",
    "stepfunctions.express_logs",
    "stepfunctions.map_runs",
    "stepfunctions.execution_redrive",
    "stepfunctions.permissions",
    "s3.missing_objects",
    "secretsmanager.secret_resource",
    "rds.database_cluster",
    "ec2.nat_gateway",
    "ec2.ipv6_addresses",
    "elasticache.serverless_cache",
    "codedeploy.deployment_groups",
    "cloudformation.custom_resource_invocation",
    "cloudformation.log_group_names",
    "cloudwatch.metric_math_alarms",
    "apigateway.rest_api_headers",
    "apigateway.rest_api_definition",
    "apigateway.rest_api_validation",
    "apigateway.rest_api_permissions",
    "apigateway.rest_api_http_proxy",
    "apigateway.rest_api_service",
    "apigateway.rest_api_mock",
    "kinesis.put_limits",
    "kinesis.stream_batches",
    "dynamodb.stream_batches",
    "pipes.definitions",
    "pipes.reading",
    "glue.iceberg_tables",
    "athena.queries",
    "firehose.stream_types",
    "firehose.put_limits",
    "firehose.delivery_failures",
    "apigateway.http_api_definition",
    "apigateway.http_api_endpoint",
    "apigateway.http_api_paths",
    "apigateway.http_api_event",
    "apigateway.http_api_integration",
    "apigateway.http_api_http_proxy",
    "apigateway.http_api_services",
    "apigateway.http_api_authorizer",
    "apigateway.http_api_tokens",
    "apigateway.iam_authorization",
    "apigateway.access_logs",
    "apigateway.http_api_cors",
    "eventsv2.service",
)
"""Names of the modules in this package, in the order in which they are applied."""


class EmulatorChangedError(Exception):
    """What an adapter builds on is not what it was written for."""


relied_on: list[tuple[Callable[..., Any], str]] = []
"""The emulator's functions on whose source an adapter relies, with its fingerprint."""


def apply_all() -> None:
    """Apply every adapter to the emulator in this process; raises EmulatorChangedError."""
    for name in ADAPTERS:
        importlib.import_module(f"{__name__}.{name}").apply()


def replace(
    owner: Any,
    name: str,
    fingerprint: str,
    make: Callable[[Callable[..., Any]], Callable[..., Any]],
) -> None:
    """Put `make(original)` in the place of the function `name` of a module, class or mapping.

    `fingerprint` is that of the function's source.
    """
    mapping = isinstance(owner, MutableMapping)
    original = owner[name] if mapping else getattr(owner, name)
    rely_on(original, fingerprint)
    # The wrapper leads back to the original, so that two adapters can meet at one function.
    replacement = functools.update_wrapper(make(original), original)
    if mapping:
        owner[name] = replacement
    else:
        setattr(owner, name, replacement)


def rely_on(function: Callable[..., Any], fingerprint: str) -> None:
    """Note that an adapter was written for the source of `function` with this fingerprint."""
    relied_on.append((function, fingerprint))


def verify() -> None:
    """Raise EmulatorChangedError unless each source is the one that an adapter relies on.

    A test does so. A start does not, which this would make a quarter longer: `emulator.require`
    refuses any other version.
    """
    for function, fingerprint in relied_on:
        source = textwrap.dedent(inspect.getsource(function))
        found = hashlib.sha256(source.encode()).hexdigest()[:12]
        if found != fingerprint:
            raise EmulatorChangedError(
                f"{function.__module__}.{function.__qualname__} has the fingerprint {found}, "
                f"not {fingerprint}: read what changed before adapting it."
            )
