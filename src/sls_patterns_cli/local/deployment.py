"""A workload on the emulator: built, deployed, and deployed again after changes."""

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

from sls_patterns_cli.cloudformation.document import Template
from sls_patterns_cli.local import deploy, flavours
from sls_patterns_cli.local.assembly import Assembly
from sls_patterns_cli.local.emulator.server import Emulator
from sls_patterns_cli.local.languages import Language
from sls_patterns_cli.local.project import Project


class Workload(Protocol):
    """What is deployed as one stack."""

    @property
    def root(self) -> Path: ...

    @property
    def stack_name(self) -> str: ...

    def assemble(self) -> Assembly:
        """Build it as it is now; raises UserError."""
        ...


@dataclass(frozen=True)
class Generated:
    """A generated project, with the language that builds it."""

    project: Project
    language: Language

    @property
    def root(self) -> Path:
        return self.project.root

    @property
    def stack_name(self) -> str:
        return self.project.stack_name

    def assemble(self) -> Assembly:
        return flavours.of(self.project, self.language).assemble()


@dataclass
class Deployment:
    """A workload's stack: first `build` it, then `deploy`, then `deploy_changes` at any time.

    `prepared` returns what is deployed of a template.
    """

    workload: Workload
    emulator: Emulator
    prepared: Callable[[Template], Template] = lambda template: template
    outputs: dict[str, str] = field(init=False)
    _parameters: Mapping[str, str] = field(init=False)
    _assembly: Assembly = field(init=False)

    @property
    def template(self) -> Template:
        """What was built."""
        return self._assembly.template

    def build(self) -> Template:
        """Build the packages and return the template that names them; raises UserError."""
        self._assembly = self.workload.assemble()
        return self.template

    def on(self, emulator: Emulator) -> Self:
        """The same workload, as it was built, to be deployed to another emulator."""
        other = copy(self)
        other.emulator = emulator
        return other

    def deploy(self, parameters: Mapping[str, str]) -> None:
        """Deploy what was built, with the parameters that have no default; raises UserError."""
        self._parameters = parameters
        deploy.upload(self.emulator, self._assembly.packages)
        self._update(self._assembly)

    def deploy_changes(self) -> list[str]:
        """Build again, deploy what differs, and return its logical ids.

        Raises UserError; then the stack is as it was, or as a failed update leaves it.
        """
        before, after = self._assembly, self.workload.assemble()
        changed = _changed(before.template, after.template)
        if changed:
            new = {
                key: package
                for key, package in after.packages.items()
                if key not in before.packages
            }
            deploy.upload(self.emulator, new)
            self._update(after)
            self._assembly = after
        return changed

    def _update(self, assembly: Assembly) -> None:
        name, template = self.workload.stack_name, self.prepared(assembly.template)
        self.outputs = deploy.deploy(self.emulator, name, template, self._parameters)


def _changed(before: Template, after: Template) -> list[str]:
    """What is not the same in two templates: ids of resources, or sections such as Outputs."""
    sections = sorted({*before, *after} - {"Resources", "Metadata"})
    resources = sorted({*before["Resources"], *after["Resources"]})
    return [
        *(each for each in resources if _of(before, each) != _of(after, each)),
        *(each for each in sections if before.get(each) != after.get(each)),
    ]


def _of(template: Template, logical_id: str) -> Any:
    """A resource without its metadata, where CDK writes paths of this machine."""
    resource = template["Resources"].get(logical_id)
    return resource and {key: value for key, value in resource.items() if key != "Metadata"}
