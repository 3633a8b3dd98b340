"""A stack may have applications and deployment groups of CodeDeploy.

AWS: an alias whose update policy names a deployment group gets a new version by a deployment of
CodeDeploy, which shifts the traffic as its configuration says, and takes it back when an alarm of
the group goes off. A group has at most ten alarms.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-updatepolicy.html
https://docs.aws.amazon.com/codedeploy/latest/userguide/deployment-steps-lambda.html

Emulator: it does not know the types and refuses the template. Here they are recorded, and nothing
shifts traffic: an alias leads to its new version at once.
"""

from typing import Any

from ministack.services.cloudformation import provisioners

from sls_patterns_cli.local.emulator.adapters import EmulatorChangedError

APPLICATION, GROUP = "AWS::CodeDeploy::Application", "AWS::CodeDeploy::DeploymentGroup"
MOST_ALARMS = 10


def apply() -> None:
    for type_, create in ((APPLICATION, _create_application), (GROUP, _create_group)):
        if type_ in provisioners._RESOURCE_HANDLERS:
            raise EmulatorChangedError(f"the emulator knows {type_}")
        provisioners._RESOURCE_HANDLERS[type_] = {
            "create": create,
            "update": _updating(create),
            "delete": lambda _name, _properties: None,
        }


def _create_application(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
    if properties.get("ComputePlatform") != "Lambda":
        raise ValueError("the local stack knows only applications of the platform Lambda")
    return properties.get("ApplicationName") or f"{stack}-{logical_id}", {}


def _create_group(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
    for needed in ("ApplicationName", "ServiceRoleArn"):
        if not properties.get(needed):
            raise ValueError(f"a deployment group needs {needed}")
    alarms = (properties.get("AlarmConfiguration") or {}).get("Alarms") or []
    if len(alarms) > MOST_ALARMS:
        raise ValueError(f"a deployment group has at most {MOST_ALARMS} alarms, not {len(alarms)}")
    return properties.get("DeploymentGroupName") or f"{stack}-{logical_id}", {}


def _updating(create: Any) -> Any:
    def update(name: str, _old: dict[str, Any], new: dict[str, Any], stack: str) -> Any:
        create(name, new, stack)
        return name, {}

    return update
