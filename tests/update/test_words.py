"""Nobody has to merge words: an update leaves them where the user changed the same lines.

Nor versions: a pin that both sides raised becomes the newer. The projects are of a real release.
"""

from pathlib import Path

import pytest
from command import Cli
from releases import RELEASED, released_repository, template_of
from rendering import ROOT, render_from
from update.projects import Owned
from update.publication import WEBHOOK, Publication, git, prepared_publication

RELEASE = "v0.6.1"

pytestmark = pytest.mark.skipif(RELEASE not in RELEASED, reason="the history has no releases")

ADAPTER = "src/scalable_webhook/adapters/deliveries.py"
QUEUE = '"""The queue in which deliveries wait to be processed."""\n'
WORKFLOW = ".github/workflows/ci.yml"
CHECKOUT = "actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0"
TEMPLATES_CHECKOUT = f"actions/checkout@{'b' * 40} # v5.2.0"
ARROWS = "Thick arrows are asynchronous calls"
ATTEMPTS = 'AWS_MAX_ATTEMPTS: "2" # of a call; each takes 4 seconds at most'


def publish_newer(folder: Path) -> Publication:
    """The release, and one that rewords its files, raises pins, and changes code beside words."""
    tag = f"refs/tags/{RELEASE}"
    git(ROOT, "init", "--quiet", folder)
    git(folder, "fetch", "--quiet", "--no-tags", released_repository(), f"{tag}:{tag}")
    git(folder, "checkout", "--quiet", "--detach", RELEASE)
    publication = Publication(folder)
    publication.write("pyproject.toml", f'version = "{RELEASE}"\n')
    adapter = f"{WEBHOOK}/adapters/deliveries.py.jinja"
    publication.replace(adapter, QUEUE, '"""Where deliveries wait until they are processed."""\n')
    publication.append(adapter, "\n    def close(self) -> None:\n        self._sqs.close()\n")
    sam = "templates/iac/sam/template.yaml.jinja"
    publication.replace(sam, ATTEMPTS, 'AWS_MAX_ATTEMPTS: "3" # of a call; each takes 4 seconds')
    publication.replace("templates/project/README.md.jinja", ARROWS, "A thick arrow is a call")
    python = "templates/project/{% if python %}.{% endif %}"
    publication.replace(
        f"{python}/{{% if code %}}src{{% endif %}}/requirements.txt.jinja",
        "boto3==1.43.123",
        "boto3==1.44.2",
    )
    publication.replace(f"{python}/requirements-dev.txt.jinja", "mypy==2.4.1", "mypy==2.5.0")
    for runtime in ("python", "typescript"):
        publication.replace(
            f"templates/runtimes/{runtime}/ci-setup.yml.jinja", CHECKOUT, TEMPLATES_CHECKOUT
        )
    publication.replace("templates/runtimes/typescript/packages.yml", "zod: 4.6.7", "zod: 4.8.0")
    publication.release("0.6.2")
    return publication


@pytest.fixture(scope="module")
def newer() -> Publication:
    return prepared_publication(publish_newer)


def released(cli: Cli, **answers: str) -> Owned:
    """A project as the release makes it, committed."""
    project = Owned(cli.folder / "project", cli)
    render_from(
        template_of(RELEASE), project.folder, RELEASE, pattern="scalable-webhook", **answers
    )
    git(project.folder, "init", "--quiet")
    project.commit()
    return project


def edit(project: Owned, path: str, old: str, new: str) -> None:
    text = project.read(path)
    assert old in text
    project.write(path, text.replace(old, new))
    project.commit()


def test_words_stay_where_the_user_has_changed_them(cli: Cli, newer: Publication) -> None:
    project = released(cli)
    edit(project, ADAPTER, QUEUE, '"""Our queue."""\n')
    edit(project, "README.md", ARROWS, "Our thick arrows are asynchronous calls")
    source = ("--source", newer.folder)
    foreseen = project.run("update", "--dry-run", *source)

    report = project.update(*source)

    assert (report["conflicts"], report["reworded"]) == ([], 2)
    assert "you the same lines: 2; yours stay" in " ".join(foreseen.stdout.split())
    adapter = project.read(ADAPTER)
    assert adapter.startswith('"""Our queue."""\n')
    # Code that changed in the same file arrives.
    assert adapter.endswith("        self._sqs.close()\n")
    assert "Our thick arrows" in project.read("README.md")
    assert "README.md" not in report["updated"]


def test_words_that_only_the_template_has_changed_arrive(cli: Cli, newer: Publication) -> None:
    project = released(cli)
    edit(project, ADAPTER, '    """Enqueue the delivery', '    """Send the delivery')

    report = project.update("--source", newer.folder)

    assert (report["conflicts"], report["reworded"]) == ([], 0)
    adapter = project.read(ADAPTER)
    assert adapter.startswith('"""Where deliveries wait until they are processed."""\n')
    assert '"""Send the delivery' in adapter


def test_lines_with_words_and_code_still_conflict(cli: Cli, newer: Publication) -> None:
    project = released(cli)
    edit(project, "template.yaml", ATTEMPTS, 'AWS_MAX_ATTEMPTS: "2" # as we agreed')
    edit(project, ADAPTER, QUEUE, '"""Our queue."""\n')

    report = project.update("--source", newer.folder, code=3)

    assert report["conflicts"] == [{"path": "template.yaml", "template": None}]
    assert report["reworded"] == 1
    template = project.read("template.yaml")
    assert 'AWS_MAX_ATTEMPTS: "2" # as we agreed\n=======\n' in template
    assert 'AWS_MAX_ATTEMPTS: "3" # of a call; each takes 4 seconds\n>>>>>>>' in template


def test_a_pin_that_both_raised_is_the_newer_one(cli: Cli, newer: Publication) -> None:
    project = released(cli)
    edit(project, "src/requirements.txt", "boto3==1.43.123", "boto3==1.45.0")
    edit(project, "requirements-dev.txt", "mypy==2.4.1", "mypy==2.4.9 # ours")
    edit(project, WORKFLOW, CHECKOUT, f"actions/checkout@{'a' * 40} # v5.1.0")

    report = project.update("--source", newer.folder)

    assert (report["conflicts"], report["reworded"]) == ([], 0)
    assert "boto3==1.45.0\n" in project.read("src/requirements.txt")
    assert "mypy==2.5.0 # ours\n" in project.read("requirements-dev.txt")
    workflow = project.read(WORKFLOW)
    assert workflow.count(TEMPLATES_CHECKOUT) == workflow.count("actions/checkout@") > 1


def test_a_pin_of_npm_that_both_raised_is_the_newer_one(cli: Cli, newer: Publication) -> None:
    project = released(cli, runtime="typescript")
    edit(project, "package.json", '"zod": "4.6.7"', '"zod": "^4.7.0"')

    report = project.update("--source", newer.folder)

    assert report["conflicts"] == []
    assert '"zod": "^4.8.0"' in project.read("package.json")


@pytest.mark.parametrize("pin", ["boto3==1.42.0", "boto3>=1.43"])
def test_a_pin_that_the_user_lowered_or_loosened_conflicts(
    cli: Cli, newer: Publication, pin: str
) -> None:
    project = released(cli)
    edit(project, "src/requirements.txt", "boto3==1.43.123", pin)

    report = project.update("--source", newer.folder, code=3)

    assert report["conflicts"] == [{"path": "src/requirements.txt", "template": None}]
    assert f"{pin}\n" in project.read("src/requirements.txt")
    assert "boto3==1.44.2\n" in project.read("src/requirements.txt")
