"""Whether a token lets a role connect to a cache as a user; it changes nothing itself.

AWS: the token is a request for the action `connect`, signed with Signature Version 4, with the
cache's name as its host and without its scheme. It holds for 15 minutes at most, and the signer
needs `elasticache:Connect` on the cache and on the user. For a serverless cache it says so.
https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth-iam.html
"""

from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from urllib.parse import parse_qsl, urlencode, urlsplit

from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from ministack.core import iam_evaluator

from sls_patterns_cli.local.emulator.adapters.iam.permissions import role_may

LONGEST = timedelta(minutes=15)
SIGNATURE = "X-Amz-Signature"


def authorizes(token: str, cache_arn: str, user_arn: str) -> bool:
    """Whether the token is valid now, and its signer may connect to the cache as the user."""
    url = urlsplit(f"https://{token}")
    query = dict(parse_qsl(url.query))
    asked = {name: query.get(name) for name in ("Action", "User", "ResourceType")}
    of_user = {"Action": "connect", "User": _name(user_arn), "ResourceType": "ServerlessCache"}
    if url.netloc != _name(cache_arn) or asked != of_user:
        return False
    try:
        signer = _signer(url.netloc, query, region=cache_arn.split(":")[3])
    except (KeyError, ValueError):
        return False
    return signer is not None and _may_connect(signer, cache_arn, user_arn)


def _name(arn: str) -> str:
    return arn.rsplit(":", 1)[-1]


def _signer(
    host: str, query: dict[str, str], *, region: str
) -> iam_evaluator.ResolvedCredential | None:
    """Who signed the request; None where it has expired, or the signature is another.

    Raises KeyError or ValueError for what is no signed request.
    """
    signed_at, lasts = query["X-Amz-Date"], timedelta(seconds=int(query["X-Amz-Expires"]))
    age = datetime.now(UTC) - datetime.strptime(signed_at, "%Y%m%dT%H%M%S%z")
    if lasts > LONGEST or age > lasts:
        return None
    key_id, *scope = query["X-Amz-Credential"].split("/")
    found = iam_evaluator.resolve_credential(key_id)
    if not isinstance(found, iam_evaluator.ResolvedCredential):
        return None
    if scope != [signed_at[:8], region, "elasticache", "aws4_request"]:
        return None
    if query.get("X-Amz-Security-Token") != found.session_token:
        return None
    unsigned = {name: value for name, value in query.items() if name != SIGNATURE}
    request = AWSRequest("GET", f"https://{host}/?{urlencode(unsigned)}", headers={"host": host})
    request.context["timestamp"] = signed_at
    credentials = Credentials(key_id, found.secret_access_key, found.session_token)
    auth = SigV4QueryAuth(credentials, "elasticache", region)
    signature = auth.signature(
        auth.string_to_sign(request, auth.canonical_request(request)), request
    )
    return found if compare_digest(signature, query[SIGNATURE]) else None


def _may_connect(signer: iam_evaluator.ResolvedCredential, cache_arn: str, user_arn: str) -> bool:
    if signer.principal_type == "Root":
        return True
    role = iam_evaluator._role_name_from_assumed_arn(signer.principal_arn)
    return all(role_may(role, "elasticache:Connect", arn) for arn in (cache_arn, user_arn))
