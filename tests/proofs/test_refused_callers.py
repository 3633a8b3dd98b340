"""Who may call an API reaches it, and nobody else: each answer, kind of API and runtime once.

Other answers than the default of a pattern are not proven with all of its proofs.
"""

import base64
import hashlib
import hmac
import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from itertools import product
from pathlib import Path

import pytest
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from environments import environment, link_environment, link_modules, link_requirements
from physical import parameter, physical_id
from proofs.proving import own_id, prove
from rendering import render_project
from variants import Variant, few_of, parameters, topology_of

from sls_patterns_cli import catalog
from sls_patterns_cli.catalog.authorization import answers, scope
from sls_patterns_cli.local import session
from sls_patterns_cli.terminal.progress import Progress

pytestmark = pytest.mark.proves("simple-web-service")

PATTERN = catalog.pattern("simple-web-service")
VARIANTS = [
    Variant(PATTERN.slug, topology.name, runtime, "sam", "dynamodb", (("auth", auth),))
    for topology, runtime in product(PATTERN.topologies, PATTERN.runtimes)
    for auth in answers(topology)
]
# In `make test` each answer of each kind of API is proven once, and each answer in both languages.
OFTEN = few_of(
    VARIANTS,
    lambda each: {(each.topology, *each.further[0]), (each.runtime, *each.further[0])},
)
PYTHON = [each for each in VARIANTS if each.runtime == "python"]
OPENED = few_of(PYTHON, lambda each: {(each.topology,), each.further[0]})
PARAMETER = re.compile(r"\{[^}]+\}")
DEFAULT = re.compile(r"^ +DefaultAuthorizer: .*\n", re.MULTILINE)
SCOPES = re.compile(r", Auth: \{AuthorizationScopes: \[[^\]]*\]\}")


class Deployed:
    """A stack whose API checks its callers, and its routes with the scope that each needs."""

    def __init__(self, variant: Variant, stack: session._Stack) -> None:
        self.emulator = stack.emulator
        self.client = stack.emulator.client
        self.region = stack.emulator.region
        self.outputs = stack.outputs
        self.controls = stack.controls
        topology = topology_of(variant)
        self.routes = [
            (*PARAMETER.sub("proof", edge.attributes["route"]).split(" "), scope(edge))
            for edge in topology.edges
            if "route" in edge.attributes
        ]

    def status(self, method: str, path: str, headers: Mapping[str, str]) -> int:
        """Call a route; where the call is let through, its body is refused and changes nothing."""
        return HTTP.request(
            method, self.url(path), body=body_of(method), headers={**PLAIN, **headers}
        ).status

    def url(self, path: str) -> str:
        return f"{self.outputs['ApiUrl']}{path}"

    def let_through(self, caller: str) -> set[str]:
        """Return the routes that such a caller reaches."""
        return {
            f"{method} {path}"
            for method, path, needed in self.routes
            if self.status(method, path, CALLERS[caller](self, method, path, needed))
            not in (401, 403)
        }


PLAIN = {"content-type": "text/plain"}
HTTP = urllib3.PoolManager(retries=False, timeout=30)


def body_of(method: str) -> str | None:
    return None if method == "GET" else "no JSON"


def with_token(**claims: object) -> "Caller":
    """Sign a token with these claims; `scope` is that of the route, and all scopes by default."""

    def headers(stack: Deployed, _method: str, _path: str, needed: str) -> dict[str, str]:
        issued = int(time.time()) - 10
        audience, *_ = parameter(stack.emulator.client, "IssuerAudience").split(",")
        given = {
            "iss": parameter(stack.emulator.client, "IssuerUrl"),
            "aud": audience,
            "sub": "caller",
            "scope": " ".join(scope for _, _, scope in stack.routes),
            "iat": issued,
            "exp": issued + 600,
            **{name: of(needed) if callable(of) else of for name, of in claims.items()},
        }
        algorithm = str(given.pop("alg", "RS256"))
        key = HTTP.request("GET", f"{stack.controls['IssuerControlUrl']}/key").data
        return {"authorization": f"Bearer {signed_by(algorithm, key, given)}"}

    return headers


def signed_by(algorithm: str, pem: bytes, claims: Mapping[str, object]) -> str:
    """Return a token; `another` signs with another key, HS256 with the public key as a secret."""
    key = load_pem_private_key(pem, password=None)
    assert isinstance(key, RSAPrivateKey)
    header = {"typ": "JWT", "kid": "key-1", "alg": "RS256" if algorithm == "another" else algorithm}
    content = ".".join(encoded(json.dumps(part).encode()) for part in (header, claims))
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    another = generate_private_key(public_exponent=65537, key_size=2048)
    signatures: dict[str, Callable[[], bytes]] = {
        "RS256": lambda: key.sign(content.encode(), PKCS1v15(), SHA256()),
        "another": lambda: another.sign(content.encode(), PKCS1v15(), SHA256()),
        "HS256": lambda: hmac.digest(public, content.encode(), hashlib.sha256),
        "none": bytes,
    }
    return f"{content}.{encoded(signatures[algorithm]())}"


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def with_signature(by: str, *, body: str | None = None, query: str = "") -> "Caller":
    """Sign the call by this secret, or another body or query than are sent."""

    def headers(stack: Deployed, method: str, path: str, _needed: str) -> dict[str, str]:
        return signature(stack, (method, stack.url(path) + query), Credentials("test", by), body)

    return headers


def signature(
    stack: Deployed, route: tuple[str, str], by: Credentials, body: str | None = None
) -> dict[str, str]:
    method, url = route
    request = AWSRequest(method, url, data=body or body_of(method), headers=PLAIN)
    SigV4Auth(by, "execute-api", stack.region).add_auth(request)
    return dict(request.headers)


