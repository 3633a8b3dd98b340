"""`local test` and `local up`: build, start, deploy, prove or stay, and leave nothing behind."""

import json
import os
import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from sls_patterns_cli import catalog
from sls_patterns_cli.catalog.authorization import authorized
from sls_patterns_cli.cloudformation.document import Template
from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local import (
    env_file,
    external,
    importing,
    languages,
    openid,
    proofs,
    query_packages,
    shares,
)
from sls_patterns_cli.local import project as projects
from sls_patterns_cli.local.deployment import Deployment, Generated
from sls_patterns_cli.local.emulator import server as emulators
from sls_patterns_cli.local.emulator import tether, timescale
from sls_patterns_cli.local.emulator.asking import ask
from sls_patterns_cli.local.emulator.server import QUERY_PACKAGES, RUNTIME_PACKAGES, Emulator
from sls_patterns_cli.local.languages import Language
from sls_patterns_cli.local.logs import LogFollower, lines_between
from sls_patterns_cli.local.project import Project
from sls_patterns_cli.local.running import Running, recorded
from sls_patterns_cli.local.workloads import project as any_project
from sls_patterns_cli.local.workloads import trust
from sls_patterns_cli.rendering import answers
from sls_patterns_cli.system import interrupts
from sls_patterns_cli.terminal.progress import Progress

Example = tuple[str, str]
"""What a call shows, and the shell command, which takes the stack's outputs as variables."""

EXPORTED = (
    "AWS_ENDPOINT_URL",
    "AWS_REGION",  # the SDK for JavaScript reads this one,
    "AWS_DEFAULT_REGION",  # and boto3 that one
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_DISABLE_HOST_PREFIX_INJECTION",
    "NODE_OPTIONS",
    timescale.VARIABLE,
)
"""What a shell needs of the environment in which clients talk to the emulator."""


def test(  # no test of pytest's
    path: Path,
    arguments: Sequence[str] = (),  # noqa: PT028
    progress: Progress | None = None,  # noqa: PT028
) -> int:
    """Deploy the project in `path` locally, run its proofs and tear everything down.

    `arguments` go to the proofs' test runner, which has the terminal then. Without any, proofs that
    take long run on two stacks side by side. Returns its exit code; raises UserError, and
    SystemExit with 128 plus its number where a signal ends it.
    """
    started = time.monotonic()
    progress = progress or Progress()
    with interrupts.handled(), interrupts.allowed(), _stack(path, progress) as stack:
        with progress.stage("Import the functions"):
            importing.refuse_broken(stack.emulator, stack.project.stack_name, stack.project.root)
        command, variables = stack.language.test_command(arguments)
        shared = shares.of(stack.project)
        with ExitStack() as others:
            stacks = [stack]
            if not arguments:
                stacks += [others.enter_context(_another(stack)) for _ in shared[1:]]
            beside = " on two stacks" if len(stacks) > 1 else ""
            took = time.monotonic() - started
            progress.log(f"Ready after {took:.1f} s; running the proofs{beside}")
            if arguments:
                environment = _environment(stack, variables)
                return tether.run(command, cwd=stack.project.root, env=environment).returncode
            runs = [
                _run(each, share, command, variables)
                for each, share in zip(stacks, shared, strict=True)
            ]
            return proofs.run(stack.project, runs, progress)


def _run(
    stack: "_Stack", share: shares.Share, command: Sequence[str], variables: Mapping[str, str]
) -> proofs.Run:
    """The test runner that runs a share of the proofs on a stack."""
    reporting, more = stack.language.reporter(share)
    logged = partial(lines_between, stack.emulator, stack.project.stack_name)
    return proofs.Run([*command, *reporting], {**_environment(stack, variables), **more}, logged)


def _environment(stack: "_Stack", variables: Mapping[str, str]) -> dict[str, str]:
    """In which proofs run on a stack; `variables` are those of the test runner."""
    environment = {
        **stack.emulator.client_environment(variables),
        **stack.controls,
        **stack.credentials,
        "STACK_NAME": stack.project.stack_name,
        "PATH": _path_with_this_tool(stack.project, variables),
        # Proofs that deploy another version of the project run it with that version's folder.
        "LOCAL_DEPLOY": f"{shlex.quote(sys.executable)} -m sls_patterns_cli.local.redeploy",
        "FORCE": "1",  # proofs refuse a stack that may be in use, and nobody uses this one
    }
    environment.pop("VIRTUAL_ENV", None)
    return environment


def _path_with_this_tool(project: Project, variables: Mapping[str, str]) -> str:
    """The PATH on which proofs find this `sls-patterns`, and not another version's."""
    program = project.work / "bin/sls-patterns"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m sls_patterns_cli "$@"\n')
    program.chmod(0o755)
    return os.pathsep.join([str(program.parent), variables.get("PATH", os.defpath)])


