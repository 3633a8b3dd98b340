"""An authorizer uses the keys that it has while its provider fails.

The unit tests of each project set the clock to the second; here each defect is shown to fail them.
Nobody can set the clock of a deployed API: there the keys are due at each call.
"""

from dataclasses import dataclass
from pathlib import Path

import pytest
import urllib3
from adapters.kept_here import add_tests
from environments import link_modules, link_requirements
from local.support import wait_until
from physical import physical_id
from rendering import render_project
from static.test_project import run_unit_tests
from variants import Variant, parameters

from sls_patterns_cli.local import session
from sls_patterns_cli.terminal.progress import Progress

pytestmark = pytest.mark.proves("simple-web-service")

HTTP = urllib3.PoolManager(retries=False, timeout=30)
DOCUMENTS = ("/.well-known/openid-configuration", "/keys")
PROVIDER = {
    "python": "src/simple_web_service/authorizer/provider.py",
    "typescript": "src/authorizer/provider.ts",
}
UNIT = {
    "python": ("tests/unit/test_authorizer.py",),
    "typescript": ("--project", "unit", "tests/unit/authorizer.test.ts"),
}
ALWAYS_DUE = {
    "python": (("REFRESH_SECONDS = 600", "REFRESH_SECONDS = 0"), ("= 30\n", "= 0\n")),
    "typescript": (("REFRESH_MS = 600_000", "REFRESH_MS = 0"), ("= 30_000;", "= 0;")),
}


@dataclass(frozen=True)
class Defect:
    """What is wrong with how an authorizer keeps keys, as a change of one text."""

    runtime: str
    what: str
    find: str
    replace: str

    def __str__(self) -> str:
        return f"{self.runtime}: {self.what}"


DEFECTS = [
    Defect("python", "keys that are due are dropped", "= 7_200", "= 600"),
    Defect("python", "keys are used for ever", "if outdated or (", "if ("),
    Defect("python", "keys are read once", "= 600", "= 86_400"),
    Defect(
        "python",
        "a provider that fails is asked at each call",
        "now - self._tried_at >=",
        "now - self._read_at >=",
    ),
    Defect(
        "python",
        "a key that cannot be looked for is refused",
        "(key_id not in self._keys and self._read_at < self._tried_at)",
        "not self._keys",
    ),
    Defect("python", "withdrawn keys stay", "keys = self._read()", "keys |= self._read()"),
    Defect("python", "without a key the provider fails", " if keys else []", ""),
    Defect("typescript", "keys that are due are dropped", "= 7_200_000", "= 600_000"),
    Defect("typescript", "keys are used for ever", "now - this.#readAt >= KEEP_MS", "now < 0"),
    Defect("typescript", "keys are read once", "= 600_000", "= 86_400_000"),
    Defect(
        "typescript",
        "a provider that fails is asked at each call",
        "now - this.#triedAt >=",
        "now - this.#readAt >=",
    ),
    Defect(
        "typescript",
        "a key that cannot be looked for is refused",
        "noMatch && this.#readAt === this.#triedAt",
        "noMatch",
    ),
]
SAMPLE = [each for each in DEFECTS if each.what == "a provider that fails is asked at each call"]


def service(runtime: str, iac: str = "sam") -> Variant:
    answers = (("auth", "jwt"),)
    return Variant("simple-web-service", "rest-api", runtime, iac, "dynamodb", answers)


def change(project: Path, runtime: str, *replaced: tuple[str, str]) -> None:
    file = project / PROVIDER[runtime]
    text = file.read_text()
    for find, replace in replaced:
        assert text.count(find) == 1, find
        text = text.replace(find, replace)
    file.write_text(text)


@pytest.mark.parametrize("defect", parameters(DEFECTS, SAMPLE))
def test_each_defect_is_noticed_by_unit_tests(defect: Defect, tmp_path: Path) -> None:
    variant = service(defect.runtime)
    project = render_project(tmp_path / "project", **variant.answers)
    if defect.runtime == "typescript":
        link_modules(project)
    change(project, defect.runtime, (defect.find, defect.replace))
    add_tests(variant, project)

    with pytest.raises(pytest.fail.Exception):
        run_unit_tests(variant, project, *UNIT[defect.runtime])


@pytest.mark.parametrize(("runtime", "iac"), [("python", "sam"), ("typescript", "cdk")])
def test_calls_are_answered_while_the_provider_fails(
    runtime: str, iac: str, tmp_path: Path
) -> None:
    project = render_project(tmp_path / "project", **service(runtime, iac).answers)
    change(project, runtime, *ALWAYS_DUE[runtime])
    if runtime == "typescript":
        link_modules(project)
    else:
        link_requirements(project)

    with session._stack(project, Progress(lambda _line: None)) as stack:
        products = f"{stack.outputs['ApiUrl'].rstrip('/')}/products"
        control = stack.controls["IssuerControlUrl"]

        def call(scheme: str) -> int:
            """Call with a header that is new, so that API Gateway has no policy for it."""
            credentials = {"authorization": f"{scheme} {stack.credentials['TOKEN']}"}
            return HTTP.request("GET", products, headers=credentials).status

        def answer(**answers: object) -> None:
            for path in DOCUMENTS:
                told = {"path": path, **answers}
                assert HTTP.request("PUT", f"{control}/answer", json=told).status == 200

        def log() -> str:
            name = physical_id(stack.emulator.client, "AuthorizeFunctionLogGroup")
            lines = stack.emulator.client("logs").filter_log_events(logGroupName=name)["events"]
            return "".join(line["message"] for line in lines)

        def requests() -> int:
            return len(HTTP.request("GET", f"{control}/requests").json())

        assert call("Bearer") == 200
        read = requests()
        answer(status=503)

        assert call("bearer") == 200
        assert requests() == read + 1
        assert call("BEARER") == 200
        assert requests() == read + 2
        wait_until(lambda: "keys not refreshed" in log())
