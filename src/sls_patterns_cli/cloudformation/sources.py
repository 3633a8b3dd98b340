"""Where templates are: a file, a synthesised assembly, or a folder of any project.

Each is read as what would be deployed: spelt out, expanded, with its nested stacks in it.
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sls_patterns_cli.cloudformation import sam, terraform
from sls_patterns_cli.cloudformation.document import (
    LARGEST,
    Document,
    Template,
    document,
    problem_of,
    read_json,
)
from sls_patterns_cli.cloudformation.language import Language
from sls_patterns_cli.cloudformation.linking import linked
from sls_patterns_cli.cloudformation.names import renamed
from sls_patterns_cli.cloudformation.nesting import put_into
from sls_patterns_cli.cloudformation.source import Position, Source
from sls_patterns_cli.cloudformation.stack import find_all, inside
from sls_patterns_cli.errors import UserError

SUFFIXES = {".yaml", ".yml", ".json", ".template"}
PASSED_OVER = {"node_modules", "cdk.out", "build", "dist", "venv", "__pycache__", "target"}
"""Folders of what others wrote or a tool made; also those whose names begin with a dot."""

MOST_FILES = 20_000
NESTED = ("AWS::CloudFormation::Stack", "AWS::Serverless::Application")
PACKAGED = "s3://packaged/code.zip"
IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/image:tag"
DEEPEST_NESTING = 10


@dataclass(frozen=True)
class LocalCode:
    """Code that a template names by a path: the template, the path, and the resource it is for."""

    template: Path
    path: str
    name: str
    resource: Mapping[str, Any]


Packaged = Callable[[LocalCode], str]
"""Returns the address in S3 at which local code will be."""


def sources(path: Path) -> Iterator[Source]:
    """Yield the templates at a path; raises UserError where there is none, or none can be read.

    Of a folder, what is nested in another template is read as part of that, and stacks that import
    from one another are read as one.
    """
    if path.is_dir():
        read = _assembly(path) if (path / "manifest.json").is_file() else _folder(path)
        yield from linked(list(read))
    elif path.exists():
        yield _Reader().read(path)
    else:
        raise UserError(f"{path} does not exist.")


def _assembly(folder: Path) -> Iterator[Source]:
    """What `cdk synth` wrote: https://docs.aws.amazon.com/cdk/v2/guide/how-cdk-works.html."""
    artifacts = inside(read_json(folder / "manifest.json"), "artifacts")
    if not isinstance(artifacts, dict):
        raise UserError(f"{folder / 'manifest.json'} has no artifacts.")
    found = False
    for artifact in artifacts.values():
        kind = inside(artifact, "type")
        if kind == "aws:cloudformation:stack":
            file = inside(artifact, "properties", "templateFile")
            if isinstance(file, str):
                found = True
                yield _Reader().read(folder / file)
        elif kind == "cdk:cloud-assembly":
            inner = inside(artifact, "properties", "directoryName")
            if isinstance(inner, str):
                found = True
                yield from _assembly(folder / inner)
    if not found:
        raise UserError(f"{folder} has no stacks.")


def _folder(folder: Path) -> Iterator[Source]:
    read, nested = [], set[Path]()
    for file in _files(folder):
        if file.name == "manifest.json" and (file.parent.name == "cdk.out"):
            yield from _assembly(file.parent)
        elif _may_be_template(file):
            try:
                source = _Reader().read(file)
            except UserError as error:
                source = Source(file, {"Resources": {}}, {}, [error.message])
            nested |= {p.document.file.resolve() for p in source.positions.values()} - {
                file.resolve()
            }
            read.append(source)
    roots = [source for source in read if source.file.resolve() not in nested]
    if not roots and not (folder / "cdk.out").is_dir():
        raise UserError(f"{folder} has no SAM or CloudFormation template.")
    yield from roots


def _files(folder: Path) -> Iterator[Path]:
    seen = 0
    for root, folders, files in os.walk(folder):
        is_output = Path(root).name == "cdk.out"
        folders[:] = sorted(
            each
            for each in folders
            if not is_output
            and (each not in PASSED_OVER or each == "cdk.out")
            and not each.startswith(".")
        )
        seen += len(files)
        if seen > MOST_FILES:
            raise UserError(f"{folder} has more than {MOST_FILES:,} files; name a template.")
        names = {"manifest.json"} & set(files) if is_output else files
        yield from (Path(root) / name for name in sorted(names) if Path(name).suffix in SUFFIXES)


def _may_be_template(file: Path) -> bool:
    """Tell from its text whether a file may be a template, before it is parsed."""
    try:
        text = file.read_bytes()[:LARGEST]
    except OSError:
        return False
    return b"Resources" in text and b"AWS::" in text


