"""Pages of other origins call a deployed API: preflight requests, calls, and what is refused."""

from collections.abc import Iterator, Mapping

import pytest
import urllib3
from environments import link_modules
from rendering import render_project

from sls_patterns_cli.local import session
from sls_patterns_cli.terminal.progress import Progress

PAGE, OTHER = "https://www.example.com", "https://other.example"
ALLOWED = "Access-Control-Allow-Origin"


@pytest.fixture(scope="module", params=[("sam", "python"), ("cdk", "typescript")], ids="-".join)
def products(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Return the address of the products of a deployed API that checks tokens."""
    iac, runtime = request.param
    project = render_project(
        tmp_path_factory.mktemp("pages") / "project",
        pattern="simple-web-service",
        topology="http-api",
        datastore="dynamodb",
        runtime=runtime,
        iac=iac,
        auth="jwt",
        parameters="[cors]",
    )
    if runtime == "typescript":
        link_modules(project)
    parameters = {"AllowedOrigins": f"https://a.example,{PAGE}"}
    with session._stack(project, Progress(lambda _line: None), parameters) as stack:
        yield f"{stack.outputs['ApiUrl']}/products"


def call(url: str, method: str, headers: Mapping[str, str]) -> tuple[int, Mapping[str, str]]:
    response = urllib3.request(method, url, headers=dict(headers))
    return response.status, response.headers


def preflight(url: str, origin: str) -> tuple[int, Mapping[str, str]]:
    asks = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,idempotency-key",
    }
    return call(url, "OPTIONS", asks)


def test_a_preflight_request_is_answered_without_a_token(products: str) -> None:
    status, headers = preflight(products, PAGE)

    assert status == 204
    assert headers[ALLOWED] == PAGE
    assert "POST" in headers["Access-Control-Allow-Methods"].split(",")
    allowed = headers["Access-Control-Allow-Headers"].lower().split(",")
    assert {"authorization", "content-type", "idempotency-key"} <= {*allowed}


def test_a_page_that_sends_no_token_can_read_that_it_is_refused(products: str) -> None:
    status, headers = call(products, "GET", {"Origin": PAGE})

    assert (status, headers.get(ALLOWED)) == (401, PAGE)
    assert "Retry-After" in headers["Access-Control-Expose-Headers"].split(",")


def test_a_page_of_an_origin_that_is_not_allowed_gets_no_leave(products: str) -> None:
    for _, headers in (
        preflight(products, OTHER),
        call(products, "GET", {"Origin": OTHER}),
    ):
        assert ALLOWED not in headers
