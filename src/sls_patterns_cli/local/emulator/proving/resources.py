"""Resources that no edge begins or ends at are inert."""

from sls_patterns_cli.local.emulator import inert
from sls_patterns_cli.local.emulator.adapters.eventsv2 import operations, wire
from sls_patterns_cli.local.emulator.adapters.iam import permissions
from sls_patterns_cli.local.emulator.adapters.pipes import definitions
from sls_patterns_cli.local.emulator.proving.names import OUTSIDE_QUEUES

REAL = {
    "AWS::DynamoDB::Table",
    "AWS::Events::EventBus",
    "AWS::Events::Rule",
    "AWS::EventsV2::EventBus",
    "AWS::EventsV2::Subscriber",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::Kinesis::Stream",
    "AWS::KinesisFirehose::DeliveryStream",
    "AWS::Lambda::Alias",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::Function",
    "AWS::Lambda::Permission",
    "AWS::Lambda::Version",
    "AWS::Logs::LogGroup",
    "AWS::Logs::SubscriptionFilter",
    "AWS::Pipes::Pipe",
    "AWS::S3::Bucket",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription",
    "AWS::SNS::Topic",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::Queue",
    "AWS::SQS::QueuePolicy",
    "AWS::SSM::Parameter",
    "AWS::Scheduler::Schedule",
    "AWS::Scheduler::ScheduleGroup",
    "AWS::SecretsManager::Secret",
    "AWS::StepFunctions::StateMachine",
}
"""What the emulator has to make, and what others refer to by more than a name."""


def apply() -> None:
    """Let roles of other stacks act, and pipes and subscribers lead anywhere.

    Nothing is inert until the types of a template are known.
    """
    permissions.outsiders_may = True
    permissions.open_to_all.update(OUTSIDE_QUEUES)
    definitions.takes_anything = operations.takes_anything = wire.takes_any_text = True


def make_inert(types: set[str]) -> set[str]:
    """Make each type inert that no edge needs, whether the emulator knows it; return those."""
    return inert.make_inert(types - REAL)
