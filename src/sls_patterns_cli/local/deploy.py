"""Deploys a CloudFormation template to the emulator, as to AWS."""

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Protocol

from sls_patterns_cli.cloudformation.document import Template
from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local.assembly import CODE_BUCKET

CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]


class Emulator(Protocol):
    """What is deployed to."""

    @property
    def url(self) -> str: ...

    @property
    def region(self) -> str: ...

    def client(self, service: str) -> Any: ...


def upload(emulator: Emulator, packages: Mapping[str, bytes]) -> None:
    """Put code packages where the template looks for them: bytes of a zip file by key."""
    s3 = emulator.client("s3")
    # S3 does not accept a location constraint for us-east-1.
    elsewhere = {"CreateBucketConfiguration": {"LocationConstraint": emulator.region}}
    where = {} if emulator.region == "us-east-1" else elsewhere
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=CODE_BUCKET, **where)
    for key, package in packages.items():
        s3.put_object(Bucket=CODE_BUCKET, Key=key, Body=package)


def deploy(
    emulator: Emulator,
    stack: str,
    template: Template,
    parameters: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Create or update a stack, wait for it, and return its outputs.

    Raises UserError (exit code 1) that names every resource that failed, and why.
    """
    cloudformation = emulator.client("cloudformation")
    arguments = {
        "StackName": stack,
        "TemplateURL": _publish(emulator, stack, template),
        "Capabilities": CAPABILITIES,
        "Parameters": [
            {"ParameterKey": key, "ParameterValue": value}
            for key, value in (parameters or {}).items()
        ],
    }
    refused = cloudformation.exceptions.ClientError
    try:
        try:
            cloudformation.create_stack(**arguments)
        except cloudformation.exceptions.AlreadyExistsException:
            cloudformation.update_stack(**arguments)
    except refused as error:
        message = error.response["Error"]["Message"]
        if "No updates are to be performed" not in message:
            raise UserError(f"The stack {stack} was refused: {message}", 1) from error
    return _outputs(cloudformation, stack)


def _publish(emulator: Emulator, stack: str, template: Template) -> str:
    """A template in a request may have 51,200 bytes, one in S3 a megabyte.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
    """
    key = f"{stack}.template.json"
    upload(emulator, {key: json.dumps(template).encode()})
    return f"{emulator.url}/{CODE_BUCKET}/{key}"


def _outputs(cloudformation: Any, stack: str) -> dict[str, str]:
    while True:
        described = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
        status = described["StackStatus"]
        if not status.endswith("_IN_PROGRESS"):
            break
        time.sleep(0.02)
    if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        raise UserError(
            f"The stack {stack} failed to deploy: {_failures(cloudformation, stack)}", 1
        )
    return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}


def _failures(cloudformation: Any, stack: str) -> str:
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack)
    events = [event for page in pages for event in page["StackEvents"]]
    reasons = [
        f"{event['LogicalResourceId']} ({event['ResourceType']}): "
        f"{event.get('ResourceStatusReason', 'no reason given')}"
        for event in reversed(events)
        if event["ResourceStatus"].endswith("_FAILED")
    ]
    return "; ".join(dict.fromkeys(reasons)) or "CloudFormation gave no reason"
