"""Terraform plans and states as CloudFormation templates."""

from typing import Any

from sls_patterns_cli.cloudformation.document import Template
from sls_patterns_cli.cloudformation.terraform.plan import planned
from sls_patterns_cli.cloudformation.terraform.special import SPECIAL
from sls_patterns_cli.cloudformation.terraform.translation import Translation
from sls_patterns_cli.errors import UserError


def is_plan(content: Any) -> bool:
    """Tell whether a JSON is a plan or a state as `terraform show -json` prints it."""
    return isinstance(content, dict) and (
        "planned_values" in content or {"terraform_version", "values"} <= content.keys()
    )


def problem(plan: Any) -> str | None:
    """Say what keeps a JSON from being read as a Terraform plan or state; None where nothing does.

    Versions of the format: https://developer.hashicorp.com/terraform/internals/json-format.
    """
    if not is_plan(plan):
        return "it is not what `terraform show -json` prints of a plan or a state"
    version = plan.get("format_version")
    if not isinstance(version, str) or version.split(".")[0] not in {"0", "1"}:
        return f"its format_version is {version!r:.20}; 0 and 1 can be read"
    values = plan.get("planned_values", plan.get("values"))
    if not isinstance(values, dict) or not isinstance(values.get("root_module", {}), dict):
        return "it has no values of a root module"
    if plan.get("errored") is True:
        return "Terraform could not finish it"
    return None


def template(plan: dict[str, Any]) -> Template:
    """Return what a plan or state deploys as a CloudFormation template.

    Addresses are the logical ids. What Terraform knows only after the apply, and the plan does not
    show where it comes from, is `{"Fn::Unknown": "<address>.<attribute>"}`; a data source is
    `{"Fn::ImportValue": "${data.<address>.<attribute>}"}`. Raises UserError for what is no plan.
    """
    if found := problem(plan):
        raise UserError(f"This is no Terraform plan: {found}.")
    try:
        translation = Translation(planned(plan))
        for each in translation.managed:
            if each.type in SPECIAL:
                SPECIAL[each.type](translation, each)
    except RecursionError as error:
        raise UserError("The Terraform plan is nested too deep, or refers to itself.") from error
    return {"Resources": translation.resources}
