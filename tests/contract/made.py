"""A variant as it is made, and all that decides what the contract finds in it."""

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from contract.stack import load, read_with
from kept import Look, digest
from rendering import ROOT
from synthesis import template_file
from variants import Variant, topology_of

from sls_patterns_cli.catalog.model import Topology
from sls_patterns_cli.cloudformation.document import Template

RULES = Path(__file__).parent
VARIANTS = RULES.with_name("variants.py")
SOURCE, TEMPLATES = ROOT / "src/sls_patterns_cli", ROOT / "templates"


@dataclass(frozen=True)
class Made:
    """A variant, where it is rendered, and its template: as that is, or as CDK synthesised it."""

    variant: Variant
    project: Path
    file: Path

    @cached_property
    def template(self) -> Template:
        return load(self.project)

    @cached_property
    def topology(self) -> Topology:
        return topology_of(self.variant)

    def looked_at(self) -> Look:
        """Return all that decides what is found in it."""
        deployed = written(self.project, self.file)
        return (judges(), *declared(self.variant.pattern), str(self.variant), *deployed)


def written(project: Path, file: Path | None = None) -> list[Path]:
    """Return the files of what a project deploys: its template and what is read with that."""
    file = file or template_file(project)
    folders = ("stacks", "statemachines")
    beside = [each for folder in folders for each in sorted(project.glob(f"{folder}/*"))]
    return [*(sorted(file.parent.glob("*.*")) if file.suffix == ".json" else [file]), *beside]


@cache
def judges() -> str:
    """Return the digest of what judges a template: the rules, and what they read templates with."""
    return digest(*read_with(), RULES, VARIANTS, SOURCE)


def declared(pattern: str) -> list[Path]:
    """Return the files that declare a pattern, and the words that they may use."""
    folders = (TEMPLATES / "proofs", TEMPLATES / "patterns" / pattern)
    shared = [*TEMPLATES.glob("*.yml"), TEMPLATES / "patterns/index.yml"]
    return sorted([*shared, *(file for each in folders for file in each.rglob("*.yml"))])
