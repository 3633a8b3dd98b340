"""Reads a template, or what CDK has synthesised, with the local code that it names."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sls_patterns_cli.cloudformation import sources
from sls_patterns_cli.cloudformation.document import Template, read_json
from sls_patterns_cli.cloudformation.linking import joined
from sls_patterns_cli.cloudformation.source import Source
from sls_patterns_cli.cloudformation.sources import LocalCode
from sls_patterns_cli.cloudformation.stack import inside
from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local.assembly import CODE_BUCKET, without_bootstrap


@dataclass(frozen=True)
class Artifact:
    """Local code: a folder or file, and the resource that names it, as it stands in its template.

    What is `built` is uploaded as it is, for CDK has made it.
    """

    place: Path
    name: str = ""
    resource: Mapping[str, Any] = field(default_factory=dict)
    built: bool = False


@dataclass
class Read:
    """A template, with each artifact by the key in CODE_BUCKET under which the template expects it.

    `unread` says what could not be followed.
    """

    template: Template
    artifacts: dict[str, Artifact]
    unread: list[str]


def template(file: Path) -> Read:
    """Read a template of SAM or CloudFormation; raises UserError."""
    read = Read({}, {}, [])
    source = sources.source(file, _taken_up_by(read))
    read.template, read.unread = source.template, source.unread
    return read


def assembly(folder: Path, *, built: bool = True) -> Read:
    """Read what CDK has written to a folder, all stacks as one; raises UserError.

    Assets are `built`, or sources.

    https://docs.aws.amazon.com/cdk/v2/guide/how-cdk-works.html
    """
    read, buckets = Read({}, {}, []), set[str]()
    stacks = list(_stacks(folder, read, buckets, built=built))
    if not stacks:
        raise UserError(f"{folder} has no stacks.")
    source = stacks[0] if len(stacks) == 1 else joined(stacks)
    read.template, read.unread = without_bootstrap(source.template, buckets), source.unread
    return read


def _taken_up_by(read: Read) -> sources.Packaged:
    def packaged(code: LocalCode) -> str:
        place = (code.template.parent / code.path).resolve()
        if not place.exists():
            raise UserError(f"{code.template} names the code {code.path}, which does not exist")
        key = f"artifact-{len(read.artifacts)}"
        read.artifacts[key] = Artifact(place, code.name, code.resource)
        return f"s3://{CODE_BUCKET}/{key}"

    return packaged


def _stacks(folder: Path, read: Read, buckets: set[str], *, built: bool) -> Iterator[Source]:
    artifacts = inside(read_json(folder / "manifest.json"), "artifacts")
    for artifact in artifacts.values() if isinstance(artifacts, dict) else ():
        properties = inside(artifact, "properties") or {}
        match inside(artifact, "type"):
            case "aws:cloudformation:stack":
                yield sources.source(folder / properties["templateFile"], _taken_up_by(read))
            case "cdk:cloud-assembly":
                yield from _stacks(folder / properties["directoryName"], read, buckets, built=built)
            case "cdk:asset-manifest":
                for asset in read_json(folder / properties["file"])["files"].values():
                    if path := asset["source"].get("path"):
                        place = (folder / path).resolve()
                        for destination in asset["destinations"].values():
                            buckets.add(destination["bucketName"])
                            key = destination["objectKey"]
                            read.artifacts[key] = Artifact(place, built=built)
