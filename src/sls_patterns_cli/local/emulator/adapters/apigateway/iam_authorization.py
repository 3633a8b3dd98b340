"""A route with IAM authorization is open only to callers who sign, and whose policies allow it.

AWS: the signature covers method, path, query, the signed headers and the body, in the scope of
`execute-api` and the API's Region, and is at most five minutes old; a payload that is not signed is
refused. The caller's policies must allow `execute-api:Invoke` on the ARN of stage, method and path,
and an explicit Deny wins. An HTTP API answers each refusal with 403 and `Forbidden`; a REST API by
its gateway responses, which say why. The event of a function says who called; what an HTTP API
knows no value of is null.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-access-control-iam.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-control-access-using-iam-policies-to-invoke-api.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
https://repost.aws/knowledge-center/api-gateway-iam-sigv4-mismatch

Emulator: does not check signatures of its administrator's key, and takes any other header of an
HTTP API for the administrator's. It takes any service, Region and hash of the body, and what it
refuses is answered as by one of its own services. The event has no `cognitoIdentity`.
"""

import base64
import hashlib
import os
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from ministack import app
from ministack.core import iam_evaluator
from ministack.core.arn import execute_api_arn
from ministack.core.responses import new_uuid
from ministack.core.sigv4 import parse_header_signature, parse_query_signature
from ministack.services import apigateway, apigateway_v1

from sls_patterns_cli.local.emulator.adapters import rely_on, replace

ACTION = "execute-api:Invoke"
PREFIX = "/_aws/execute-api/"
"""Where `http_api_endpoint` puts the APIs of a stack."""

_calls_api: ContextVar[bool] = ContextVar("whether the request calls an API", default=False)

Headers = dict[str, str]
Response = tuple[int, Headers, bytes]


def apply() -> None:
    rely_on(iam_evaluator.enforce, "cf64b1ee5b09")
    rely_on(apigateway_v1.authentication_error_response, "594bdc4d9750")
    rely_on(apigateway_v1._gateway_error_response, "c0a3f091df36")
    replace(iam_evaluator, "_is_root_key", "6d4c5eed6ad6", _no_exception)
    replace(app, "pin_signed_request", "7fbb21e6b82f", _kept)
    replace(app, "_enforce_execute_api", "41e437c7b90d", _authorized)
    replace(apigateway, "_iam_caller_identity_v2", "c4ea0a0645bb", _complete)


def _no_exception(is_root: Callable[[str], bool]) -> Callable[[str], bool]:
    """The administrator's key is one like others while a signed call of an API is kept."""
    return lambda key: not _calls_api.get() and is_root(key)


def _kept(keep: Callable[..., None]) -> Callable[..., None]:
    def pin_signed_request(method: str, raw_path: str, *request: Any, **options: Any) -> None:
        before = _calls_api.set(raw_path.startswith(PREFIX))
        try:
            keep(method, raw_path, *request, **options)
        finally:
            _calls_api.reset(before)

    return pin_signed_request


def _authorized(enforce: Callable[..., Response | None]) -> Callable[..., Response | None]:
    def enforce_execute_api(api: str, *call: Any, **options: Any) -> Response | None:
        stage, method, path, headers, query = call
        if app._execute_api_authorization_type(api, stage, method, path) != "AWS_IAM":
            return enforce(api, *call, **options)
        is_rest = apigateway_v1.find_api_scope(api) is not None
        account, region = (apigateway_v1 if is_rest else apigateway).find_api_scope(api)
        request = iam_evaluator._signed_request.get()
        if request is None or request.unverifiable:
            # Which header a REST API lacks or cannot read, the emulator knows.
            return enforce(api, *call) if is_rest else _forbidden()
        arn = execute_api_arn(region, account, api, stage, method, path)
        refused = _objection(request, region) or iam_evaluator.enforce(
            request.access_key_id, ACTION, "apigateway", region, resource_arn=arn
        )
        if not refused:
            return None
        if not is_rest:
            return _forbidden()
        if isinstance(refused, iam_evaluator.AuthError):
            answer: Response = apigateway_v1.authentication_error_response(
                api, stage, refused, headers, query
            )
            return answer
        return _denied(api, stage, arn, refused, headers)

    return enforce_execute_api


def _objection(request: Any, region: str) -> Any:
    """What is wrong with the scope of a signature or the hash of the body, if anything is."""
    parse, given = (
        (parse_query_signature, request.query_params)
        if request.presigned
        else (parse_header_signature, request.headers)
    )
    signature = parse(given)
    if isinstance(signature, tuple):
        return iam_evaluator.AuthError(*signature)
    says = ""
    if signature.region != region:
        says += f"Credential should be scoped to a valid region, not '{signature.region}'. "
    if signature.service != "execute-api":
        says += "Credential should be scoped to correct service: 'execute-api'. "
    body_hash = hashlib.sha256(request.body).hexdigest()
    if not says and request.headers.get("x-amz-content-sha256", body_hash) != body_hash:
        says = (
            "The request signature we calculated does not match the signature you provided. Check "
            "your AWS Secret Access Key and signing method. Consult the service documentation for "
            "details."
        )
    return iam_evaluator.AuthError("SignatureDoesNotMatch", says) if says else None


def _forbidden() -> Response:
    headers = {
        "Content-Type": "application/json",
        "apigw-requestid": base64.b64encode(os.urandom(11)).decode(),
    }
    return 403, headers, b'{"message":"Forbidden"}'


def _denied(api: str, stage: str, arn: str, result: Any, headers: Headers) -> Response:
    """The answer of a REST API to a caller whose policies do not allow the call."""
    why = (
        "with an explicit deny in an identity-based policy"
        if result.decision == "Deny"
        else f"because no identity-based policy allows the {ACTION} action"
    )
    account = arn.split(":")[4]
    shown = arn.replace(f":{account}:", f":********{account[-4:]}:", 1)
    says = f"User: {result.principal_arn} is not authorized to perform: {ACTION}"
    request = {
        "api_id": api,
        "stage_name": stage,
        "stage": apigateway_v1.stages_for_api(api)[stage],
        "headers": headers,
        "query_params": {},
        "path_params": {},
        "resource_path": "",
        "request_id": new_uuid(),
    }
    error = apigateway_v1._gw_error("ACCESS_DENIED", f"{says} on resource: {shown} {why}")
    answer: Response = apigateway_v1._gateway_error_response(error, request)
    return answer


def _complete(identify: Callable[..., Any]) -> Callable[..., Any]:
    def identity(*request: Any) -> dict[str, Any] | None:
        caller = identify(*request)
        return caller and {"cognitoIdentity": None, **caller}

    return identity