def source(file: Path, packaged: Packaged) -> Source:
    """Read one template with all that is nested in it; `packaged` says where its code will be.

    Raises UserError for what is no template.
    """
    return _Reader(packaged).read(file)


def _anywhere(_code: LocalCode) -> str:
    return PACKAGED


class _Reader:
    """Reads a template and those that are nested in it."""

    def __init__(self, packaged: Packaged = _anywhere) -> None:
        self._open: list[Path] = []
        self._packaged = packaged

    def read(self, file: Path) -> Source:
        read = document(file)
        if terraform.is_plan(read.content):
            return _plan(read)
        return self._source(read)

    def _source(self, read: Document) -> Source:
        real = read.file.resolve()
        if real in self._open or len(self._open) >= DEEPEST_NESTING:
            chain = " in ".join(each.name for each in [*self._open, real][::-1])
            raise UserError(f"{read.file}: stacks are nested in a circle: {chain}.")
        self._open.append(real)
        source = Source(read.file, {}, {})
        language = Language(read.file.parent, source.unread.append)
        try:
            template = language.spell_out(read.content)
        except UserError as error:
            raise UserError(f"{read.file}: {error.message}") from error
        if isinstance(template, dict):
            _leave_out_what_has_no_type(template, source)
        if problem := problem_of(template):
            raise UserError(f"{read.file}: {problem}.")
        origins = {
            name: Position(read, ("Resources", language.loops.get(name, name)))
            for name in template["Resources"]
        }
        source.template = self._expanded(source, template)
        source.positions = _positions(source.template, template, origins)
        self._nest(source)
        self._open.pop()
        return source

    def _expanded(self, source: Source, template: Template) -> Template:
        template = self._without_code(template, source)
        if not sam.is_sam(template):
            types = [resource["Type"] for resource in template["Resources"].values()]
            if not any(type_.startswith(sam.PREFIX) for type_ in types):
                return template
            source.unread.append("it has resources of SAM and no Transform; it was read as SAM")
        try:
            expanded, refused = sam.expand_what_can_be(template)
        except UserError as error:
            raise UserError(f"{source.file}: {error.message}") from error
        source.unread += [reason for _, reason in refused]
        return expanded

    def _without_code(self, template: Template, source: Source) -> Template:
        """Return the template with the code as `sam package` leaves it, and definitions in it."""
        copied: Template = json.loads(json.dumps(template, default=str))
        shared = inside(copied, "Globals", "Function")
        everywhere = shared.pop("CodeUri", None) if isinstance(shared, dict) else None
        for name, resource in list(copied["Resources"].items()):
            properties = resource.setdefault("Properties", {})
            if not isinstance(properties, dict):
                continue
            match resource["Type"]:
                case "AWS::Serverless::Function":
                    self._package_function(source, name, resource, everywhere)
                case "AWS::Serverless::LayerVersion":
                    uri = properties.get("ContentUri", ".")
                    properties["ContentUri"] = self._address(source, uri, name, resource)
                case "AWS::Lambda::Function" if isinstance(properties.get("Code"), str):
                    properties["Code"] = self._place(source, properties["Code"], name, resource)
                case "AWS::Lambda::LayerVersion" if isinstance(properties.get("Content"), str):
                    properties["Content"] = self._place(
                        source, properties["Content"], name, resource
                    )
                case "AWS::StepFunctions::StateMachine":
                    _define_by_asset(source, name, properties)
            if isinstance(properties.get("DefinitionUri"), str):
                key = "Definition" if "StateMachine" in resource["Type"] else "DefinitionBody"
                _define(source, name, properties, key)
            location = properties.get("Location")
            if resource["Type"] == "AWS::Serverless::Application" and not isinstance(location, str):
                source.unread.append(f"{name} is an application of a repository that is not here")
                del copied["Resources"][name]
        return copied

    def _package_function(
        self, source: Source, name: str, resource: dict[str, Any], everywhere: Any
    ) -> None:
        function = resource["Properties"]
        uri = function.pop("CodeUri", everywhere)
        function.pop("ImageUri", None)
        if function.get("PackageType") == "Image":
            function["ImageUri"] = IMAGE
        elif "InlineCode" not in function:
            function["CodeUri"] = self._address(source, "." if uri is None else uri, name, resource)

    def _address(self, source: Source, uri: Any, name: str, resource: Mapping[str, Any]) -> str:
        is_local = isinstance(uri, str) and "://" not in uri
        code = LocalCode(source.file, uri, name, resource)
        return self._packaged(code) if is_local else PACKAGED

    def _place(
        self, source: Source, uri: str, name: str, resource: Mapping[str, Any]
    ) -> dict[str, str]:
        """The same as CloudFormation's own resources have it."""
        bucket, _, key = (
            self._address(source, uri, name, resource).removeprefix("s3://").partition("/")
        )
        return {"S3Bucket": bucket, "S3Key": key}

    def _nest(self, source: Source) -> None:
        """Put the resources of nested stacks beside those of their parent."""
        resources = source.template["Resources"]
        for name in [each for each in resources if resources[each]["Type"] in NESTED]:
            file = _nested_file(source, name)
            if file is None:
                source.unread.append(f"{name} is a stack whose template is not here")
                continue
            inner = self._source(document(file))
            source.unread += inner.unread
            names = put_into(source.template, name, inner.template)
            source.positions |= {
                names[each]: at for each, at in inner.positions.items() if each in names
            }


