"""Who may call an API reaches it, and nobody else: each answer, kind of API and runtime once.

Other answers than the default of a pattern are not proven with all of its proofs.
"""

import os
import re
import subprocess
from itertools import product
from pathlib import Path

import pytest
from environments import environment, link_modules
from proofs.proving import own_id, prove
from rendering import render_project
from variants import Variant, few_of, parameters, topology_of

from sls_patterns_cli import catalog
from sls_patterns_cli.catalog.authorization import answers

pytestmark = pytest.mark.proves("simple-web-service")

PATTERN = catalog.pattern("simple-web-service")
SERVED = "created-and-read"
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
DEFAULT = re.compile(r"^ +DefaultAuthorizer: .*\n", re.MULTILINE)
SCOPES = re.compile(r"^ +Auth:\n +AuthorizationScopes: .*\n", re.MULTILINE)


def refusals(variant: Variant) -> list[str]:
    return [own_id(proof.id) for proof in topology_of(variant).refusals]


@pytest.mark.parametrize("variant", parameters(VARIANTS, OFTEN), ids=str)
def test_an_api_serves_who_may_call_it_and_refuses_others(variant: Variant, tmp_path: Path) -> None:
    project = render_project(tmp_path / "project", **variant.answers)

    run = prove(project, SERVED, *refusals(variant))

    assert run.failed == set(), run.printed
    assert run.passed == {SERVED, *refusals(variant)}


@pytest.mark.parametrize("variant", PYTHON, ids=str)
def test_an_api_that_is_open_is_noticed_by_each_refusal(variant: Variant, tmp_path: Path) -> None:
    project = render_project(tmp_path / "project", **variant.answers)
    file = project / "template.yaml"
    opened, places = DEFAULT.subn("", SCOPES.sub("", file.read_text()))
    assert places == 1
    file.write_text(opened)

    run = prove(project, *refusals(variant))

    assert run.failed == set(refusals(variant)), run.printed


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
