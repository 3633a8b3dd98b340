"""What adapters ask before they do something in another's name; it changes nothing itself.

Services act by resource-based policies or in the name of a role:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import iam, lambda_svc, sns, sqs

SENDING = {
    "lambda": "lambda:InvokeFunction",
    "sqs": "sqs:SendMessage",
    "sns": "sns:Publish",
    "states": "states:StartExecution",
    "events": "events:PutEvents",
    "kinesis": "kinesis:PutRecord",
    "firehose": "firehose:PutRecord",
}
"""What a role must be allowed to do to hand something over, by the service in the ARN:
https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-templated.html
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html"""

refusing: set[str] = set()
"""ARNs of what refuses everybody, as if a policy had been taken away: `prove` breaks targets so."""

throttling: set[str] = set()
"""ARNs of what takes nothing for now, whoever sends it: `prove` breaks targets so as well."""

open_to_all: set[str] = set()
"""ARNs of what every role may use: what stands elsewhere, of which nobody knows who may."""

outsiders_may = False
"""Whether roles that are not here may do everything: nobody knows what others allow them."""


def role_may(role_arn: str, action: str, resource_arn: str) -> bool:
    """Whether the policies of a role allow the action, such as `sqs:SendMessage`."""
    if resource_arn in refusing:
        return False
    if resource_arn in open_to_all:
        return True
    name = role_arn.rsplit("/", 1)[-1]
    if outsiders_may and iam._roles.get_scoped(get_account_id(), None, name) is None:
        return True
    policies = iam_evaluator._gather_role_policies(name, get_account_id())
    context = iam_evaluator.EvalContext(
        principal_arn=role_arn,
        principal_type="AssumedRole",
        principal_account=get_account_id(),
        action=action,
        resource_arn=resource_arn,
        region=get_region(),
    )
    return bool(iam_evaluator.evaluate(context, policies).decision == "Allow")


def service_may_invoke(function_arn: str, service: str, source_arn: str) -> bool:
    """Whether a function's policy lets a service, such as `sns.amazonaws.com`, invoke it."""
    if function_arn in refusing:
        return False
    policy = lambda_svc.function_policy_for_arn(function_arn)
    context: Any = iam_evaluator.EvalContext(
        principal_arn="*",
        principal_type="Service",
        principal_account="",
        action="lambda:InvokeFunction",
        resource_arn=function_arn,
        region=get_region(),
        service_context={
            "aws:sourcearn": source_arn,
            "aws:sourceaccount": get_account_id(),
        },
    )
    decision = iam_evaluator.evaluate_resource_policy(
        policy and policy[0], context, service=service
    ).decision
    return bool(decision == "Allow")


def service_may_send(queue_arn: str, service: str, source_arn: str) -> bool:
    """Whether there is such a queue, and its policy lets the service send to it."""
    if queue_arn in refusing:
        return False
    return bool(sqs.queue_policy_allows(queue_arn, service, source_arn, get_account_id()))


def service_may_publish(topic_arn: str, service: str, source_arn: str) -> bool:
    """Whether there is such a topic, and its policy lets the service publish to it."""
    if topic_arn in refusing:
        return False
    return bool(sns.topic_policy_allows(topic_arn, service, source_arn, get_account_id()))
