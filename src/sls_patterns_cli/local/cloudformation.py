"""A project's infrastructure as plain CloudFormation, and the code that it deploys."""

import copy
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local import cdk
from sls_patterns_cli.local.code import Code, Properties
from sls_patterns_cli.local.project import Project

Template = dict[str, Any]


@dataclass(frozen=True)
class Assembly:
    """A CloudFormation template and its code, by the address that the template uses."""

    template: Template
    code: dict[str, Code]


CODE_BUCKET = "local-artifacts"


def assemble(project: Project, variables: Mapping[str, str] = os.environ) -> Assembly:
    """The project's stack, whatever its infrastructure is written in; raises UserError.

    Of CDK it runs the project's own program, with `variables` as its environment.
    """
    if project.iac == "sam":
        return _from_sam(project)
    if project.iac == "cdk":
        return Assembly(*cdk.synthesise(project, CODE_BUCKET, variables))
    raise UserError(f"The local stack does not deploy '{project.iac}' projects yet.")


def _from_sam(project: Project) -> Assembly:
    file = project.root / "template.yaml"
    if not file.is_file():
        raise UserError(f"{project.root} has no template.yaml.")
    template = read(file)
    code: dict[str, Code] = {}

    def address(uri: str, function: str = "", esbuild: Properties | None = None) -> str:
        folder = (project.root / uri).resolve()
        if not folder.is_dir():
            raise UserError(f"{file} names the code folder {uri}, which does not exist.")
        key = f"{function or folder.relative_to(project.root)}.zip".replace("/", "-")
        code[key] = Code(folder, esbuild)
        return f"s3://{CODE_BUCKET}/{key}"

    shared_uri = template.get("Globals", {}).get("Function", {}).pop("CodeUri", None)
    for name, resource in template.get("Resources", {}).items():
        own = resource.get("Properties", {})
        uri = own.get("CodeUri", None if "InlineCode" in own else shared_uri)
        if resource["Type"] == "AWS::Serverless::Function" and isinstance(uri, str):
            esbuild = _esbuild(resource)
            own["CodeUri"] = address(uri, name if esbuild else "", esbuild)
        if isinstance(own.get("DefinitionUri"), str):
            definition = project.root / own.pop("DefinitionUri")
            own["Definition"] = json.loads(definition.read_text(encoding="utf-8"))
    return Assembly(expand(template, project.region), code)


def _esbuild(function: dict[str, Any]) -> Properties | None:
    """What esbuild is told of a function, where it is what builds it."""
    metadata = function.get("Metadata", {})
    bundled = metadata.get("BuildMethod") == "esbuild"
    return metadata.get("BuildProperties", {}) if bundled else None


def read(file: Path) -> Template:
    """Parse a template with CloudFormation's short forms (`!Ref`); raises UserError."""
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    def short_form(loader: Any, name: str, node: Any) -> dict[str, Any]:
        if isinstance(node, yaml.ScalarNode):
            value: Any = loader.construct_scalar(node)
        elif isinstance(node, yaml.SequenceNode):
            value = loader.construct_sequence(node, deep=True)
        else:
            value = loader.construct_mapping(node, deep=True)
        if name == "GetAtt" and isinstance(value, str):
            value = value.split(".", 1)
        return {name if name in ("Ref", "Condition") else f"Fn::{name}": value}

    Loader.add_multi_constructor("!", short_form)
    try:
        template = yaml.load(file.read_text(encoding="utf-8"), Loader)  # noqa: S506 (it is safe)
    except yaml.YAMLError as error:
        raise UserError(f"{file} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(template, dict) or "Resources" not in template:
        raise UserError(f"{file} has no Resources.")
    return template


def expand(template: Template, region: str) -> Template:
    """Turn SAM's resources into CloudFormation's, as the SAM transform does; raises UserError."""
    from samtranslator.model.exceptions import InvalidDocumentException
    from samtranslator.translator.transform import transform

    class NoManagedPolicies:
        """Names of managed policies, which SAM accepts instead of their ARNs, need an account."""

        def load(self) -> dict[str, str]:
            return {}

    logging.getLogger("samtranslator").setLevel(logging.CRITICAL)
    before = os.environ.get("AWS_DEFAULT_REGION")
    os.environ["AWS_DEFAULT_REGION"] = region  # the translator has no other way in for it
    try:
        expanded: Template = transform(copy.deepcopy(template), {}, NoManagedPolicies())
    except InvalidDocumentException as error:
        causes = "; ".join(cause.message for cause in error.causes)
        raise UserError(f"template.yaml is not valid SAM: {causes}") from error
    finally:
        if before is None:
            del os.environ["AWS_DEFAULT_REGION"]
        else:
            os.environ["AWS_DEFAULT_REGION"] = before
    expanded.pop("Transform", None)
    return expanded
