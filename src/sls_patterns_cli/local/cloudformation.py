"""CloudFormation templates, and SAM's turned into them."""

import copy
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
