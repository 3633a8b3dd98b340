"""The resources of the stacks that an emulator has, by their ids in a template."""

import re
from collections.abc import Iterator
from itertools import chain
from typing import Any

from local.support import Client


def physical_id(client: Client, logical_id: str) -> str:
    """Return what a resource is called; the CDK appends eight digits to its id."""
    cloudformation = client("cloudformation")
    for stack in _stacks(cloudformation):
        pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
        for found in chain.from_iterable(page["StackResourceSummaries"] for page in pages):
            if re.fullmatch(f"{logical_id}([0-9A-F]{{8}})?", found["LogicalResourceId"]):
                name: str = found["PhysicalResourceId"]
                return name
    raise LookupError(logical_id)


def parameter(client: Client, name: str) -> str:
    """Return the value of a stack's parameter."""
    stacks = client("cloudformation").describe_stacks()["Stacks"]
    given = chain.from_iterable(stack.get("Parameters", ()) for stack in stacks)
    return next(str(each["ParameterValue"]) for each in given if each["ParameterKey"] == name)


def _stacks(cloudformation: Any) -> Iterator[str]:
    yield from (stack["StackName"] for stack in cloudformation.describe_stacks()["Stacks"])
