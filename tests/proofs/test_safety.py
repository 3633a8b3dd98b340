"""Proofs hurt no stack that somebody uses, and leave none as they have changed it."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from environments import link_modules
from local.support import wait_until
from physical import physical_id
from proofs.proving import ARGUMENTS, own_id
from rendering import render_project
from static.test_proof_modules import FEW_FURTHER, IN_SAM
from variants import (
    Variant,
    by_one_worker,
    further_variants,
    parameters,
    proven_variants,
    topology_of,
)

from sls_patterns_cli.local import session
from sls_patterns_cli.terminal.progress import Progress

pytestmark = pytest.mark.proves("state-machine", "simple-web-service")

NAME = "shop"
SMOKE = {"python": ["-m", "smoke"], "typescript": ["--tags-filter", "smoke"]}
SHOWING_REASONS = {"python": ["-rs"], "typescript": ["--reporter=verbose"]}


@dataclass
class Deployed:
    """A project of state-machine express on a local stack whose name does not end in -e2e."""

    stack: session._Stack
    runtime: str

    def start(self, arguments: Sequence[str], **variables: str) -> "subprocess.Popen[str]":
        """Start the test runner as `make e2e` does: without variables that `local test` adds."""
        command, base = self.stack.language.test_command(arguments)
        environment = {**self.stack.emulator.client_environment(base), **variables}
        environment["PATH"] = session._path_with_this_tool(self.stack.project, base)
        for name in [name for name, value in environment.items() if value == ""]:
            del environment[name]
        return subprocess.Popen(
            command,
            cwd=self.stack.project.root,
            env={"STACK_NAME": NAME, **environment, "NO_COLOR": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, arguments: Sequence[str], **variables: str) -> tuple[int, str]:
        process = self.start(arguments, **variables)
        printed, _ = process.communicate(timeout=300)
        return process.returncode, printed

    def only(self, proof: str) -> list[str]:
        return ARGUMENTS[self.runtime](self.stack.project.root / "report.xml", [proof])

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables of the function that charges."""
        configuration = self.stack.emulator.client("lambda").get_function_configuration(
            FunctionName=physical_id(self.stack.emulator.client, "ChargeFunction")
        )
        found: dict[str, str] = configuration["Environment"]["Variables"]
        return found

    @variables.setter
    def variables(self, values: Mapping[str, str]) -> None:
        self.stack.emulator.client("lambda").update_function_configuration(
            FunctionName=physical_id(self.stack.emulator.client, "ChargeFunction"),
            Environment={"Variables": dict(values)},
        )


@pytest.fixture(scope="module", params=by_one_worker(__name__, "python", "typescript"))
def deployed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployed]:
    # Who may call is no matter of these tests.
    answers = {"topology": "express", "runtime": request.param, "auth": "none"}
    folder = tmp_path_factory.mktemp(request.param) / NAME
    project = render_project(folder, pattern="state-machine", project_name=NAME, **answers)
    if request.param == "typescript":
        link_modules(project)
    with session._stack(project, Progress()) as stack:
        yield Deployed(stack, request.param)
    shutil.rmtree(folder)


def test_proofs_refuse_a_stack_that_may_be_in_use(deployed: Deployed) -> None:
    code, printed = deployed.run([])

    assert code == 2, printed
    (reason,) = [line for line in printed.splitlines() if "-e2e" in line] or [printed]
    assert f"{NAME} does not end in -e2e; FORCE=1 overrides this" in reason
    assert "Traceback" not in printed
    assert "    at " not in printed


def test_smoke_tests_run_on_a_stack_that_is_in_use(deployed: Deployed) -> None:
    before = deployed.variables

    code, printed = deployed.run(SMOKE[deployed.runtime])

    assert code == 0, printed
    assert re.search(r"\b1 passed\b", printed)
    assert deployed.variables == before


def test_nothing_starts_on_what_an_interrupted_proof_has_left(deployed: Deployed) -> None:
    before = deployed.variables
    marker = f'{{"EFFECTS_TABLE_NAME": "{before["EFFECTS_TABLE_NAME"]}", "NEW": null}}'
    changed = {"EFFECTS_TABLE_NAME": "missing", "NEW": "1", "CHANGED_BY_PROOF": marker}
    deployed.variables = before | changed

    code, printed = deployed.run(SMOKE[deployed.runtime])
    assert code == 2, printed
    (reason,) = [line for line in printed.splitlines() if "not as it was" in line] or [printed]
    assert physical_id(deployed.stack.emulator.client, "ChargeFunction") in reason
    assert "FORCE=1 restores it" in reason
    assert deployed.variables == before | changed

    code, printed = deployed.run(SMOKE[deployed.runtime], FORCE="1")
    assert code == 0, printed
    assert deployed.variables == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_proof_restores_what_it_has_changed(
    deployed: Deployed, number: signal.Signals
) -> None:
    before = deployed.variables
    process = deployed.start(deployed.only("timeout-compensated"), FORCE="1")
    wait_until(lambda: "CHANGED_BY_PROOF" in deployed.variables, seconds=60)

    process.send_signal(number)

    printed, _ = process.communicate(timeout=60)
    assert process.returncode != 0, printed
    wait_until(lambda: deployed.variables == before)


