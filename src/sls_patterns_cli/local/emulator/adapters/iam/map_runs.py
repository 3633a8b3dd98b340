"""The permission to look at a map run is one on that map run.

AWS: DescribeMapRun and UpdateMapRun are allowed on `mapRun:<machine>/<label>:<id>`, as the request
names it.
https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsstepfunctions.html

Emulator: asks for them on all resources, so only a policy with `*` allows them.
"""

import json
from collections.abc import Callable

from ministack.core import iam_actions

from sls_patterns_cli.local.emulator.adapters import replace

Extract = Callable[..., str]


def apply() -> None:
    replace(iam_actions, "extract_resource_arn", "82f51700695c", _with_map_runs)


def _with_map_runs(extract: Extract) -> Extract:
    def extract_resource_arn(service: str, *request: object) -> str:
        arn = extract(service, *request)
        if service != "states" or arn != "*":
            return arn
        body = request[3]
        given = json.loads(body) if isinstance(body, bytes) and body.startswith(b"{") else {}
        return str(given.get("mapRunArn", arn))

    return extract_resource_arn
