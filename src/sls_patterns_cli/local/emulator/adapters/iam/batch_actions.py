"""Who may send one message may send a batch of them.

AWS: SQS and SNS know no permission for PublishBatch, SendMessageBatch and the like; the permission
for the action on one message is the one that is asked for.
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsns.html
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsqs.html

Emulator: asks for a permission of the batch's own, which nobody can have on AWS.
"""

from collections.abc import Callable

from ministack.core import iam_actions

from sls_patterns_cli.local.emulator.adapters import replace

Extract = Callable[..., str | None]


def apply() -> None:
    replace(iam_actions, "extract_iam_action", "ec476b92d969", _of_one_message)


def _of_one_message(extract: Extract) -> Extract:
    def extract_iam_action(*request: object) -> str | None:
        action = extract(*request)
        if action and action.startswith(("sns:", "sqs:")):
            return action.removesuffix("Batch")
        return action

    return extract_iam_action
