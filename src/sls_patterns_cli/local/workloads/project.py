"""A SAM or CDK project as the local stack deploys it: built for this machine, and settled."""

import hashlib
import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sls_patterns_cli.cloudformation.document import Template
from sls_patterns_cli.cloudformation.stack import references
from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local.assembly import CODE_BUCKET, Assembly
from sls_patterns_cli.local.languages import interpreters, modules
from sls_patterns_cli.local.languages.interpreters import Interpreter
from sls_patterns_cli.local.languages.packages import zipped
from sls_patterns_cli.local.workloads import cdk_app, reading, runtime_packages, settling
from sls_patterns_cli.local.workloads.building import Builder
from sls_patterns_cli.local.workloads.functions import LAYER, Function, functions
from sls_patterns_cli.local.workloads.reading import Read
from sls_patterns_cli.system import new_folder
from sls_patterns_cli.terminal.progress import Progress

TEMPLATES = ("template.yaml", "template.yml", "template.json")

APP, MANIFEST = "cdk.json", "manifest.json"

REGION = "us-east-1"
"""Where it is deployed: every service is there, and nobody's configuration is read."""

OWN = Interpreter(Path(sys.executable), sys.version_info[:3])
OWN_RUNTIME = "python{}.{}".format(*sys.version_info)
"""What runs the stand-ins of functions that cannot run here."""

NOTHING = zipped(Path(os.devnull))
"""The package of a layer that no function uses, or whose content is not here."""


