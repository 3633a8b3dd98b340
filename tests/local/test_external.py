"""Stand-ins of HTTP systems: they answer as they are told, and keep what they were asked."""

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3
from local.support import wait_until

from sls_patterns_cli.local import external
from sls_patterns_cli.local.external import StandIn, stood_in

TEMPLATE = {
    "Parameters": {
        "AlarmTopicArn": {"Type": "String", "Default": ""},
        "CarrierUrl": {"Type": "String", "AllowedPattern": "https?://.*[^/]"},
        "OptionalUrl": {"Type": "String", "AllowedPattern": "https?://.*", "Default": ""},
    }
}
HTTP = urllib3.PoolManager(retries=False, timeout=5)


@pytest.fixture
def carrier() -> Iterator[StandIn]:
    with stood_in(TEMPLATE, {}) as stand_ins:
        yield stand_ins["CarrierUrl"]


def tell(stand_in: StandIn, **answer: Any) -> None:
    told = HTTP.request("PUT", f"{stand_in.control_url}/answer", json=answer)
    assert told.status == 200


def asked(stand_in: StandIn) -> list[dict[str, Any]]:
    requests: list[dict[str, Any]] = HTTP.request("GET", f"{stand_in.control_url}/requests").json()
    return requests


def test_each_address_that_a_template_wants_and_nobody_gives_has_one() -> None:
    with stood_in(TEMPLATE, {}) as wanted, stood_in(TEMPLATE, {"CarrierUrl": "x"}) as given:
        assert list(wanted) == ["CarrierUrl"]
        assert list(given) == []
        assert external.controls(wanted) == {"CarrierControlUrl": wanted["CarrierUrl"].control_url}


@pytest.mark.parametrize(
    ("pattern", "scheme"),
    [
        ("https?://.*[^/]", "http"),
        (r"https://.*[^/]|http://127\.0\.0\.1:\d+", "http"),
        ("https://[^/]+", "https"),
    ],
)
def test_its_address_is_one_that_the_template_accepts(pattern: str, scheme: str) -> None:
    template = {"Parameters": {"CarrierUrl": {"Type": "String", "AllowedPattern": pattern}}}

    with stood_in(template, {}) as stand_ins:
        assert stand_ins["CarrierUrl"].url.startswith(f"{scheme}://127.0.0.1:")


def test_it_answers_as_it_is_told(carrier: StandIn) -> None:
    tell(carrier, status=503, headers=[["Retry-After", "3"], ["x-one", "1"]], body="later")

    answer = HTTP.request("GET", f"{carrier.url}/parcels")

    assert (answer.status, answer.data) == (503, b"later")
    assert dict(answer.headers) == {"Retry-After": "3", "x-one": "1", "content-length": "5"}


def test_it_keeps_what_it_was_asked_until_it_is_told_to_forget(carrier: StandIn) -> None:
    HTTP.request("POST", f"{carrier.url}/a%2Fb?c=1&c=2", body=b"text", headers={"X-Id": "1"})
    HTTP.request("PATCH", f"{carrier.url}/", body=iter([b"in ", b"chunks"]))

    first, second = asked(carrier)

    assert (first["method"], first["target"]) == ("POST", "/a%2Fb?c=1&c=2")
    assert ["X-Id", "1"] in first["headers"]
    assert (first["body"], second["body"]) == ("dGV4dA==", "aW4gY2h1bmtz")
    assert first["answered"]
    HTTP.request("DELETE", f"{carrier.control_url}/requests")
    assert asked(carrier) == []


def test_it_answers_late(carrier: StandIn) -> None:
    tell(carrier, seconds=0.3)
    start = time.monotonic()

    assert HTTP.request("GET", carrier.url).status == 200

    assert time.monotonic() - start >= 0.3


def test_while_it_hangs_it_takes_requests_and_does_not_answer(carrier: StandIn) -> None:
    tell(carrier, hangs=True)
    with socket.create_connection(("127.0.0.1", urllib3.util.parse_url(carrier.url).port)) as one:
        one.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until(lambda: asked(carrier))
        assert not asked(carrier)[0]["answered"]

        tell(carrier, status=200)

        one.settimeout(5)
        assert one.recv(1) == b""
    assert HTTP.request("GET", carrier.url).status == 200


def test_while_it_is_gone_it_refuses_connections_and_drops_those_it_has(carrier: StandIn) -> None:
    assert HTTP.request("GET", carrier.url).status == 200
    tell(carrier, gone=True)
    with pytest.raises(urllib3.exceptions.HTTPError):
        HTTP.request("GET", carrier.url)
    with pytest.raises(urllib3.exceptions.NewConnectionError):
        urllib3.PoolManager(retries=False).request("GET", carrier.url)

    tell(carrier, status=200)

    assert HTTP.request("GET", carrier.url).status == 200
    assert json.loads(HTTP.request("GET", carrier.url).data) == {}


def test_it_answers_with_bytes(carrier: StandIn) -> None:
    tell(carrier, headers=[], body="AP8=", base64=True)

    assert HTTP.request("GET", carrier.url).data == b"\x00\xff"


def test_a_path_can_have_an_answer_of_its_own(carrier: StandIn) -> None:
    tell(carrier, path="/keys", body="keys")
    tell(carrier, status=404, body="nothing")

    assert HTTP.request("GET", f"{carrier.url}/keys").data == b"keys"
    assert HTTP.request("GET", f"{carrier.url}/others").status == 404


def test_it_keeps_what_is_put_at_a_path(carrier: StandIn) -> None:
    tell(carrier, keeps=True)

    assert HTTP.request("GET", f"{carrier.url}/orders/1").status == 404
    assert HTTP.request("PUT", f"{carrier.url}/orders/1", body=b'{"a": 1}').status == 200
    assert HTTP.request("GET", f"{carrier.url}/orders/1").data == b'{"a": 1}'
    assert HTTP.request("GET", f"{carrier.url}/orders/2").status == 404
    assert HTTP.request("DELETE", f"{carrier.url}/orders/1").status == 200
    assert HTTP.request("GET", f"{carrier.url}/orders/1").status == 404


def test_an_address_that_must_be_https_is_one() -> None:
    secure = {"Type": "String", "AllowedPattern": "https://[^/]+"}

    with stood_in({"Parameters": {"LegacyUrl": secure}}, {}) as wanted:
        assert wanted["LegacyUrl"].url.startswith("https://127.0.0.1:")
