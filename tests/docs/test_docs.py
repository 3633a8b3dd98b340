"""The documentation shows only what works, and shows all there is."""

import html
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import recording
import typer.main
import yaml
from command import Cli
from decisions_page import anchor
from rendering import ROOT
from screen import plain_environment, see

from sls_patterns_cli import catalog
from sls_patterns_cli.cli import commands

DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs/decisions").glob("*.md")),
    *sorted((ROOT / "docs/explain").glob("*.md")),
]
PICTURES = [ROOT / "docs/recording.svg", *sorted(recording.PICTURES.glob("*.svg"))]
# Run by other tests, which prove more than that they exit well.
RUN_ELSEWHERE = {
    "sls-patterns update --data poison=named --dry-run": "tests/update/test_poison.py",
    "sls-patterns update --data poison=named --apply-fixes": "tests/update/test_poison.py",
    "make demo": ".github/workflows/ci.yml",
    "uvx --from SOURCE sls-patterns new": "tests/package/test_one_line.py",
    "uvx --from 'sls-patterns-cli[local] @ SOURCE' sls-patterns local test": (
        "tests/package/test_one_line.py"
    ),
    "make check": "tests/suite/test_selection.py",
    "make test": ".ci/run",
    "make test-all PART=emulator": "tests/suite/test_parts.py",
    "make test-all PATTERN=scalable-webhook": "tests/suite/test_parts.py",
    "make golden": "tests/static/test_golden.py",
    "make pattern NAME=claim-check FROM=frugal-consumer": "tests/suite/test_new_pattern.py",
    "make deploy": "tests/static/test_project.py",
    "sls-patterns check plan.json": "tests/wiring/test_terraform.py",
    "terraform plan -out=plan && terraform show -json plan > plan.json": (
        "tests/wiring/terraform/make_plans.py"
    ),
    "sls-patterns check": "tests/check/test_command.py",
    "sls-patterns prove": "tests/prove/test_prove_command.py",
    **dict.fromkeys(
        (
            "sls-patterns letters list --stack shop",
            "sls-patterns letters show --stack shop --group 0f3d84c8",
            "sls-patterns letters redrive --stack shop --group 0f3d84c8",
            "sls-patterns letters redrive --stack shop --all --yes",
            "sls-patterns letters discard --stack shop --group 0f3d84c8 --to letters.jsonl",
        ),
        "tests/letters/test_commands.py",
    ),
    "sls-patterns letters policy list redrive --stack shop": "tests/letters/test_policy.py",
    "sls-patterns letters pause Store --stack shop": "tests/letters/test_pausing.py",
    "sls-patterns letters resume Store --stack shop": "tests/letters/test_pausing.py",
    "sls-patterns letters set-aside Jobs customer-7 --stack shop": (
        "tests/letters/test_setting_aside.py"
    ),
    "sls-patterns letters pause Worker --stack shop": "tests/letters/test_setting_aside.py",
    "sls-patterns letters set-aside Jobs customer-7 --id 05e2245e-e986-43d6-9c57-2d977c447185 "
    "--stack shop": "tests/letters/test_setting_aside.py",
    "sls-patterns letters resume Worker --stack shop": "tests/letters/test_setting_aside.py",
    "sls-patterns local test": "tests/proofs/test_proofs.py",
    "sls-patterns local up": "tests/local/test_local_session.py",
    "sls-patterns choose": "tests/cli/test_choosing.py",
    "sls-patterns doctor": "tests/cli/test_doctor.py",
    **{
        f"sls-patterns update --workspace services{options}": "tests/update/test_fleets.py"
        for options in ("", " --dry-run", " --branch template-update --apply-fixes")
    },
    "sls-patterns local up --watch": "tests/local/test_running_stack.py",
    'eval "$(sls-patterns local env)"': "tests/local/test_running_stack.py",
    "sls-patterns check --sarif > findings.sarif": "tests/check/test_sarif.py",
    "cfn-lint --append-rules sls_patterns_cli.check.cfn_lint_rules -- template.yaml": (
        "tests/check/test_cfn_lint_rules.py"
    ),
    **{
        f"make {target} STACK=by-hand": "tests/proofs/test_deployment_tools.py"
        for target in ("bootstrap", "deploy", "dead-letters", "redrive", "delete")
    },
    **{
        f"make {target}": "tests/static/test_stages.py"
        for target in ("deploy STAGE=staging", "smoke STAGE=staging", "deploy STAGE=production")
    },
}