@dataclass
class AnyProject:
    """A project: its folder, and the file or folder that says what is deployed."""

    root: Path
    source: Path
    given: Mapping[str, str]
    progress: Progress
    region: str = REGION
    interpreters: dict[str, Interpreter] = field(default_factory=dict)
    _said: set[str] = field(default_factory=set)
    _external_layers: set[str] = field(default_factory=set)
    _first: Read | None = None

    @property
    def work(self) -> Path:
        """The folder for everything that the local stack makes; git ignores it."""
        return self.root / ".sls-patterns"

    @property
    def stack_name(self) -> str:
        name = re.sub(r"[^A-Za-z0-9]+", "-", self.root.name).strip("-")[:40]
        return name if name[:1].isalpha() else f"stack-{name}".rstrip("-")

    @property
    def runs_on(self) -> str:
        """What its functions run on, for people."""
        used = (each for each in self.interpreters.values() if each is not OWN)
        return ", ".join(dict.fromkeys(map(str, used))) or str(OWN)

    def say(self, line: str) -> None:
        """Tell the user, once."""
        if line not in self._said:
            self._said.add(line)
            self.progress.log(line)

    def runtime_packages(self) -> dict[str, str]:
        """The folder of the packages of each runtime that a function has; `assemble` fills it."""
        return {
            runtime: str(folder / modules.FOLDER if runtime.startswith("nodejs") else folder)
            for runtime in self.interpreters
            for folder in [self._runtime_folder(runtime)]
        }

    def prepare(self) -> None:
        """Read the project, and find what its functions run on; raises UserError."""
        self.work.mkdir(exist_ok=True)
        (self.work / ".gitignore").write_text("*\n")
        self._first = self._read()
        for function in self._functions(self._first.template):
            if function.runs and function.runtime not in self.interpreters:
                found = interpreters.required(function.runtime, self.say)
                self.interpreters[function.runtime] = found
        self.interpreters.setdefault(OWN_RUNTIME, OWN)

    def assemble(self) -> Assembly:
        """Build the project; raises UserError."""
        read, self._first = self._first or self._read(), None
        builder = Builder(self.work, self.interpreters, self.progress)
        packages: dict[str, bytes] = {}
        found = self._functions(read.template)
        for function in found:
            self._settle_function(function, read)
        self._install_runtime_packages(read)
        for name, resource in read.template["Resources"].items():
            if resource["Type"] == LAYER:
                self._build_layer(name, resource, read, builder, packages)
        for function in found:
            if artifact := read.artifacts.get(function.key):
                package = builder.function(function, artifact)
                function.properties["Code"] |= _put(packages, package)
        _put_other_assets(read, packages)
        return Assembly(read.template, packages)

    def _read(self) -> Read:
        if self.source.name == APP:
            arguments = (self.root, self.work, self.region, self.progress)
            output, is_source = cdk_app.synthesise(*arguments)
            read = reading.assembly(output, built=not is_source)
            if is_source:
                self.say("CDK wanted Docker to bundle code: it is built here from its sources")
        elif self.source.is_dir():
            read = reading.assembly(self.source)
        else:
            read = reading.template(self.source)
        for line in read.unread:
            self.say(f"Not followed: {line}")
        settling.settle_parameters(read.template, self.given, self.say)
        settling.settle_outside(read.template, self.say)
        settling.settle_waits(read.template)
        return read

    def _settle_function(self, function: Function, read: Read) -> None:
        layers = settling.settle_layers(read.template, function, self.say)
        self._external_layers.update(layers)
        if why := self._cannot_run(function, read):
            settling.stand_in(function, OWN_RUNTIME, why)
            self.say(f"{function.name} does not run here, and fails when invoked: {why}")

    def _build_layer(
        self,
        name: str,
        resource: Mapping[str, Any],
        read: Read,
        builder: Builder,
        packages: dict[str, bytes],
    ) -> None:
        content = resource["Properties"]["Content"]
        used_by = (
            each.runtime
            for each in self._functions(read.template)
            if name in references(each.properties.get("Layers"))
        )
        artifact = read.artifacts.get(str(content.get("S3Key")))
        runtime = next(used_by, None)
        if artifact and runtime:
            content |= _put(packages, builder.layer(artifact, runtime))
        else:
            content |= _put(packages, NOTHING)

    def _functions(self, template: Template) -> list[Function]:
        return list(functions(template, self.region))

    def _cannot_run(self, function: Function, read: Read) -> str:
        """Why a function does not run here; empty if it does."""
        if not function.runs:
            return f"it is a {function.runtime} function" if function.runtime else "no runtime"
        if function.runtime not in self.interpreters:
            return f"start again for its new runtime {function.runtime}"
        if not function.inline and function.key not in read.artifacts:
            return "its code is not in this project"
        return ""

    def _install_runtime_packages(self, read: Read) -> None:
        for runtime, interpreter in self.interpreters.items():
            folder = self._runtime_folder(runtime)
            own = [each for each in self._functions(read.template) if each.runtime == runtime]
            if not any(each.inline or each.key in read.artifacts for each in own):
                continue
            if runtime.startswith("python"):
                layers = sorted(self._external_layers)
                runtime_packages.python(folder, interpreter, layers, self.progress)
                continue
            named = {name for each in own for name in runtime_packages.NODE.findall(each.inline)}
            places = {read.artifacts[each.key].place for each in own if each.key in read.artifacts}
            for place in places:
                named.update(runtime_packages.named_in(place))
            runtime_packages.node(folder, interpreter, runtime, named, self.progress)

    def _runtime_folder(self, runtime: str) -> Path:
        return self.work / "runtimes" / runtime


def _put_other_assets(read: Read, packages: dict[str, bytes]) -> None:
    """Upload the assets of CDK that no function is made of, such as files of a web site."""
    text = json.dumps(read.template)
    for key, artifact in read.artifacts.items():
        if f'"{key}"' in text:
            place = artifact.place
            packages[key] = place.read_bytes() if place.is_file() else zipped(place)


def _put(packages: dict[str, bytes], package: bytes) -> dict[str, str]:
    key = f"{hashlib.sha256(package).hexdigest()}.zip"
    packages[key] = package
    return {"S3Bucket": CODE_BUCKET, "S3Key": key}


def of(path: Path, given: Mapping[str, str], progress: Progress) -> AnyProject:
    """The project in a folder, or of a template; raises UserError where there is none."""
    place = new_folder.absolute(path).resolve()
    if not place.exists():
        raise UserError(f"{path} does not exist.")
    if place.is_file():
        return AnyProject(place.parent, place, given, progress)
    if (place / MANIFEST).is_file():
        return AnyProject(place.parent, place, given, progress)
    for name in (APP, *TEMPLATES):
        if (place / name).is_file():
            return AnyProject(place, place / name, given, progress)
    raise UserError(
        f"{path} has nothing to deploy: no project of sls-patterns, no {TEMPLATES[0]}, no {APP}"
    )
