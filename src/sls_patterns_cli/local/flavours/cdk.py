"""Synthesises a CDK project: its CloudFormation, and the folders that hold its code."""

import json
import re
import shlex
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from sls_patterns_cli.cloudformation.document import Template, read_json
from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local.assembly import Assembly, without_bootstrap
from sls_patterns_cli.local.emulator import tether
from sls_patterns_cli.local.flavours import kept, runtimes
from sls_patterns_cli.local.languages import Language
from sls_patterns_cli.local.languages.code import Code
from sls_patterns_cli.local.project import Project

WITHOUT_BUNDLING: dict[str, list[str]] = {"aws:cdk:bundling-stacks": []}
"""The context with which CDK leaves code as it is; the CLI sets it to destroy or list stacks.

https://docs.aws.amazon.com/cdk/api/v2/docs/aws-cdk-lib.Stack.html#bundlingrequired
"""

QUIET = {
    "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "1",
    "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
    "CDK_VALIDATION": "false",
}
"""What CDK leaves out: warnings, and what it would say of a template that is deployed here at once.

To start its validation takes it three times as long as the stack itself.
"""


@dataclass(frozen=True)
class Synthesised:
    """What CDK made of an app with one stack.

    State machines have their definitions inside the template; `code` is the folder of each package
    by its key in one of the `buckets` that CDK puts assets into.
    """

    template: Template
    code: dict[str, Path]
    buckets: set[str]


class Cdk:
    def __init__(self, project: Project, language: Language) -> None:
        self._project = project
        self._language = language

    def assemble(self) -> Assembly:
        """The project's stack as `cdk synth` writes it, or has written it (`kept`).

        Code that CDK bundles for any machine is taken as it is, other code left to be built for
        this one. It is expected in CODE_BUCKET rather than in the one of CDK's bootstrap stack,
        whose version is not asked for.
        """
        settings = read_settings(self._project.root / "cdk.json")
        synthesised = self._project.root / settings["app"]
        if synthesised.is_dir():
            return self._packaged(read(synthesised))
        without = {} if self._language.bundled_by_cdk else WITHOUT_BUNDLING
        context = {**settings.get("context", {}), **without}
        region = {"CDK_DEFAULT_REGION": self._project.region}
        variables = {**self._language.program_environment(), **region}
        asked = kept.Asked(self._project, settings, context, variables)

        def write(output: Path) -> None:
            run_app(self._project.root, settings["app"], output, variables, context)

        with kept.alone(self._project):
            output = kept.current(asked) or kept.keep(asked, write, self._unbundled)
            return self._packaged(read(output))

    def _unbundled(self, output: Path) -> Collection[Path]:
        """The folders of the project whose code CDK has left as it is."""
        return () if self._language.bundled_by_cdk else set(read(output).code.values())

    def _packaged(self, made: Synthesised) -> Assembly:
        self._refuse_other_runtimes(made)
        packages = {
            key: self._language.package(Code(folder, built=self._language.bundled_by_cdk))
            for key, folder in made.code.items()
        }
        template = without_bootstrap(made.template, made.buckets)
        if self._language.bundled_by_cdk:
            return Assembly(template, packages)
        # The code may have changed since CDK has named it.
        keys = {key: f"{sha256(package).hexdigest()}.zip" for key, package in packages.items()}
        named = {keys[key]: package for key, package in packages.items()}
        return Assembly(kept.renamed(template, keys), named)

    def _refuse_other_runtimes(self, made: Synthesised) -> None:
        """Raise UserError for a function of the project that is not of the project's runtime.

        CDK also adds functions of its own, with packages of their own.
        """
        functions = {
            logical_id: (properties["Code"].get("S3Key"), properties.get("Runtime"))
            for logical_id, resource in made.template["Resources"].items()
            if resource["Type"] == "AWS::Lambda::Function"
            and isinstance((properties := resource.get("Properties") or {}).get("Code"), dict)
        }
        own = {
            key for key, runtime in functions.values() if runtime == self._project.lambda_runtime
        }
        for logical_id, (key, runtime) in functions.items():
            if key in own.intersection(made.code):
                runtimes.refuse_other(self._project, logical_id, runtime)


def read(output: Path) -> Synthesised:
    """Read the one stack that CDK has written to a folder; raises UserError."""
    manifest = read_json(output / "manifest.json")
    stacks = list(_artifacts(manifest, "aws:cloudformation:stack"))
    if len(stacks) != 1:
        raise UserError(f"The local stack deploys one stack; the CDK app has {len(stacks)}.")
    made = Synthesised(read_json(output / stacks[0]["templateFile"]), {}, set())
    files: dict[str, Path] = {}
    for properties in _artifacts(manifest, "cdk:asset-manifest"):
        for asset in read_json(output / properties["file"])["files"].values():
            (destination,) = asset["destinations"].values()
            made.buckets.add(destination["bucketName"])
            kept = made.code if asset["source"]["packaging"] == "zip" else files
            kept[destination["objectKey"]] = (output / asset["source"]["path"]).resolve()
    for resource in made.template["Resources"].values():
        if location := resource.get("Properties", {}).pop("DefinitionS3Location", None):
            resource["Properties"]["Definition"] = read_json(files[location["Key"]])
    return made


def read_settings(file: Path) -> Any:
    """What `cdk.json` says: how to run the app, and its context; raises UserError."""
    settings = read_json(file)
    if not isinstance(settings, dict) or not isinstance(settings.get("app"), str):
        raise UserError(f"{file} does not say how to run the app.")
    if not isinstance(settings.get("context", {}), dict):
        raise UserError(f"{file}: context must map names to values.")
    try:
        shlex.split(settings["app"])
    except ValueError as error:
        raise UserError(f"{file}: app is not a command: {error}") from error
    return settings


def run_app(
    root: Path,
    command: str,
    output: Path,
    variables: Mapping[str, str],
    context: Mapping[str, Any],
) -> None:
    """Run the command that `cdk.json` names as the CDK CLI does.

    https://docs.aws.amazon.com/cdk/v2/guide/configure-synth.html
    """
    if not shutil.which("node", path=variables.get("PATH")):
        raise UserError("A CDK project needs Node.js on the PATH to be synthesised.")
    environment = {
        **variables,
        **QUIET,
        "CDK_OUTDIR": str(output),
        "CDK_CONTEXT_JSON": json.dumps(context),
    }
    environment.pop("VIRTUAL_ENV", None)
    done = tether.run(shlex.split(command), cwd=root, env=environment, capture=True)
    if done.returncode or not (output / "manifest.json").is_file():
        said = [line for line in done.stdout.splitlines() if line.strip()] or ["no output"]
        # Node.js says after an error where it was, and its own version.
        errors = [line for line in said if re.match(r"[\w.]*Error: ", line)]
        raise UserError(f"The CDK app failed: {(errors or said)[-1].strip()}", 1, log=done.stdout)


def _artifacts(manifest: dict[str, Any], kind: str) -> Iterator[dict[str, Any]]:
    for artifact in manifest["artifacts"].values():
        if artifact["type"] == kind:
            yield artifact["properties"]
