"""The commands of `strangler`: who still uses which path, and how far a path has moved."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import urllib3
from local.support import wait_until
from openapi.serving import Served, served
from rendering import render_project
from tools import run
from variants import Variant, parameters

pytestmark = [
    pytest.mark.skipif(not shutil.which("aws"), reason="needs the AWS CLI"),
    pytest.mark.proves("strangler"),
]

VARIANTS = [
    Variant("strangler", topology, "python", "sam", "dynamodb")
    for topology in ("gradual", "http-api", "rest-api")
]
HERE = "127.0.0.1"
LISTED = {
    "gradual": {(HERE, "/customers/7", "2", "shop"), ("local", "/orders", "1", "None")},
    "http-api": {(HERE, "/customers/7", "2", "shop")},
    "rest-api": {(HERE, "/live/customers/7", "2", "shop"), (HERE, "/live/", "1", "crawler")},
}
"""Who calls what of the legacy system how often, with what; functions do not say the last."""


@pytest.mark.parametrize("variant", parameters(VARIANTS, VARIANTS[:1]))
def test_make_lists_who_still_uses_the_legacy_system(variant: Variant, tmp_path: Path) -> None:
    with served(render_project(tmp_path / "shop", **variant.answers)) as service:
        call(service, "/customers/7", "shop")
        call(service, "/customers/7?fields=name", "shop")
        call(service, "/orders/2026-0001", "shop")
        if variant.topology == "rest-api":
            call(service, "/", "crawler")

        sent = int(time.time())
        wait_until(lambda: int(time.time()) > sent)  # a query ends before the second that it is in
        rows = wait_until(lambda: all_listed(service, variant.topology), seconds=120)

    assert {(who, path, count, agent) for who, path, count, _, agent in rows} == LISTED[
        variant.topology
    ]
    assert rows[0][2] == "2", "the most requests come first"


def all_listed(service: Served, topology: str) -> list[list[str]]:
    """Return the rows that the command prints once it prints as many as it should."""
    rows = listed(service)
    return rows if len(rows) >= len(LISTED[topology]) else []


def listed(service: Served) -> list[list[str]]:
    """Return the rows that the command prints; it asks for what was before this second."""
    printed = run(["make", "--silent", "legacy-callers"], service.project, **service.variables)
    return [line.split("\t") for line in printed.splitlines()]


def call(service: Served, path: str, agent: str) -> urllib3.BaseHTTPResponse:
    variables = service.variables
    headers = {"user-agent": agent, "authorization": f"Bearer {variables.get('TOKEN', '')}"}
    address = variables["ApiUrl"] + path
    return urllib3.request("GET", address, headers=headers, retries=False, timeout=20)


def test_make_moves_a_path_and_back(tmp_path: Path) -> None:
    with served(render_project(tmp_path / "shop", **VARIANTS[0].answers)) as service:

        def make(*words: str) -> Any:
            printed = run(["make", "--silent", *words], service.project, **service.variables)
            return json.loads(printed)

        def refused(*words: str) -> str:
            with pytest.raises(pytest.fail.Exception) as failure:
                make(*words)
            return str(failure.value)

        def side() -> str:
            return call(service, "/orders/2026-0001", "shop").headers["x-served-by"]

        assert make("shift") == []
        assert side() == "legacy"
        assert make("shift", "SHARE=100")["share_percent"] == {"N": "100"}
        wait_until(lambda: side() == "new")
        assert make("shadow", "SHARE=5")["shadow_percent"] == {"N": "5"}
        assert make("tester", "CALLER=anna")["testers"] == {"SS": ["anna"]}
        assert "testers" not in make("no-tester", "CALLER=anna")
        assert [row["path"] for row in make("shift")] == [{"S": "/orders"}]
        for share in ("101", "-1", "half"):
            assert f"'{share}' is no percentage" in refused("shift", f"SHARE={share}")

        make("shift", "SHARE=0")
        wait_until(lambda: side() == "legacy")
        assert "ConditionalCheckFailedException" in refused("moved")
        make("shift", "SHARE=100")
        assert make("moved")["moved"] == {"BOOL": True}
        assert "ConditionalCheckFailedException" in refused("shift", "SHARE=0")
