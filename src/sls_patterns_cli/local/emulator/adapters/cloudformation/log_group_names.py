"""A stack with a named log group fails where there is one with this name.

AWS: CloudFormation creates the group, and CreateLogGroup fails with ResourceAlreadyExistsException.
A function that still logs while its stack is deleted creates its group again.
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html

Emulator: puts an empty group in the place of the one that is there.
"""

from collections.abc import Callable
from typing import Any

from ministack.services import cloudwatch_logs
from ministack.services.cloudformation import provisioners

from sls_patterns_cli.local.emulator.adapters import replace


def apply() -> None:
    groups = provisioners._RESOURCE_HANDLERS["AWS::Logs::LogGroup"]
    replace(groups, "create", "6e18ae6e4373", _unless_it_exists)


def _unless_it_exists(create: Callable[..., Any]) -> Callable[..., Any]:
    def create_group(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        name = properties.get("LogGroupName")
        if name in cloudwatch_logs._log_groups:
            raise ValueError(f"Resource of type 'AWS::Logs::LogGroup' with name {name} exists")
        return create(logical_id, properties, stack)

    return create_group