def shown_commands(document: Path) -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```$", document.read_text(), re.DOTALL | re.MULTILINE)
    lines = (line.partition("#")[0].strip() for block in blocks for line in block.splitlines())
    return [line for line in lines if line]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_command_that_is_shown_runs(document: Path, cli: Cli) -> None:
    folder = cli.folder
    for line in shown_commands(document):
        if line in RUN_ELSEWHERE:
            assert (ROOT / RUN_ELSEWHERE[line]).exists()
            continue
        program, *arguments = line.split()
        if program == "cd":
            folder /= arguments[0]
            assert folder.is_dir()
            continue
        assert program == "sls-patterns", line
        result = Cli(folder, cli.environment)(*arguments)
        assert result.returncode == 0, (line, result.stderr)


def every_command(
    group: typer.core.TyperGroup, prefix: str = "sls-patterns"
) -> Iterator[tuple[str, list[str]]]:
    for name, command in group.commands.items():
        if isinstance(command, typer.core.TyperGroup):
            yield from every_command(command, f"{prefix} {name}")
        else:
            options = [option for parameter in command.params for option in parameter.opts]
            yield f"{prefix} {name}", [option for option in options if option.startswith("--")]


def test_every_command_and_option_is_documented() -> None:
    text = (ROOT / "docs/commands.md").read_text()
    group = typer.main.get_command(commands.app)
    assert isinstance(group, typer.core.TyperGroup)

    for command, options in every_command(group):
        section = text.partition(f"## `{command}")[2].partition("\n## ")[0]
        assert section, f"{command} is not documented"
        for option in options:
            assert option == "--help" or option in section, f"{command} {option}"


def test_the_readme_names_every_pattern_with_its_options() -> None:
    rows = [
        [re.findall(r"`([^`]+)`", cell) for cell in line.split("|")[1:-1]]
        for line in (ROOT / "README.md").read_text().splitlines()
        if line.startswith("| `") and line.count("|") == 6
    ]
    assert rows == [
        [
            [pattern.slug],
            [topology.name for topology in pattern.offered],
            list(pattern.runtimes),
            list(pattern.flavours),
            list(pattern.datastores),
        ]
        for pattern in catalog.patterns()
    ]


def test_every_link_to_a_file_leads_somewhere() -> None:
    for document in DOCUMENTS:
        links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", document.read_text())
        for target, heading in links:
            file = document.parent / target if target else document
            assert file.exists(), f"{document.name}: {target}"
            if heading:
                found = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
                assert heading in map(anchor, found), f"{document.name}: {target}#{heading}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_command_that_is_named_exists(document: Path) -> None:
    """What generated projects have (`make deploy`) counts as well."""
    text = document.read_text()
    makefiles = [ROOT / "Makefile", *(ROOT / "templates").glob("**/*.mk.jinja")]
    makefiles.append(ROOT / "templates/Makefile.jinja")
    lines = "\n".join(makefile.read_text() for makefile in makefiles)
    targets = re.findall(r"^([a-z0-9-]+)(?: [a-z0-9- ]+)?:", lines, re.MULTILINE)
    group = typer.main.get_command(commands.app)
    assert isinstance(group, typer.core.TyperGroup)
    known = {command.split()[1] for command, _ in every_command(group)}

    assert set(re.findall(r"(?:`|^)make ([a-z0-9-]+)", text, re.MULTILINE)) <= {*targets}
    assert set(re.findall(r"(?:`|^)sls-patterns ([a-z][a-z-]*)", text, re.MULTILINE)) <= known


def test_the_hooks_of_pre_commit_run_what_lint_runs() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    entries = [hook["entry"] for repository in hooks["repos"] for hook in repository["hooks"]]
    recipe = (ROOT / "Makefile").read_text().partition("\nlint:")[2].partition("\n\n")[0]

    assert entries == [line.strip() for line in recipe.splitlines()[1:]]


