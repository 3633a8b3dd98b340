"""SAM turned into CloudFormation, with the code that AWS runs."""

import copy
import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sls_patterns_cli.cloudformation.document import Template
from sls_patterns_cli.cloudformation.translator import import_translator
from sls_patterns_cli.errors import UserError

MACRO = "AWS::Serverless-2016-10-31"
PREFIX = "AWS::Serverless::"

REGION = "us-east-1"
"""Where a template is read that is deployed nowhere: every service is there."""

MOST_ATTEMPTS = 25
"""So many resources that SAM refuses are left out, before the template as a whole is."""


def is_sam(template: Template) -> bool:
    """Tell whether a template is transformed by SAM."""
    macros = template.get("Transform")
    return MACRO in (macros if isinstance(macros, list) else [macros])


def expand(template: Template, region: str) -> Template:
    """Turn SAM's resources into CloudFormation's, as the SAM transform does; raises UserError."""
    import_translator(template)
    from samtranslator.model.exceptions import InvalidDocumentException

    try:
        return _transformed(template, {}, region)
    except InvalidDocumentException as error:
        raise UserError(f"template.yaml is not valid SAM: {_causes(error)}") from error


def expand_what_can_be(template: Template) -> tuple[Template, list[tuple[str, str]]]:
    """Turn SAM into CloudFormation, without the resources that SAM refuses.

    Returns the template and of each resource that was left out its logical id and the reason.
    Parameters keep their references: an ARN that is given at deployment is outside. Only where SAM
    needs a value is the default taken, or the parameter's name. Raises UserError for a template
    that SAM refuses as a whole.
    """
    import_translator(template)
    from samtranslator.model.exceptions import InvalidDocumentException

    left, refused, values = copy.deepcopy(template), list[tuple[str, str]](), dict[str, Any]()
    without_defaults = _without_defaults(left)
    for _ in range(MOST_ATTEMPTS):
        try:
            expanded = _transformed(left if values else without_defaults, values, REGION)
        except InvalidDocumentException as error:
            if not values and isinstance(left.get("Parameters"), dict):
                values = _values_of(left["Parameters"])
                continue
            named = list(_refused(error.causes, left["Resources"]))
            if not named:
                raise UserError(f"SAM refuses the template: {_causes(error)}") from error
            for resource, event, reason in named:
                refused.append((resource, reason))
                _leave_out(left["Resources"], resource, event)
            without_defaults = _without_defaults(left)
            if not left["Resources"]:
                return {**left, "Resources": {}}, refused
        except Exception as error:
            raise UserError(f"SAM cannot read the template: {error}") from error
        else:
            expanded["Parameters"] = left.get("Parameters", {})
            return expanded, refused
    raise UserError(f"SAM refuses more than {MOST_ATTEMPTS} resources of the template")


def _causes(error: Any) -> str:
    return "; ".join(cause.message for cause in error.causes)


def _transformed(template: Template, values: Mapping[str, Any], region: str) -> Template:
    from samtranslator.translator.transform import transform

    class NoManagedPolicies:
        """Names of managed policies, which SAM accepts instead of their ARNs, need an account."""

        def load(self) -> dict[str, str]:
            return {}

    logging.getLogger("samtranslator").setLevel(logging.CRITICAL)
    with _region(region):
        expanded: Template = transform(copy.deepcopy(template), dict(values), NoManagedPolicies())
    expanded.pop("Transform", None)
    return expanded


@contextmanager
def _region(region: str) -> Iterator[None]:
    """The translator has no other way in for it than the environment."""
    before = os.environ.get("AWS_DEFAULT_REGION")
    os.environ["AWS_DEFAULT_REGION"] = region
    try:
        yield
    finally:
        if before is None:
            del os.environ["AWS_DEFAULT_REGION"]
        else:
            os.environ["AWS_DEFAULT_REGION"] = before


def _without_defaults(template: Template) -> Template:
    parameters = template.get("Parameters")
    if not isinstance(parameters, dict):
        return template
    bare = {
        name: {key: value for key, value in parameter.items() if key != "Default"}
        for name, parameter in parameters.items()
        if isinstance(parameter, dict)
    }
    return {**template, "Parameters": bare}


def _values_of(parameters: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, parameter in parameters.items():
        declared = parameter if isinstance(parameter, dict) else {}
        allowed = declared.get("AllowedValues") or [name]
        values[name] = declared.get("Default", allowed[0])
    return values


def _refused(
    causes: Iterable[Any], resources: Mapping[str, Any]
) -> Iterator[tuple[str, str | None, str]]:
    """Yield the resources that SAM refuses, with the event where it is but one, and the reason."""
    for cause in causes:
        name = getattr(cause, "_logical_id", None)
        if isinstance(name, str) and name in resources:
            events = resources[name].get("Properties", {}).get("Events")
            named = re.search(r"Event with id \[(\w+)\]", cause.message)
            event = named[1] if named and isinstance(events, dict) and named[1] in events else None
            yield name, event, cause.message


def _leave_out(resources: dict[str, Any], name: str, event: str | None) -> None:
    if event:
        resources[name]["Properties"]["Events"].pop(event, None)
    else:
        resources.pop(name, None)