@dataclass(frozen=True)
class Wish:
    """How `up` deploys a project, and what it does then.

    `parameters` are values for the template; `trusts` agrees that code of others is run.
    `variables_to` is a file that gets what a shell needs to talk to the stack. With `watch`,
    changes of the project are deployed as they are saved.
    """

    parameters: Mapping[str, str] = field(default_factory=dict)
    trusts: bool = False
    variables_to: Path | None = None
    watch: bool = False


def up(
    path: Path,
    examples: Sequence[Example] = (),
    progress: Progress | None = None,
    wish: Wish | None = None,
) -> int:
    """Deploy the project in `path` locally and stay, following its logs, until a signal ends it.

    Returns 0 when a signal ends it; raises UserError.
    """
    wish = wish or Wish()
    progress = progress or Progress()
    if wish.variables_to:
        env_file.refuse_unless_ours(wish.variables_to)
    with interrupts.handled():
        try:
            with interrupts.allowed(), _any_stack(path, progress, wish) as stack:
                if wish.variables_to:
                    env_file.write(wish.variables_to, stack.variables)
                with recorded(stack.deployment.workload.root, stack.running):
                    for line in _welcome(stack.running, examples):
                        progress.log(line)
                    _stay(stack, progress, watch=wish.watch)
        except KeyboardInterrupt:
            progress.log("Stopped")
    return 0


def _stay(stack: "_Deployed", progress: Progress, *, watch: bool) -> None:
    """Follow the logs, and with `watch` the project's files, until a signal ends it."""
    workload = stack.deployment.workload
    with LogFollower(stack.emulator, workload.stack_name, progress.log) as follower:
        if watch:
            from sls_patterns_cli.local import watching

            watching.deploy_changes(workload.root, stack.deployment, follower, progress)
        follower.wait()


@dataclass(frozen=True)
class _Deployed:
    deployment: Deployment
    emulator: Emulator
    controls: dict[str, str]
    """Where the stand-ins of external systems are controlled."""
    credentials: dict[str, str]
    """The token that its API accepts, if it checks tokens."""

    @property
    def outputs(self) -> dict[str, str]:
        return self.deployment.outputs

    @property
    def variables(self) -> dict[str, str]:
        """What a shell needs to talk to it."""
        environment = self.emulator.client_environment({})
        return {
            **{name: environment[name] for name in EXPORTED},
            **self.outputs,
            **self.controls,
            **self.credentials,
        }

    @property
    def running(self) -> Running:
        """The stack as other processes find it."""
        at, name = self.emulator, self.deployment.workload.stack_name
        return Running(at.url, at.region, name, self.variables)


@dataclass(frozen=True)
class _Stack(_Deployed):
    """The stack of a generated project."""

    project: Project
    language: Language


@contextmanager
def _stack(
    path: Path, progress: Progress, parameters: Mapping[str, str] | None = None
) -> Iterator[_Stack]:
    """The project in `path`, deployed to an emulator that ends with the block.

    `parameters` are values for its template. An external system whose address is not among them
    gets a stand-in.
    """
    project = projects.load(path)
    _refuse_unless_local(project)
    emulators.require()
    language = languages.of(project, progress)
    runtime = project.lambda_runtime
    settings = {QUERY_PACKAGES: str(query_packages.folder(project.work))}
    if (project.root / "stacks").is_dir():
        # Functions of stacks that are deployed beside it have no packages but those of the runtime.
        settings[RUNTIME_PACKAGES] = json.dumps({runtime: str(language.runtime_packages())})
    emulator = Emulator(project.region, {runtime: language.interpreter.executable}, settings)
    with emulators.unconfigured():
        try:
            emulator.launch()
            with _deployed(project, language, emulator, progress, parameters or {}) as stack:
                yield stack
        finally:
            emulator.stop()


@contextmanager
def _any_stack(path: Path, progress: Progress, wish: Wish) -> Iterator[_Deployed]:
    """The generated project, or any other SAM or CDK project, in `path`, deployed."""
    if (path / answers.ANSWERS_FILE).exists():
        with _stack(path, progress, wish.parameters) as stack:
            yield stack
        return
    workload = any_project.of(path, wish.parameters, progress)
    emulators.require()
    trust.agreed(workload.root, agrees=wish.trusts)
    workload.prepare()
    settings = {
        RUNTIME_PACKAGES: json.dumps(workload.runtime_packages()),
        QUERY_PACKAGES: str(query_packages.folder(workload.work)),
        "MINISTACK_AUTOCREATE_AWS_MANAGED": "1",
    }
    executables = {name: each.executable for name, each in workload.interpreters.items()}
    with emulators.unconfigured():
        emulator = Emulator(workload.region, executables, settings)
        try:
            emulator.launch()
            yield _deployed_as_it_is(workload, emulator, progress)
        finally:
            emulator.stop()


