"""Whatever a name holds: it is refused with one line, or it is the name of a sound project."""

import string
import tempfile
from pathlib import Path

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sls_patterns_cli.cloudformation.document import read
from sls_patterns_cli.errors import UserError
from sls_patterns_cli.rendering import render

LETTERS, DIGITS = string.ascii_lowercase, string.digits
ALMOST = st.text(f"{LETTERS[:3]}{DIGITS[:2]}--_.\n A", max_size=12)
PATHS_AND_TEMPLATES = st.text("./\\~{}%#$ \0-ab", max_size=12)
GOOD = st.from_regex(r"[a-z][a-z0-9]{0,5}(-[a-z0-9]{1,8}){0,4}", fullmatch=True)


def keeps_the_rule(name: str) -> bool:
    parts = name.split("-")
    return (
        len(name) <= 40
        and name[:1] in set(LETTERS)
        and all(part and set(part) <= set(LETTERS + DIGITS) for part in parts)
    )


# The same names each time: a failure that comes and goes tells nobody anything.
@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.one_of(st.text(max_size=50), ALMOST, PATHS_AND_TEMPLATES, GOOD))
@example("end\n")
@example("null")
@example("a" * 40)
@example("a" * 41)
def test_a_name_is_refused_or_names_a_sound_project(name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        refusal = make(project, name)
        if refusal:
            assert refusal.exit_code == 2
            assert refusal.message.startswith("--name: ")
            assert not list(Path(folder).iterdir())
            assert keeps_the_rule(name) == (" is the name of " in refusal.message)
        else:
            assert keeps_the_rule(name)
            assert is_sound(project, name)


def make(project: Path, name: str) -> UserError | None:
    """Make a project of this name, or return why not."""
    answers = {"pattern": ("PATTERN", "scalable-webhook"), "project_name": ("--name", name)}
    try:
        render.create(answers, project, ask=False, repository=False)
    except UserError as refusal:
        return refusal
    return None


def is_sound(project: Path, name: str) -> bool:
    """Whether the name came through: YAML might read it as something else than text."""
    recorded = yaml.safe_load((project / ".copier-answers.yml").read_text())
    template = read(project / "template.yaml")
    variables = template["Globals"]["Function"]["Environment"]["Variables"]
    handlers = project / "src" / name.replace("-", "_") / "handlers"
    return (
        recorded["project_name"] == name
        and variables["POWERTOOLS_SERVICE_NAME"] == name
        and (handlers / "receive.py").is_file()
    )
