"""What proofs change of a stack for a while, and how it is restored.

The stack itself records each change, so that nobody mistakes it for what was deployed: neither the
next proof nor, after a `kill -9` of everything, the next run.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from botocore.exceptions import ClientError

from sls_patterns_cli.harness.aws import client
from sls_patterns_cli.harness.waiting import CHANGE_SECONDS, wait_until

CHANGED = "CHANGED_BY_PROOF"
"""The name of each record: a function's variable with the values it had before, a tag of another
resource, and the staging label of the version that a secret had before."""

FEW_RECEIVES = 2
"""After so many receives SQS gives a message up, instead of after an hour or a day."""


class Changed(Exception):  # noqa: N818 - what is told is no error of ours
    """A resource that is not as it was deployed."""


class Resource(Protocol):
    """A resource of the stack that proofs can change, by the name that CloudFormation knows."""

    name: str

    def is_changed(self) -> bool: ...

    def restore(self) -> None:
        """Restore what is changed, even if only part of a change was made."""


class LambdaFunction:
    """A function, its environment variables and its concurrency."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._lambda = client("lambda")

    def set_variables(self, variables: Mapping[str, str]) -> None:
        """Give it other environment variables beside those that it has."""
        before = _variables(self._configuration())
        replaced = {name: before.get(name) for name in variables}
        self._configure({**before, **variables, CHANGED: json.dumps(replaced)})
        self._publish()

    def throttle(self) -> None:
        """Leave it no room to run."""
        arn = self._configuration()["FunctionArn"]
        self._lambda.tag_resource(Resource=arn, Tags={CHANGED: "throttled"})
        self._lambda.put_function_concurrency(
            FunctionName=self.name, ReservedConcurrentExecutions=0
        )

    def is_changed(self) -> bool:
        configuration = self._configuration()
        return CHANGED in _variables(configuration) or self._is_throttled(configuration)

    def restore(self) -> None:
        self._wait_until_updated()
        configuration = self._configuration()
        if self._is_throttled(configuration):
            self._lambda.delete_function_concurrency(FunctionName=self.name)
            arn = configuration["FunctionArn"]
            self._lambda.untag_resource(Resource=arn, TagKeys=[CHANGED])
        variables = _variables(configuration)
        if CHANGED in variables:
            self._lead_back()
            replaced = json.loads(variables.pop(CHANGED))
            before = {**variables, **replaced}
            self._configure({name: value for name, value in before.items() if value is not None})

    def _configuration(self) -> Any:
        return self._lambda.get_function_configuration(FunctionName=self.name)

    def _is_throttled(self, configuration: Any) -> bool:
        tags = self._lambda.list_tags(Resource=configuration["FunctionArn"])["Tags"]
        return CHANGED in tags

    def _configure(self, variables: Mapping[str, str]) -> None:
        self._lambda.update_function_configuration(
            FunctionName=self.name, Environment={"Variables": variables}
        )
        self._wait_until_updated()

    def _publish(self) -> None:
        """Lead the aliases, which callers invoke, to what the function is now.

        Meanwhile their descriptions hold the deployed versions.
        """
        for alias in self._aliases():
            version = self._lambda.publish_version(FunctionName=self.name)["Version"]
            published = self._lambda.get_waiter("published_version_active")
            published.wait(FunctionName=self.name, Qualifier=version)
            self._lambda.update_alias(
                FunctionName=self.name,
                Name=alias["Name"],
                FunctionVersion=version,
                Description=alias["FunctionVersion"],
            )

    def _lead_back(self) -> None:
        """Lead the aliases to the deployed versions: the next deployment starts from these."""
        for alias in self._aliases():
            if alias.get("Description"):
                self._lambda.update_alias(
                    FunctionName=self.name,
                    Name=alias["Name"],
                    FunctionVersion=alias["Description"],
                    Description="",
                )

    def _aliases(self) -> list[Any]:
        aliases: list[Any] = self._lambda.list_aliases(FunctionName=self.name)["Aliases"]
        return aliases

    def _wait_until_updated(self) -> None:
        self._lambda.get_waiter("function_updated_v2").wait(FunctionName=self.name)


def _variables(configuration: Any) -> dict[str, str]:
    variables: dict[str, str] = configuration.get("Environment", {}).get("Variables", {})
    return dict(variables)


