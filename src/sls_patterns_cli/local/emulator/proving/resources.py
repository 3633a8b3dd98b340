"""Resources that no edge begins or ends at are inert: they have a name and any attribute."""

from typing import Any

from ministack.services.cloudformation import provisioners

from sls_patterns_cli.local.emulator.adapters.iam import permissions
from sls_patterns_cli.local.emulator.adapters.pipes import definitions
from sls_patterns_cli.local.emulator.proving.names import OUTSIDE_QUEUES, attribute_of

REAL = {
    "AWS::DynamoDB::Table",
    "AWS::Events::EventBus",
    "AWS::Events::Rule",
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

Created = tuple[str, dict[str, str]]


def apply() -> None:
    """Let roles of other stacks act, and pipes lead anywhere.

    Nothing is inert until the types of a template are known.
    """
    permissions.outsiders_may = True
    permissions.open_to_all.update(OUTSIDE_QUEUES)
    definitions.takes_anything = True


def make_inert(types: set[str]) -> set[str]:
    """Make each type inert that no edge needs, whether the emulator knows it; return those."""
    inert = types - REAL
    for each in inert:
        provisioners._RESOURCE_HANDLERS[each] = {
            "create": _Inert(each).create,
            "update": _Inert(each).update,
            "delete": lambda *_: None,
        }
    return inert


class _Inert:
    def __init__(self, type_: str) -> None:
        self._type = type_

    def create(self, logical_id: str, _properties: Any, stack: str) -> Created:
        name = f"{stack}-{logical_id}"
        return name, _Anything(self._type, name)

    def update(self, physical_id: str, *_rest: Any) -> Created:
        return physical_id, _Anything(self._type, physical_id)


class _Anything(dict[str, str]):
    """Attributes of which each is there."""

    def __init__(self, type_: str, name: str) -> None:
        super().__init__()
        self._type, self._name = type_, name

    def __contains__(self, _attribute: object) -> bool:
        return True

    def __missing__(self, attribute: str) -> str:
        return attribute_of(self._type, self._name, attribute)

    def get(self, attribute: str, _default: Any = None) -> str:
        return self[attribute]
