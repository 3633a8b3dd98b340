"""The requests: 20 for each route, as API Gateway hands them to a function."""

import json
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

WITHOUT_BODY = {"GET", "HEAD", "DELETE", "OPTIONS"}
ID = str(UUID(int=1))
JSON = "application/json"


def unknown_fields(size: int, value: str) -> str:
    """Return an object with fields that no request has, of about this many bytes."""
    length = len(value) + 13
    return json.dumps({f"k{number:06}": value for number in range(size // length)})


def bodies(personal: str) -> dict[str, tuple[str | bytes, str]]:
    """Return bodies with their content types, by what is hostile in them."""
    huge = unknown_fields(1_300_000, personal)
    return {
        "800 unknown fields in 8 KB": (json.dumps({f"k{n:03}": n for n in range(800)}), JSON),
        "49 KB of unknown fields": (unknown_fields(49_000, personal), JSON),
        "80 KB of unknown fields": (unknown_fields(80_000, personal), JSON),
        "1.3 MB of unknown fields": (huge, JSON),
        "1.3 MB in Base64": (huge.encode(), JSON),
        "lists in lists": ("[" * 16_000, JSON),
        "objects in objects": ('{"a":' * 3_000 + "1" + "}" * 3_000, JSON),
        "1 MB of lists in lists": ("[" * 500_000 + "]" * 500_000, JSON),
        "a number of 15,000 digits": ('{"amount": ' + "9" * 15_000 + "}", JSON),
        "a number beyond a double": ('{"amount": 1e400, "customer": 1e999999}', JSON),
        "the same key 1,000 times": ("{" + '"id": "a", ' * 1_000 + '"id": "b"}', JSON),
        "a key of 15,000 characters": (json.dumps({"k" * 15_000: personal}), JSON),
        "keys of control characters": (
            json.dumps({"\1" * 200 + str(n): personal for n in range(12)}),
            JSON,
        ),
        "NUL in names and texts": ('{"\\u0000": "\\u0000", "customer": "a\\u0000b"}', JSON),
        "halves of surrogate pairs": ('{"\\ud83e": "\\ud83e", "customer": "\\udd16"}', JSON),
        "bytes that are not UTF-8": (b'{"customer": "\xff\xfe"}', JSON),
        "nothing": ("", JSON),
        "no JSON": (f"name={personal}", JSON),
        "text that is not said to be JSON": (f'"{personal}"', "application/jsonp"),
        "a list of wrong values": (json.dumps([personal] * 500), "Application/JSON; charset=utf-8"),
    }


def texts(personal: str) -> dict[str, str]:
    """Return what no id, number, country or month is, for paths and queries."""
    return {
        "1,000 letters": "a" * 1_000,
        "8,000 letters": "a" * 8_000,
        "8,000 digits": "9" * 8_000,
        "1,000 emoji": "\U0001fad6" * 1_000,
        "NUL": "\0",
        "no UTF-8": "\ufffd" * 100,
        "line breaks": "a\r\nb: c",
        "a space": " ",
        "a slash": "a/b",
        "another folder": "../../etc/passwd",
        "percent": "%00%2e%2e",
        "SQL": "' OR 1=1; --",
        "HTML": "<script>alert(1)</script>",
        "JSON": '{"$gt": ""}',
        "a template": "${jndi:ldap://x}",
        "an address": f"{personal} ",
        "a negative number": "-1 ",
        "infinity": "1e999999 ",
        "not a number": "NaN ",
        "an umlaut": "\u00e4" * 500,
    }


@dataclass(frozen=True)
class Request:
    """What a caller sends to a route."""

    method: str
    path: str
    parameters: Mapping[str, str]
    query: Mapping[str, str] = field(default_factory=dict)
    body: str | bytes = ""
    content_type: str = JSON


def events(api: Mapping[str, Any], edge: Mapping[str, Any], personal: str) -> Iterator[Any]:
    """Yield names and events of the hostile requests to a route."""
    for name, request in _requests(edge["route"], personal):
        event = _of_rest_api if api["kind"] == "rest-api" else _of_http_api
        yield f"{edge['route']}: {name}", event(request, api)


def _requests(route: str, personal: str) -> Iterator[tuple[str, Request]]:
    method, path = route.split()
    method = "PUT" if method == "ANY" else method
    names = re.findall(r"{(\w+)\+?}", path)
    if method in WITHOUT_BODY:
        for name, text in texts(personal).items():
            query = dict.fromkeys(("limit", "cursor", "weight_grams"), text)
            yield name, Request(method, path, dict.fromkeys(names, text), query)
    else:
        for name, (body, content_type) in bodies(personal).items():
            parameters = dict.fromkeys(names, ID)
            yield (
                name,
                Request(method, path, parameters, body=body, content_type=content_type),
            )


def _of_rest_api(request: Request, api: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **_of_any_api(request),
        "resource": request.path,
        "path": _filled(request),
        "httpMethod": request.method,
        "multiValueHeaders": {name: [text] for name, text in _headers(request).items()},
        "multiValueQueryStringParameters": {name: [text] for name, text in request.query.items()},
        "requestContext": {
            "requestId": "request-1",
            "stage": api["stage"],
            "authorizer": {"principal": "proof"},
        },
    }


def _of_http_api(request: Request, _: Mapping[str, Any]) -> dict[str, Any]:
    claims = {"sub": "proof", "scope": "rates:read labels:write"}
    path = _filled(request)
    return {
        **_of_any_api(request),
        "version": "2.0",
        "routeKey": f"{request.method} {request.path}",
        "rawPath": path,
        "rawQueryString": "",
        "requestContext": {
            "requestId": "request-1",
            "stage": "$default",
            "authorizer": {"lambda": {"principal": "proof"}, "jwt": {"claims": claims}},
            "http": {"method": request.method, "path": path, "sourceIp": "192.0.2.1"},
        },
    }


def _of_any_api(request: Request) -> dict[str, Any]:
    body = request.body
    return {
        "headers": _headers(request),
        "pathParameters": dict(request.parameters) or None,
        "queryStringParameters": dict(request.query) or None,
        "body": b64encode(body).decode() if isinstance(body, bytes) else body,
        "isBase64Encoded": isinstance(body, bytes),
    }


def _headers(request: Request) -> dict[str, str]:
    return {"content-type": request.content_type, "idempotency-key": "key-1"}


def _filled(request: Request) -> str:
    path = request.path
    for name, text in request.parameters.items():
        path = path.replace(f"{{{name}}}", text).replace(f"{{{name}+}}", text)
    return path
