"""Names that a deployment on AWS takes offence at, or trips over later."""

from collections.abc import Iterator

from contract.violations import Violation, is_but

from sls_patterns_cli.cloudformation.stack import Resource, Stack
from sls_patterns_cli.wiring.model import MACHINE, QUEUE

LOG_GROUP = "AWS::Logs::LogGroup"
PARAMETER = "AWS::SSM::Parameter"

# What services that log by the account's resource policy may log to without an entry in it.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-infrastructure-V2-CloudWatchLogs.html
VENDED = "/aws/vendedlogs/"

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
LONGEST_QUEUE_NAME = 80


def name_violations(stack: Stack) -> Iterator[Violation]:
    """Say which names cannot be deployed, or only once."""
    yield from _logs_of_functions(stack)
    yield from _logs_of_services(stack)
    yield from _fifo_queues(stack)
    yield from _parameters(stack)


def _logs_of_functions(stack: Stack) -> Iterator[Violation]:
    """A function that still runs creates its log group anew after the stack is gone (fact A2).

    The next deployment then fails, as a group of that name exists:
    https://github.com/aws/aws-cdk/issues/31487
    """
    for function in stack.functions:
        group = stack.named(function.get("LoggingConfig", "LogGroup"), LOG_GROUP)
        if group and group.get("LogGroupName") is not None:
            must = f"left out: {function.name} may create the group again when the stack is gone"
            yield is_but("name", group.name, "LogGroupName", "set", must)


def _logs_of_services(stack: Stack) -> Iterator[Violation]:
    """For each other name a service adds to one resource policy, which gets full (fact A3).

    https://github.com/serverless/serverless/issues/10469
    """
    names: dict[str, str] = {}
    for group in _vended(stack):
        name = stack.text(group.get("LogGroupName"))
        if not name.startswith(VENDED):
            value = group.get("LogGroupName") and name
            yield is_but("name", group.name, "LogGroupName", value, f"below {VENDED}")
        elif name in names:
            says = f"has the name of {names[name]}, {name}"
            yield Violation("name", group.name, says)
        names.setdefault(name, group.name)


def _vended(stack: Stack) -> list[Resource]:
    arns = [
        stage.get(setting, "DestinationArn")
        for type_, setting in (
            ("AWS::ApiGateway::Stage", "AccessLogSetting"),
            ("AWS::ApiGatewayV2::Stage", "AccessLogSettings"),
        )
        for stage in stack.of_type(type_)
    ]
    arns += [
        destination.get("CloudWatchLogsLogGroup", {}).get("LogGroupArn")
        for machine in stack.of_type(MACHINE)
        for destination in machine.get("LoggingConfiguration", "Destinations") or []
    ]
    named = [stack.named(stack.text(arn).removesuffix(":*"), LOG_GROUP) for arn in arns if arn]
    return [group for group in named if group]


def _fifo_queues(stack: Stack) -> Iterator[Violation]:
    """A name that CloudFormation makes up for a FIFO queue may be too long (fact A4).

    https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/280
    """
    for queue in stack.of_type(QUEUE):
        if queue.get("FifoQueue") in (True, "true"):
            name = queue.get("QueueName") and stack.text(queue.get("QueueName"))
            if not name or not name.endswith(".fifo") or len(name) > LONGEST_QUEUE_NAME:
                must = f"….fifo: a generated one can pass {LONGEST_QUEUE_NAME} characters"
                yield is_but("name", queue.name, "QueueName", name, must)


def _parameters(stack: Stack) -> Iterator[Violation]:
    """Systems Manager keeps names that begin with aws or ssm to itself (fact A7).

    https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
    """
    for parameter in stack.of_type(PARAMETER):
        name = stack.text(parameter.get("Name")).lstrip("/")
        if name.startswith("${") or name.lower().startswith(("aws", "ssm")):
            must = "one whose first part is fixed and not aws… or ssm…, as a stack's name may be"
            yield is_but("name", parameter.name, "Name", stack.text(parameter.get("Name")), must)