def test_a_local_proof_is_skipped_elsewhere_with_a_reason(deployed: Deployed) -> None:
    url = deployed.stack.emulator.url
    services = ("CLOUDFORMATION", "DYNAMODB", "LAMBDA", "CLOUDWATCH_LOGS", "SQS")
    arguments = deployed.only("transient-failure-retried")

    code, printed = deployed.run(
        [*arguments, *SHOWING_REASONS[deployed.runtime]],
        FORCE="1",
        AWS_ENDPOINT_URL="",
        **{f"AWS_ENDPOINT_URL_{service}": url for service in services},
    )

    assert code == 0, printed
    assert re.search(r"(\b1 skipped|↓ .*transient-failure-retried)", printed), printed
    assert "a function on AWS cannot reach the proof's own server" in printed


@pytest.mark.parametrize(
    "variant",
    parameters([*proven_variants(), *further_variants()], {*IN_SAM, *FEW_FURTHER}),
)
def test_tests_are_marked_as_their_proofs_are_declared(variant: Variant, tmp_path: Path) -> None:
    project = render_project(tmp_path / "project", **variant.answers)
    proofs = topology_of(variant).all_proofs
    python = variant.runtime == "python"
    files = (project / "tests/e2e").glob("test_*.py" if python else "*.test.ts")
    tests = _python_tests if python else _typescript_tests
    found = tests("\n".join(file.read_text() for file in sorted(files)))

    assert {name for name, text in found.items() if "smoke" in text} == {
        own_id(proof.id) for proof in proofs if proof.smoke
    }
    assert {name for name, text in found.items() if "LOCAL" in text} == {
        own_id(proof.id) for proof in proofs if proof.where == "local"
    }


def _python_tests(text: str) -> dict[str, str]:
    """Return the decorators of each test by its proof."""
    return {
        name.replace("_", "-"): decorators
        for decorators, name in re.findall(r"((?:^@.*\n)*)^def test_(\w+)", text, re.MULTILINE)
    }


def _typescript_tests(text: str) -> dict[str, str]:
    """Return the options and the first statement of each test by its proof."""
    return dict(re.findall(r'^proof\("([^"]+)"(.*\n.*)', text, re.MULTILINE))


@pytest.mark.parametrize("variant", [("python", "sam"), ("typescript", "cdk")], ids=str)
def test_make_deploys_a_stack_of_its_own_for_the_proofs(
    variant: tuple[str, str], tmp_path: Path
) -> None:
    runtime, iac = variant
    answers: dict[str, Any] = {"project_name": NAME, "runtime": runtime, "iac": iac}
    project = render_project(tmp_path / NAME, pattern="state-machine", **answers)

    def commands(target: str, *arguments: str) -> list[str]:
        made = subprocess.run(
            ["make", "--dry-run", "--no-print-directory", target, *arguments],
            cwd=project,
            env={**os.environ, "STACK": "in-use"},
            capture_output=True,
            text=True,
            check=True,
        )
        return made.stdout.splitlines()

    *build, deploy, _told, prove = commands("e2e")
    assert "deploy" in deploy
    # CDK names the stack when it synthesises it.
    assert f"{NAME}-e2e" in " ".join([*build, deploy])
    assert "in-use" not in " ".join([*build, deploy])
    assert prove.startswith(f"STACK_NAME={NAME}-e2e ")
    assert commands("smoke")[-2].startswith("STACK_NAME=in-use ")
    assert not any("deploy" in command for command in commands("smoke"))


@pytest.mark.parametrize("runtime", ["python", "typescript"])
def test_make_refuses_a_stack_in_use_before_it_deploys(tmp_path: Path, runtime: str) -> None:
    project = render_project(tmp_path, pattern="simple-web-service", runtime=runtime)

    done = subprocess.run(
        ["make", "--silent", "--no-print-directory", "e2e", "STACK=prod1"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )

    line = "prod1 does not end in -e2e; FORCE=1 overrides this"
    assert done.stderr.splitlines()[0] == line
    assert (done.returncode, done.stdout) == (2, "")
    assert not (project / ".aws-sam").exists()