@pytest.mark.parametrize("form", sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml")), ids=str)
def test_an_issue_form_is_what_github_takes(form: Path) -> None:
    """https://docs.github.com/en/communities/using-templates-to-encourage-useful-issues-and-pull-requests/syntax-for-issue-forms."""
    content = yaml.safe_load(form.read_text())
    if form.name == "config.yml":
        assert content == {"blank_issues_enabled": True}
        return
    assert {"name", "description", "body"} <= content.keys()
    identifiers = [field["id"] for field in content["body"]]
    assert len({*identifiers}) == len(identifiers)
    for field in content["body"]:
        assert field["type"] in {"textarea", "input", "dropdown"}
        assert field["attributes"]["label"]
        assert (field["type"] == "dropdown") == ("options" in field["attributes"])


MECHANISMS = re.findall(r"^\| (\[.*) \|$", (ROOT / "docs/prove.md").read_text(), re.MULTILINE)


@pytest.mark.parametrize(
    "row", MECHANISMS, ids=lambda row: " ".join(re.findall(r"`([^`]+)`", row)[:2])
)
def test_each_mechanism_names_the_page_and_the_test_that_show_it(row: str) -> None:
    mechanism, *_, tests = row.split(" | ")

    assert "](https://docs.aws.amazon.com/" in mechanism
    for test in tests.split(", "):
        named = re.fullmatch(r"`(tests/[\w/]+\.py)::(test_\w+)`", test)
        assert named, f"name a test as file::test, not {test}"
        assert f"def {named[2]}(" in (ROOT / named[1]).read_text()


SECONDS = re.compile(r"\b\d+\.\d+s ")
"""As a terminal shows how long something took."""


def in_picture(picture: Path) -> list[str]:
    """Return the words that a picture shows."""
    texts = re.findall(r"<text [^>]*>([^<]*)</text>", picture.read_text())
    return html.unescape(" ".join(texts)).split()


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.stem)
def test_a_picture_is_small_and_shows_nothing_of_the_machine_it_was_made_on(picture: Path) -> None:
    shown = " ".join(in_picture(picture))

    assert len(picture.read_bytes()) < 100_000
    assert "url(http" not in picture.read_text()
    for place in (str(ROOT), str(Path.home()), tempfile.gettempdir()):
        assert place not in shown
    assert picture.name in (ROOT / "README.md").read_text()


@pytest.mark.parametrize(("name", "columns"), [("wide", recording.WIDE), ("80", recording.NARROW)])
@pytest.mark.parametrize("command", [recording.LIST, recording.SHOW])
def test_a_picture_shows_what_the_command_prints(
    command: tuple[str, ...], name: str, columns: int, cli: Cli
) -> None:
    shown = see(
        [*cli.command, *command[1:]], cli.folder, plain_environment(cli.environment), columns
    )
    picture = recording.PICTURES / f"{command[1]}-{name}.svg"

    words = in_picture(picture)
    assert words[words.index("$") :] == ["$", *command, *shown.text.split()], "run `make golden`"


def test_the_pictures_of_prompts_show_what_new_asks(cli: Cli) -> None:
    shown = recording.prompts(cli.command, cli.folder, plain_environment(cli.environment))
    for name, screen in shown:
        words = in_picture(recording.PICTURES / f"{name}.svg")
        assert words[words.index("$") :] == ["$", *recording.NEW[:2], *screen.text.split()], (
            "run `make golden`"
        )


def test_the_picture_of_choose_shows_what_is_asked_and_named(cli: Cli) -> None:
    shown = see(
        [*cli.command, *recording.CHOOSE[1:]],
        cli.folder,
        plain_environment(cli.environment),
        recording.WIDE,
        talk=recording.choosing,
    )

    words = in_picture(recording.PICTURES / "choose.svg")
    assert words[words.index("$") :] == ["$", *recording.CHOOSE, *shown.text.split()], (
        "run `make recording`"
    )


def test_the_picture_of_failures_shows_what_prove_and_check_find(cli: Cli) -> None:
    """But for the seconds that it takes."""
    shown = " ".join(in_picture(recording.PICTURES / "failures.svg"))

    for command in recording.FAILURES:
        program = cli.command if command[0] == "sls-patterns" else command[:1]
        found = see(
            [*program, *command[1:]],
            recording.RECORDED,
            plain_environment(cli.environment),
            recording.WIDE,
        )
        words = " ".join([*command, *found.text.split()])
        assert SECONDS.sub("", words) in SECONDS.sub("", shown), "run `make recording`"


def test_the_pictures_of_proofs_show_every_proof() -> None:
    pattern = catalog.pattern(recording.SHOW[-1])
    proofs = {proof.id.partition(".")[2] for proof in pattern.topology().proofs}
    for name in ("local-test-wide", "local-test-80"):
        assert proofs <= {*in_picture(recording.PICTURES / f"{name}.svg")}
    assert proofs <= {*in_picture(ROOT / "docs/recording.svg")}
