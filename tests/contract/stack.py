"""The templates of rendered projects, and the stacks that each may become."""

import json
import pickle
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from tempfile import NamedTemporaryFile

from kept import digest, of_this_run
from rendering import ONE_DAY, ROOT
from synthesis import template_file

from sls_patterns_cli import cloudformation
from sls_patterns_cli.cloudformation import conditions, sam
from sls_patterns_cli.cloudformation.document import Template, template_of
from sls_patterns_cli.cloudformation.stack import Stack, stack_of
from sls_patterns_cli.local.flavours import cdk

Stacks = Callable[[Template], Iterator[Stack]]

PACKAGED = ROOT / "build/packaged"

# Properties of a function that follow from its runtime.
OF_CODE = {"Code", "Environment", "Handler", "Runtime"}


def stacks(template: Template) -> Iterator[Stack]:
    """Return every stack that the template may become: one for each choice of its conditions.

    What must hold must hold in all of them. Raises ValueError where they cannot all be tried.
    """
    choices, complete = _choices(template)
    if not complete:
        raise ValueError("the conditions are too many to try all choices of")
    return (stack_of(template, choice) for choice in choices)


def stacks_like(template: Template) -> Stacks:
    """Return what makes the stacks of templates that differ from this one in few resources.

    What the conditions make of the other resources is worked out once.
    """
    choices, _ = _choices(template)
    made = [*zip(choices, stacks(template), strict=True)]

    def of(other: Template) -> Iterator[Stack]:
        known = template["Resources"]
        own = {name: new for name, new in other["Resources"].items() if new is not known.get(name)}
        for choice, stack in made:
            like = stack_of({**other, "Resources": own}, choice)
            resources = {**stack.resources, **like.resources}
            like.resources = {
                name: resources[name]
                for name in other["Resources"]
                if name in (like if name in own else stack).resources
            }
            yield like

    return of


def default_stack(template: Template) -> Stack:
    """Return the stack that the template becomes with the defaults of its parameters."""
    choices, _ = _choices(template)
    return stack_of(template, choices[0])


def _choices(template: Template) -> tuple[list[conditions.Choice], bool]:
    declared = template.get("Conditions", {})
    return conditions.choices(declared, template.get("Parameters", {}), declared)


def load(project: Path) -> Template:
    """Return a rendered project's infrastructure as CloudFormation."""
    file = template_file(project)
    if file.suffix == ".json":
        return cdk.read(file.parent).template
    definitions = sorted(project.glob("statemachines/*"))
    loaded = _packaged(file.read_text(), *((each.name, each.read_text()) for each in definitions))
    template: Template = pickle.loads(loaded)  # noqa: S301 (written by these tests)
    return template


@cache
def _packaged(text: str, *definitions: tuple[str, str]) -> bytes:
    """Return a template of SAM as CloudFormation, to be unpacked by each that may change its own.

    Many tests ask for the same, and variants have equal ones: what one worker made, all have.
    """
    parts = (text, *(part for each in definitions for part in each))
    place = of_this_run(PACKAGED) / digest(_who_packages(), *parts)
    with suppress(FileNotFoundError):
        return place.read_bytes()
    made = _made(text, definitions)
    place.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=place.parent, delete=False) as file:
        file.write(made)
    Path(file.name).rename(place)
    return made


@cache
def _who_packages() -> str:
    """Return what decides what becomes of a template, and remove what nobody uses any more."""
    for folder in (PACKAGED, *PACKAGED.glob("*/")):
        for file in folder.glob("*"):
            if file.is_file() and file.stat().st_mtime < time.time() - ONE_DAY:
                file.unlink(missing_ok=True)
    return digest(*read_with(), Path(__file__), Path(cloudformation.__path__[0]))


def read_with() -> tuple[str, ...]:
    """Return the versions of what templates are read with."""
    return (sys.version, metadata.version("aws-sam-translator"), metadata.version("pyyaml"))


def _made(text: str, definitions: Iterable[tuple[str, str]]) -> bytes:
    template = template_of(text, "template.yaml")
    shared = template.get("Globals", {}).get("Function", {})
    for function in (shared, *(r.get("Properties", {}) for r in template["Resources"].values())):
        if "CodeUri" in function:
            function["CodeUri"] = "s3://packaged/code.zip"  # as `sam package` does
        if isinstance(function.get("DefinitionUri"), str):
            definition = dict(definitions)[Path(function.pop("DefinitionUri")).name]
            function["Definition"] = json.loads(definition)
    return pickle.dumps(expand(template))


def expand(template: Template) -> Template:
    """Return SAM as CloudFormation; plain CloudFormation stays as it is."""
    return sam.expand(template, "eu-west-1") if sam.is_sam(template) else template


def without_code(template: Template) -> str:
    """Return the template but for what its functions run and are told, as JSON.

    That is what runtimes differ in, and not the contract's.
    """
    bare = {
        name: {
            **{key: value for key, value in resource.items() if key != "Metadata"},
            "Properties": {
                key: value
                for key, value in resource.get("Properties", {}).items()
                if resource["Type"] != "AWS::Lambda::Function" or key not in OF_CODE
            },
        }
        for name, resource in template["Resources"].items()
    }
    return json.dumps({**template, "Resources": bare}, sort_keys=True)