def _leave_out_what_has_no_type(template: Template, source: Source) -> None:
    resources = template.get("Resources")
    if not isinstance(resources, dict):
        return
    for name, resource in list(resources.items()):
        if not isinstance(resource, dict) or not isinstance(resource.get("Type"), str):
            source.unread.append(f"{name} is a resource without a Type")
            del resources[name]


def _define(source: Source, name: str, properties: dict[str, Any], key: str) -> None:
    """Put the definition of an API or state machine into the template."""
    uri = properties["DefinitionUri"]
    if "://" in uri:
        return
    try:
        properties[key] = document(source.file.parent / uri).content
        del properties["DefinitionUri"]
    except UserError:
        properties["DefinitionUri"] = "s3://packaged/definition.json"
        source.unread.append(f"{name}: its definition {uri} is not a file here")


def _define_by_asset(source: Source, name: str, properties: dict[str, Any]) -> None:
    """Put the definition of a state machine, which CDK leaves in a file, into the template."""
    key = inside(properties, "DefinitionS3Location", "Key")
    file = _assets(source.file.parent).get(key) if isinstance(key, str) else None
    if file is None:
        return
    try:
        properties["Definition"] = document(file).content
        del properties["DefinitionS3Location"]
    except UserError:
        source.unread.append(f"{name}: its definition {file.name} is not a file here")


def _assets(folder: Path) -> dict[str, Path]:
    """Return the files that are uploaded with the stacks of an assembly, by their keys in S3."""
    found: dict[str, Path] = {}
    for manifest in folder.glob("*.assets.json"):
        files = inside(read_json(manifest), "files")
        for asset in files.values() if isinstance(files, dict) else ():
            path, destinations = inside(asset, "source", "path"), inside(asset, "destinations")
            if isinstance(path, str) and isinstance(destinations, dict):
                keys = (inside(each, "objectKey") for each in destinations.values())
                found |= {key: folder / path for key in keys if isinstance(key, str)}
    return found


def _positions(
    expanded: Template, template: Template, origins: dict[str, Position]
) -> dict[str, Position]:
    """Return where each resource comes from; SAM names what it makes after what it makes it for."""
    positions = {}
    names = sorted(template["Resources"], key=len, reverse=True)
    for made in expanded["Resources"]:
        name = made if made in origins else next((n for n in names if made.startswith(n)), None)
        if name is None:
            continue
        events = inside(template["Resources"][name], "Properties", "Events")
        event = (
            next(
                (e for e in sorted(events, key=len, reverse=True) if made.startswith(f"{name}{e}")),
                None,
            )
            if isinstance(events, dict) and made != name
            else None
        )
        path = ("Properties", "Events", event) if event else ()
        positions[made] = Position(origins[name].document, (*origins[name].path, *path))
    return positions


def _nested_file(source: Source, name: str) -> Path | None:
    """Return the template of a nested stack, where it is a file here."""
    resource = source.template["Resources"][name]
    folder = source.file.parent
    asset = inside(resource, "Metadata", "aws:asset:path")
    url = inside(resource, "Properties", "TemplateURL")
    location = inside(resource, "Properties", "Location")
    for given in (asset, url, location):
        if isinstance(given, str) and "://" not in given and (folder / given).is_file():
            return folder / given
    return None


def _plan(read: Document) -> Source:
    """A Terraform plan, with addresses in the place of logical ids."""
    if problem := terraform.problem(read.content):
        raise UserError(f"{read.file}: {problem}.")
    template = terraform.template(read.content)
    names = {
        address: f"{re.sub(r'[^0-9A-Za-z]+', '_', address)}_{number}"
        for number, address in enumerate(template["Resources"])
    }
    shown = {new: address for address, new in names.items()}
    unread = [f"{each} is known only after the apply" for each in find_all(template, "Fn::Unknown")]
    return Source(read.file, renamed(template, names, {}), {}, unread, shown, is_plan=True)
