"""Pages of other origins call a deployed API: preflight requests, calls, and what is refused."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import urllib3
from environments import link_modules
from rendering import render_project

from sls_patterns_cli.local import session
from sls_patterns_cli.terminal.progress import Progress

pytestmark = pytest.mark.proves("simple-web-service", "streamer")

PAGE, OTHER = "https://www.example.com", "https://other.example"
ALLOWED = "Access-Control-Allow-Origin"


@contextmanager
def deployed(folder: Path, *, runtime: str, **answers: str) -> Iterator[str]:
    """Deploy a project that allows pages of two origins, and yield the address of its API."""
    project = render_project(folder / "project", runtime=runtime, parameters="[cors]", **answers)
    if runtime == "typescript":
        link_modules(project)
    parameters = {"AllowedOrigins": f"https://a.example,{PAGE}"}
    with session._stack(project, Progress(lambda _line: None), parameters) as stack:
        yield stack.outputs["ApiUrl"].rstrip("/")


WEB_SERVICE = {"pattern": "simple-web-service", "datastore": "dynamodb"}


@pytest.fixture(
    scope="module",
    params=[
        # Its tests run in one process, where it is deployed once.
        pytest.param(each, id="-".join(each), marks=pytest.mark.xdist_group("-".join(each)))
        for each in (
            ("http-api", "sam", "python"),
            ("http-api", "cdk", "typescript"),
            ("rest-api", "sam", "python"),
            ("rest-api", "cdk", "typescript"),
        )
    ],
)
def products(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Return the address of the products of a deployed API that checks tokens."""
    topology, iac, runtime = request.param
    chosen = {**WEB_SERVICE, "topology": topology, "iac": iac, "runtime": runtime}
    with deployed(tmp_path_factory.mktemp("pages"), auth="jwt", **chosen) as url:
        yield f"{url}/products"


def call(
    url: str, method: str, headers: Mapping[str, str], body: bytes | None = None
) -> tuple[int, Mapping[str, str]]:
    response = urllib3.request(method, url, headers=dict(headers), body=body)
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

    # API Gateway cannot choose between the origins in what it answers itself of a REST API.
    assert status == 401
    assert headers[ALLOWED] in (PAGE, "*")


def test_a_page_of_an_origin_that_is_not_allowed_may_not_call(products: str) -> None:
    _, headers = preflight(products, OTHER)

    assert ALLOWED not in headers


@pytest.fixture(scope="module")
def open_products(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of the products of a deployed REST API that anyone may call."""
    chosen = {**WEB_SERVICE, "topology": "rest-api", "iac": "sam", "runtime": "typescript"}
    with deployed(tmp_path_factory.mktemp("open"), auth="none", **chosen) as url:
        yield f"{url}/products"


@pytest.mark.xdist_group("open-products")
def test_a_page_reads_what_a_function_of_a_rest_api_answers(open_products: str) -> None:
    sent = {"Origin": PAGE, "Content-Type": "application/json", "Idempotency-Key": "page-1"}
    kettle = {"name": "Kettle", "description": "", "price": {"amount": 4200, "currency": "EUR"}}
    good = json.dumps(kettle).encode()

    stored, stored_headers = call(open_products, "POST", sent, good)
    refused, refused_headers = call(open_products, "POST", sent, b"{")
    removed, removed_headers = call(
        f"{open_products}/{stored_headers['Location'].rpartition('/')[2]}", "DELETE", sent
    )

    assert (stored, refused, removed) == (201, 400, 204)
    for headers in (stored_headers, refused_headers, removed_headers):
        assert headers[ALLOWED] == PAGE
        assert "Location" in headers["Access-Control-Expose-Headers"].split(",")


@pytest.mark.xdist_group("open-products")
def test_other_pages_do_not(open_products: str) -> None:
    for sent in ({"Origin": OTHER}, {}):
        status, headers = call(open_products, "GET", sent)
        assert status == 200
        assert ALLOWED not in headers


def test_a_page_reads_what_a_service_behind_a_rest_api_answers(tmp_path: Path) -> None:
    chosen = {"pattern": "streamer", "topology": "kinesis", "datastore": "s3", "iac": "sam"}
    sent = {"Origin": PAGE, "Content-Type": "application/json"}
    event = {"id": "e1", "type": "page-view", "page": "/", "occurred_at": "2026-01-31T09:30:00Z"}
    good = json.dumps(event).encode()

    with deployed(tmp_path, runtime="python", auth="none", **chosen) as url:
        accepted, accepted_headers = call(f"{url}/events", "POST", sent, good)
        refused, refused_headers = call(f"{url}/events", "POST", sent, b"{}")
        _, other = call(f"{url}/events", "POST", {**sent, "Origin": OTHER}, good)
        asked, asked_headers = preflight(f"{url}/events", PAGE)

    assert (accepted, refused, asked) == (202, 400, 204)
    assert {each[ALLOWED] for each in (accepted_headers, asked_headers)} == {PAGE}
    assert refused_headers[ALLOWED] == "*"  # the gateway's own answer, which knows no origin
    assert ALLOWED not in other