Caller = Callable[[Deployed, str, str, str], dict[str, str]]
GOOD: dict[str, list[str]] = {
    "jwt": ["with all scopes", "with its scope"],
    "iam": ["who signs"],
}
BAD: dict[str, list[str]] = {
    "jwt": [
        "signed with another key",
        "unsigned",
        "signed with the public key",
        "of another issuer",
        "for another audience",
        "expired",
        "not valid yet",
        "without a scope",
        "with the other scopes",
    ],
    "iam": ["with a wrong secret", "of another body", "of another query"],
}
CALLERS: dict[str, Caller] = {
    "with all scopes": with_token(),
    "with its scope": with_token(scope=str),
    "signed with another key": with_token(alg="another"),
    "unsigned": with_token(alg="none"),
    "signed with the public key": with_token(alg="HS256"),
    "of another issuer": with_token(iss="https://issuer.example"),
    "for another audience": with_token(aud="another"),
    "expired": with_token(exp=1),
    "not valid yet": with_token(nbf=4_000_000_000),
    "without a scope": with_token(scope=""),
    "with the other scopes": with_token(
        scope=lambda needed: " ".join({"products:read", "products:write"} - {needed})
    ),
    "who signs": with_signature("test"),
    "with a wrong secret": with_signature("wrong"),
    "of another body": with_signature("test", body="another"),
    "of another query": with_signature("test", query="?another"),
}


def deployed(variant: Variant, project: Path) -> AbstractContextManager[session._Stack]:
    if variant.runtime == "python":
        link_environment(project)
        link_requirements(project)
    else:
        link_modules(project)
    return session._stack(project, Progress(lambda _line: None))


@pytest.mark.parametrize("variant", parameters(VARIANTS, OFTEN), ids=str)
def test_an_api_serves_who_may_call_it_and_refuses_others(variant: Variant, tmp_path: Path) -> None:
    project = render_project(tmp_path / "project", **variant.answers)
    auth = dict(variant.further)["auth"]

    with deployed(variant, project) as running:
        stack = Deployed(variant, running)
        all_routes = {f"{method} {path}" for method, path, _ in stack.routes}
        assert all_routes
        for caller in GOOD.get(auth, []):
            assert stack.let_through(caller) == all_routes, caller
        for caller in BAD.get(auth, []):
            assert stack.let_through(caller) == set(), caller
        if auth == "iam":
            a_role_may_call_what_its_policy_allows(stack)


def a_role_may_call_what_its_policy_allows(stack: Deployed) -> None:
    """A role may call a route once its policy allows that, and no other route."""
    iam, sts = stack.client("iam"), stack.client("sts")
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    arn = iam.create_role(
        RoleName="caller",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )["Role"]["Arn"]
    given = sts.assume_role(RoleArn=arn, RoleSessionName="proof")["Credentials"]
    credentials = Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])

    def allowed() -> list[str]:
        return [
            f"{method} {path}"
            for method, path, _ in stack.routes
            if stack.status(method, path, signature(stack, (method, stack.url(path)), credentials))
            != 403
        ]

    assert allowed() == []
    method, path, _ = stack.routes[0]
    api = physical_id(stack.emulator.client, "Api")
    statement = {
        "Effect": "Allow",
        "Action": "execute-api:Invoke",
        "Resource": f"arn:aws:execute-api:*:*:{api}/*/{method}{path}",
    }
    iam.put_role_policy(
        RoleName="caller",
        PolicyName="call",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )
    assert allowed() == [f"{method} {path}"]


@pytest.mark.parametrize("variant", parameters(PYTHON, OPENED))
def test_an_api_that_is_open_lets_each_caller_through(variant: Variant, tmp_path: Path) -> None:
    """So each caller of the test above would be noticed, and so does the proof of the project."""
    projects = [render_project(tmp_path / name, **variant.answers) for name in ("one", "two")]
    for project in projects:
        file = project / "template.yaml"
        opened, places = DEFAULT.subn("", SCOPES.sub("", file.read_text()))
        assert places == 1
        file.write_text(opened)
    refusal = [own_id(proof.id) for proof in topology_of(variant).refusals]

    with deployed(variant, projects[0]) as running:
        stack = Deployed(variant, running)
        for caller in BAD[dict(variant.further)["auth"]]:
            assert len(stack.let_through(caller)) == len(stack.routes), caller
    assert prove(projects[1], *refusal).failed == {*refusal}


@pytest.mark.parametrize("runtime", PATTERN.runtimes)
def test_without_a_token_the_proofs_stop_before_the_first_call(
    runtime: str, tmp_path: Path
) -> None:
    project = render_project(tmp_path, pattern=PATTERN.slug, runtime=runtime, auth="jwt")
    if runtime == "python":
        command = [str(environment(project) / "python"), "-m", "pytest", "tests/e2e"]
    else:
        link_modules(project)
        command = ["npx", "vitest", "run", "--project", "e2e"]
    # An empty variable is that of a repository that does not set it.
    surroundings = {"TOKEN": "", "TOKEN_URL": "", "FORCE": "1", "NO_COLOR": "1"}
    paths = {"PYTHONPATH": "src:tests:tools", "AWS_DEFAULT_REGION": "us-east-1"}

    done = subprocess.run(
        command,
        cwd=project,
        env={**os.environ, **surroundings, **paths},
        capture_output=True,
        text=True,
        check=False,
    )

    printed = done.stdout + done.stderr
    assert done.returncode == 2, printed
    says = "TOKEN is not set: a token of your OpenID provider with the scopes products:read "
    assert len([line for line in printed.splitlines() if says in line]) == 1, printed
    assert "Traceback" not in printed
    assert "    at " not in printed
