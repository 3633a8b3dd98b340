"""The stack that `local up` keeps running, for the other commands of this machine."""

import contextlib
import json
import os
import shlex
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local.emulator.server import Address
from sls_patterns_cli.system import new_folder

FILE = Path(".sls-patterns", "running.json")
"""Says in a project's folder where its stack runs; there while it does."""


@dataclass(frozen=True)
class Resource:
    """A resource of the stack: its logical and its physical id, and its CloudFormation type."""

    logical_id: str
    physical_id: str
    type: str


@dataclass(frozen=True)
class Running:
    """A deployed stack on an emulator that another process keeps."""

    url: str
    region: str
    stack: str
    variables: Mapping[str, str]
    """What a shell needs to talk to it: how to reach the emulator, and the stack's outputs."""

    @property
    def address(self) -> Address:
        return Address(self.url, self.region)

    def exports(self) -> Iterator[str]:
        """The lines by which a shell gets the variables."""
        for name, value in self.variables.items():
            yield f"export {name}={shlex.quote(value)}"

    def client(self, service: str) -> Any:
        """A boto3 client of a service."""
        return self.address.client(service)

    def resource(self, name: str, types: Collection[str]) -> Resource:
        """The resource of one of these types with the logical id `name`, or the start of it.

        Raises UserError, with what there is, unless exactly one fits.
        """
        there = [each for each in self._resources() if each.type in types]
        whole = [each for each in there if each.logical_id.lower() == name.lower()]
        found = whole or [
            each for each in there if each.logical_id.lower().startswith(name.lower())
        ]
        if len(found) != 1:
            says = f"several resources start with {name}" if found else f"there is no {name}"
            names = ", ".join(sorted(each.logical_id for each in found or there))
            raise UserError(f"{says}; choose from: {names}" if names else says)
        return found[0]

    def _resources(self) -> list[Resource]:
        pages = self.client("cloudformation").get_paginator("list_stack_resources")
        return [
            Resource(each["LogicalResourceId"], each["PhysicalResourceId"], each["ResourceType"])
            for page in pages.paginate(StackName=self.stack)
            for each in page["StackResourceSummaries"]
        ]


@contextmanager
def recorded(root: Path, running: Running) -> Iterator[None]:
    """Let `find` find the stack of the project in `root` within the block."""
    file = root / FILE
    file.parent.mkdir(exist_ok=True)
    temporary = file.with_suffix(f".{os.getpid()}")
    temporary.write_text(json.dumps(asdict(running)))
    temporary.replace(file)
    try:
        yield
    finally:
        # A stack that was started later has its own record in this place.
        if _read(file) == running:
            file.unlink(missing_ok=True)


def find(path: Path) -> Running:
    """The running stack of the project in `path` or a folder above it; raises UserError."""
    folder = new_folder.absolute(path)
    for root in (folder, *folder.parents):
        running = _read(root / FILE)
        if running and running.address.answers():  # one that was killed has left its record
            return running
    raise UserError(
        f"no local stack of {path} is running; start one in another terminal: sls-patterns local up"
    )


def _read(file: Path) -> Running | None:
    with contextlib.suppress(OSError, ValueError, TypeError):
        return Running(**json.loads(file.read_bytes()))
    return None
