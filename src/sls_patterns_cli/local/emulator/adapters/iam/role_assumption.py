"""A service acts in the name of a role only where the role's trust policy lets it.

AWS: a service assumes a role before it acts in its name. The trust policy must name the service,
and its conditions see only the keys that this service sends: `local.source_keys` lists them.
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_compare-resource-policies.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html#cross-service-confused-deputy-prevention

Emulator: does not check a role's trust policy when one of its services acts. Adapters of services
ask here; this module changes nothing itself.
"""

from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import iam

from sls_patterns_cli.local.emulator.adapters.iam import permissions
from sls_patterns_cli.local.emulator.source_keys import SENT_KEYS


def may_assume(
    service: str, role_arn: str, source_arn: str = "", keys: frozenset[str] | None = None
) -> bool:
    """Whether a service, such as `states.amazonaws.com`, may assume the role for `source_arn`.

    `keys` are those that it sends, if not the same for all that it does.
    """
    account = get_account_id()
    role = iam._roles.get_scoped(account, None, role_arn.rsplit("/", 1)[-1])
    if role is None:
        return permissions.outsiders_may
    values = {"aws:sourceaccount": account, "aws:sourcearn": source_arn}
    known = SENT_KEYS.get(service, frozenset()) if keys is None else keys
    sent = {key: values[key] for key in known}
    context: Any = iam_evaluator.EvalContext(
        principal_arn="",
        principal_type="Service",
        principal_account="",
        action="sts:AssumeRole",
        resource_arn=role_arn,
        region=get_region(),
        service_context=sent,
    )
    trust = role["AssumeRolePolicyDocument"]
    decision = iam_evaluator.evaluate_resource_policy(trust, context, service=service).decision
    return bool(decision == "Allow")
