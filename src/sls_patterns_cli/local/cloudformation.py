"""CloudFormation templates, and SAM's turned into them."""

import copy
import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local.languages.code import Code

Template = dict[str, Any]


@dataclass(frozen=True)
class Assembly:
    """A CloudFormation template and its code, by the address that the template uses."""

    template: Template
    code: dict[str, Code]


CODE_BUCKET = "local-artifacts"


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
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}") from error
    except (yaml.YAMLError, ValueError) as error:  # such as a date that does not exist
        raise UserError(f"{file} is not valid YAML: {' '.join(str(error).split())}") from error
    if problem := _problem(template):
        raise UserError(f"{file}: {problem}.")
    checked: Template = template
    return checked


def _problem(template: Any) -> str | None:
    """What keeps a parsed template from being one whose resources can be read."""
    if not isinstance(template, dict) or not template.get("Resources"):
        return "it has no Resources"
    if not isinstance(template["Resources"], dict):
        return "Resources must map names to resources"
    shared = template.get("Globals", {})
    if not isinstance(shared, dict) or not isinstance(shared.get("Function", {}), dict):
        return "Globals must map kinds of resources to properties"
    for name, resource in template["Resources"].items():
        if not isinstance(resource, dict) or not isinstance(resource.get("Type"), str):
            return f"the resource {name} has no Type"
        for part in ("Properties", "Metadata"):
            if not isinstance(resource.get(part, {}), dict):
                return f"{part} of the resource {name} must map names to values"
    return None


def read_json(file: Path) -> Any:
    """Parse a file of JSON; raises UserError."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{file} is not valid JSON: {error}") from error


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