def _deployed_as_it_is(
    workload: any_project.AnyProject, emulator: Emulator, progress: Progress
) -> _Deployed:
    def with_inert(template: Template) -> Template:
        """The template without the properties of what does nothing, which may lead elsewhere."""
        types = sorted({each["Type"] for each in template["Resources"].values()})
        inert = ask(emulator.port, {"do": "inert", "types": types})
        for each in inert:
            workload.say(f"{each} is there by name only: the local stack does not have it")
        resources = {
            name: {**each, "Properties": {}} if each["Type"] in inert else each
            for name, each in template["Resources"].items()
        }
        return {**template, "Resources": resources}

    deployment = Deployment(workload, emulator, with_inert)
    with progress.stage("Build"):
        template = deployment.build()
        query_packages.install_if_needed(workload.work, template, progress)
    with progress.stage("Start"):
        emulator.wait()
        progress.log(f"Local AWS at {emulator.url}; functions run on {workload.runs_on}")
    with progress.stage("Deploy"):
        started = time.monotonic()
        deployment.deploy({})
        progress.log(
            f"Deployed {workload.stack_name}: {len(template['Resources'])} resources "
            f"in {time.monotonic() - started:.1f} s"
        )
    return _Deployed(deployment, emulator, {}, {})


def _refuse_unless_local(project: Project) -> None:
    """Raise UserError for a project with a datastore that the emulator does not have."""
    datastore = catalog.vocabulary().datastores.get(project.datastore)
    if datastore is None or datastore.local:
        return
    topology = catalog.pattern(project.pattern).topology(project.topology)
    says = (
        f"the local stack cannot run {project.datastore}: check the project with `make test`, "
        "and deploy it with `make deploy`"
    )
    if topology.proven_with:
        says += (
            f"; the same service with {' or '.join(topology.proven_with)} has proofs that run here"
        )
    raise UserError(says)


@contextmanager
def _deployed(
    project: Project,
    language: Language,
    emulator: Emulator,
    progress: Progress,
    parameters: Mapping[str, str],
) -> Iterator[_Stack]:
    deployment = Deployment(Generated(project, language), emulator)
    with progress.stage("Build"):
        template = deployment.build()
        query_packages.install_if_needed(project.work, template, progress)
    with progress.stage("Start"):
        emulator.wait()
        progress.log(f"Local AWS at {emulator.url}; functions run on {language.interpreter}")
        if changes := timescale.changes(template, emulator.scale):
            progress.log(f"Time is divided by {emulator.scale.factor}: {', '.join(changes)}")
    with _standing(project, language, deployment, progress, parameters) as stack:
        yield stack


@contextmanager
def _another(stack: _Stack) -> Iterator[_Stack]:
    """The same stack on an emulator of its own, with stand-ins of its own."""
    quiet = Progress(lambda _line: None)
    with stack.emulator.another() as emulator:
        deployment = stack.deployment.on(emulator)
        with _standing(stack.project, stack.language, deployment, quiet, {}) as other:
            yield other


@contextmanager
def _standing(
    project: Project,
    language: Language,
    deployment: Deployment,
    progress: Progress,
    parameters: Mapping[str, str],
) -> Iterator[_Stack]:
    """What was built, deployed beside stand-ins for the systems outside of it."""
    emulator, template = deployment.emulator, deployment.template
    with external.stood_in(template, parameters) as stand_ins:
        addresses = {name: stand_in.url for name, stand_in in stand_ins.items()}
        provider = openid.provider(template, stand_ins)
        credentials = {"TOKEN": provider.token(_scopes(project))} if provider else {}
        with progress.stage("Deploy"):
            started = time.monotonic()
            for name, address in addresses.items():
                progress.log(f"{name} is a stand-in at {address}")
            deployment.deploy({**_stand_in_functions(project, emulator), **parameters, **addresses})
            progress.log(
                f"Deployed {project.stack_name}: {len(template['Resources'])} resources "
                f"in {time.monotonic() - started:.1f} s"
            )
        controls = external.controls(stand_ins)
        yield _Stack(deployment, emulator, controls, credentials, project, language)


def _scopes(project: Project) -> list[str]:
    """The scopes of all routes of a project's API."""
    topology = catalog.pattern(project.pattern).topology(project.topology)
    if project.auth == "jwt":
        vocabulary = catalog.vocabulary()
        topology = authorized(topology, project.auth, vocabulary, project.datastore)
    scopes = (edge.attributes.get("scope") for edge in topology.edges)
    return list(dict.fromkeys(filter(None, scopes)))


def _stand_in_functions(project: Project, emulator: Emulator) -> dict[str, str]:
    """Deploy the stack that stands in for functions of other services, if the project has one.

    Returns its outputs: they are parameters of the project's own stack, whose proofs find the
    functions by them as on AWS.
    """
    from sls_patterns_cli.cloudformation.document import read
    from sls_patterns_cli.local import deploy

    file = project.root / "stand-ins" / "template.yaml"
    if not file.is_file():
        return {}
    template = read(file)
    return deploy.deploy(emulator, f"{project.stack_name}-stand-ins", template)


def _welcome(stack: Running, examples: Sequence[Example]) -> Iterator[str]:
    yield ""
    yield from stack.exports()
    for title, command in examples:
        yield ""
        yield f"# {title}"
        yield command
    yield ""
    yield "The functions' logs follow; Ctrl-C stops everything."