class EventSourceMapping:
    """What brings the records of a queue or a stream to a function."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._lambda = client("lambda")

    def pause(self) -> None:
        """Let records pile up."""
        self._lambda.tag_resource(Resource=self._arn(), Tags={CHANGED: "paused"})
        self._switch(on=False)

    def is_changed(self) -> bool:
        return CHANGED in self._lambda.list_tags(Resource=self._arn())["Tags"]

    def restore(self) -> None:
        wait_until(lambda: self._state() in {"Enabled", "Disabled"}, CHANGE_SECONDS)
        self._switch(on=True)
        self._lambda.untag_resource(Resource=self._arn(), TagKeys=[CHANGED])

    def _switch(self, *, on: bool) -> None:
        self._lambda.update_event_source_mapping(UUID=self.name, Enabled=on)
        state = "Enabled" if on else "Disabled"
        wait_until(lambda: self._state() == state, CHANGE_SECONDS)

    def _state(self) -> str:
        state: str = self._mapping()["State"]
        return state

    def _arn(self) -> str:
        arn: str = self._mapping()["EventSourceMappingArn"]
        return arn

    def _mapping(self) -> Any:
        return self._lambda.get_event_source_mapping(UUID=self.name)


class Queue:
    """A queue, its policy and its redrive policy."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._sqs = client("sqs")

    def close(self) -> None:
        """Let nobody send to it."""
        self._record("Policy")
        policy = self._attribute("Policy")
        denied = [{**statement, "Effect": "Deny"} for statement in policy["Statement"]]
        self._set("Policy", {**policy, "Statement": denied})

    def lower_receives(self) -> None:
        """Let SQS give a message up after two receives."""
        policy = self._attribute("RedrivePolicy")
        self._record(str(policy["maxReceiveCount"]))
        self._set("RedrivePolicy", {**policy, "maxReceiveCount": FEW_RECEIVES})

    def is_changed(self) -> bool:
        return self._recorded() is not None

    def restore(self) -> None:
        recorded = self._recorded()
        if recorded == "Policy":
            policy = self._attribute("Policy")
            allowed = [{**statement, "Effect": "Allow"} for statement in policy["Statement"]]
            self._set("Policy", {**policy, "Statement": allowed})
        elif recorded:
            policy = self._attribute("RedrivePolicy")
            self._set("RedrivePolicy", {**policy, "maxReceiveCount": int(recorded)})
        self._sqs.untag_queue(QueueUrl=self.name, TagKeys=[CHANGED])

    def _record(self, what: str) -> None:
        self._sqs.tag_queue(QueueUrl=self.name, Tags={CHANGED: what})

    def _recorded(self) -> str | None:
        tags: dict[str, str] = self._sqs.list_queue_tags(QueueUrl=self.name).get("Tags", {})
        return tags.get(CHANGED)

    def _attribute(self, name: Any) -> Any:
        found = self._sqs.get_queue_attributes(QueueUrl=self.name, AttributeNames=[name])
        if name not in found.get("Attributes", {}):
            raise ValueError(f"the queue {self.name} has no {name}")
        return json.loads(found["Attributes"][name])

    def _set(self, name: str, value: Mapping[str, Any]) -> None:
        self._sqs.set_queue_attributes(QueueUrl=self.name, Attributes={name: json.dumps(value)})


class Cluster:
    """An Aurora cluster."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._rds = client("rds")

    def stop(self) -> None:
        """Stop the database; on AWS that takes minutes, and starting it as well."""
        tag = {"Key": CHANGED, "Value": "stopped"}
        self._rds.add_tags_to_resource(ResourceName=self._cluster()["DBClusterArn"], Tags=[tag])
        self._rds.stop_db_cluster(DBClusterIdentifier=self.name)
        wait_until(lambda: self._status() == "stopped", CHANGE_SECONDS)

    def is_changed(self) -> bool:
        return CHANGED in {tag["Key"] for tag in self._cluster().get("TagList", [])}

    def restore(self) -> None:
        wait_until(lambda: self._status() != "stopping", CHANGE_SECONDS)
        if self._status() == "stopped":
            self._rds.start_db_cluster(DBClusterIdentifier=self.name)
        wait_until(lambda: self._status() == "available", CHANGE_SECONDS)
        arn = self._cluster()["DBClusterArn"]
        self._rds.remove_tags_from_resource(ResourceName=arn, TagKeys=[CHANGED])

    def _status(self) -> str:
        status: str = self._cluster()["Status"]
        return status

    def _cluster(self) -> Any:
        found = self._rds.describe_db_clusters(DBClusterIdentifier=self.name)
        return found["DBClusters"][0]


class Secret:
    """A secret and its value."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._secrets = client("secretsmanager")

    def set_value(self, value: str) -> None:
        """Give it another value."""
        self._move(CHANGED, MoveToVersionId=self._versions()["AWSCURRENT"])
        self._secrets.put_secret_value(SecretId=self.name, SecretString=value)

    def is_changed(self) -> bool:
        return CHANGED in self._versions()

    def restore(self) -> None:
        versions = self._versions()
        if CHANGED in versions:
            before, current = versions[CHANGED], versions["AWSCURRENT"]
            if before != current:
                self._move("AWSCURRENT", MoveToVersionId=before, RemoveFromVersionId=current)
            self._move(CHANGED, RemoveFromVersionId=before)

    def _move(self, label: str, **versions: str) -> None:
        self._secrets.update_secret_version_stage(
            SecretId=self.name, VersionStage=label, **versions
        )

    def _versions(self) -> dict[str, str]:
        """The version of each staging label."""
        found = self._secrets.describe_secret(SecretId=self.name).get("VersionIdsToStages", {})
        return {label: version for version, labels in found.items() for label in labels}


RESOURCES: Mapping[str, Callable[[str], Resource]] = {
    "AWS::Lambda::Function": LambdaFunction,
    "AWS::Lambda::EventSourceMapping": EventSourceMapping,
    "AWS::SQS::Queue": Queue,
    "AWS::RDS::DBCluster": Cluster,
    "AWS::SecretsManager::Secret": Secret,
}


@contextmanager
def changing(resource: Resource) -> Iterator[None]:
    """Change a resource in the block; what of it is made is restored if the rest fails.

    Raises Changed if the resource is not as it was deployed.
    """
    if resource.is_changed():
        raise Changed(resource.name)
    try:
        yield
    except BaseException:
        resource.restore()
        raise


def left_changed(stack: str) -> Iterator[Resource]:
    """What an earlier run has changed in a stack or its stand-ins, and not restored."""
    for each in (stack, f"{stack}-stand-ins"):
        pages = client("cloudformation").get_paginator("list_stack_resources")
        try:
            for page in pages.paginate(StackName=each):
                for summary in page["StackResourceSummaries"]:
                    kind = RESOURCES.get(summary["ResourceType"])
                    resource = kind and kind(summary["PhysicalResourceId"])
                    if resource and resource.is_changed():
                        yield resource
        except ClientError:  # only a stack of functions that other stacks call has stand-ins
            if each == stack:
                raise
