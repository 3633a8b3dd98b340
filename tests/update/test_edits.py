"""Whatever a project's owner made of a template's file, an update keeps it or says so."""

import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from command import Cli
from update.projects import Owned, make
from update.publication import git, publish

FILE = "NOTES.md"
"""What both sides change."""

BEFORE = "# Notes\n\none\ntwo\nthree\nfour\nfive\n"
AFTER = BEFORE.replace("two", "2, as of 0.2.0")
ASIDE = {"path": FILE, "template": f"{FILE}.template"}
MERGED = AFTER + "mine\n"


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of v0.1.0, whose template changes, removes and adds a document in v0.2.0."""
    publication = publish(tmp_path_factory.mktemp("publication") / "template")
    documents = {FILE: BEFORE, "OLD.md": BEFORE, "guides/a.md": BEFORE}
    for path, text in documents.items():
        publication.write(f"templates/project/{path}.jinja", text)
    publication.release("0.1.0")
    publication.write(f"templates/project/{FILE}.jinja", AFTER)
    publication.write("templates/project/guides/a.md.jinja", AFTER)
    publication.write("templates/project/guides/b.md.jinja", AFTER)
    publication.file("templates/project/OLD.md.jinja").unlink()
    publication.release("0.2.0")
    folder = tmp_path_factory.mktemp("pristine") / "project"
    return make(publication, folder, Cli(folder, {})).folder


def put(content: bytes, path: str = FILE) -> Callable[[Owned], None]:
    def edit(project: Owned) -> None:
        (project.folder / path).write_bytes(content)

    return edit


def mark(attributes: str, content: bytes | None = None) -> Callable[[Owned], None]:
    """Give the file attributes, and by default an edit that would merge."""

    def edit(project: Owned) -> None:
        project.write(".gitattributes", f"{FILE} {attributes}\n")
        (project.folder / FILE).write_bytes(
            BEFORE.encode() + b"mine\n" if content is None else content
        )

    return edit


def filtered(content: str) -> Callable[[Owned], None]:
    """Store the file other than it is on disk, as git-crypt and Git LFS do."""

    def edit(project: Owned) -> None:
        git(project.folder, "config", "filter.secret.clean", "tr a-z n-za-m")
        git(project.folder, "config", "filter.secret.smudge", "tr a-z n-za-m")
        mark("filter=secret", content.encode())(project)

    return edit


def folder(project: Owned) -> None:
    (project.folder / FILE).unlink()
    project.write(f"{FILE}/mine.md", "mine\n")


def link(project: Owned) -> None:
    (project.folder / FILE).unlink()
    project.write("elsewhere.md", "mine\n")
    (project.folder / FILE).symlink_to("elsewhere.md")


def submodule(project: Owned) -> None:
    (project.folder / FILE).unlink()
    project.write(f"{FILE}/mine.md", "mine\n")
    git(project.folder / FILE, "init", "--quiet")
    Owned(project.folder / FILE, project.cli).commit()


def executable(content: str) -> Callable[[Owned], None]:
    def edit(project: Owned) -> None:
        project.write(FILE, content)
        (project.folder / FILE).chmod(0o755)

    return edit


CRLF = (BEFORE + "mine\n").replace("\n", "\r\n").encode()
LATIN = BEFORE.encode() + b"caf\xe9\n"
MINE = BEFORE + "mine\n"

MERGES = {
    "an edit elsewhere": (put(MINE.encode()), MERGED.encode()),
    "no edit": (put(BEFORE.encode()), AFTER.encode()),
    "the template's own change": (put(AFTER.encode()), AFTER.encode()),
    "a byte order mark": (put(b"\xef\xbb\xbf" + MINE.encode()), b"\xef\xbb\xbf" + MERGED.encode()),
    "-diff": (mark("-diff"), MERGED.encode()),
    "eol=crlf": (mark("text eol=crlf", CRLF), MERGED.replace("\n", "\r\n").encode()),
    "working-tree-encoding": (
        mark("text working-tree-encoding=UTF-16LE", MINE.encode("utf-16-le")),
        MERGED.encode("utf-16-le"),
    ),
    "a filter, not edited": (filtered(BEFORE), AFTER.encode()),
    "a mode": (executable(BEFORE), AFTER.encode()),
    "a mode and an edit": (executable(MINE), MERGED.encode()),
}
"""What the owner did, and what is in the file after the update: both sides."""

ASIDES = {
    "a NUL byte": put(BEFORE.encode() + b"\0"),
    "a NUL byte far behind": put(BEFORE.encode() + b"x" * 9000 + b"\0"),
    "UTF-16": put(MINE.encode("utf-16")),
    "Latin-1": put(LATIN),
    "binary": mark("binary"),
    "-merge": mark("-merge"),
    "a filter, edited": filtered(MINE),
    "a folder": folder,
    "a link": link,
    "a submodule": submodule,
}
"""What the owner did that cannot be merged: it stays, and the template's side is beside it."""


@pytest.mark.parametrize("situation", MERGES)
def test_what_can_be_merged_is(project: Owned, situation: str) -> None:
    edit, merged = MERGES[situation]
    edit(project)
    project.commit()
    mode = (project.folder / FILE).stat().st_mode
    foreseen = project.update("--dry-run")
    assert project.update() == foreseen
    assert (project.folder / FILE).read_bytes() == merged
    assert (project.folder / FILE).stat().st_mode == mode
    assert (foreseen["conflicts"], foreseen["kept"]) == ([], [])
    project.commit()
    assert project.changed() == []


@pytest.mark.parametrize("situation", ASIDES)
def test_what_cannot_be_merged_stays_beside_the_templates(project: Owned, situation: str) -> None:
    ASIDES[situation](project)
    project.commit()
    before = everything(project.folder)
    foreseen = project.update("--dry-run", code=3)
    assert foreseen["conflicts"] == [ASIDE]
    assert FILE not in foreseen["updated"]
    assert project.status()["update"] == foreseen
    assert everything(project.folder) == before
    assert project.update(code=3) == foreseen
    after = everything(project.folder)
    assert project.read(f"{FILE}.template") == AFTER
    assert {path: after[path] for path in before if path.startswith(FILE)} == {
        path: fact for path, fact in before.items() if path.startswith(FILE)
    }
    # git has nothing unmerged, as there is nothing to resolve in the file.
    assert not any(line.endswith(f" {FILE}") for line in project.changed())


def test_lines_in_conflict_are_on_disk_as_the_attributes_say(project: Owned) -> None:
    mark("text eol=crlf", BEFORE.replace("two", "II").replace("\n", "\r\n").encode())(project)
    project.commit()
    assert project.update(code=3)["conflicts"] == [{"path": FILE, "template": None}]
    content = (project.folder / FILE).read_bytes()
    assert b"<<<<<<< before updating\r\nII\r\n=======\r\n2, as of 0.2.0\r\n" in content
    assert content.count(b"\n") == content.count(b"\r\n")


def test_what_cannot_be_merged_is_kept_when_the_template_removes_it(project: Owned) -> None:
    put(b"mine\0", "OLD.md")(project)
    project.commit()
    assert [kept["path"] for kept in project.update(code=3)["kept"]] == ["OLD.md"]
    assert (project.folder / "OLD.md").read_bytes() == b"mine\0"


@pytest.mark.parametrize("kind", ["file", "link"])
def test_what_is_in_the_place_of_a_folder_stays(project: Owned, kind: str) -> None:
    shutil.rmtree(project.folder / "guides")
    if kind == "file":
        project.write("guides", "mine\n")
    else:
        project.write("elsewhere/a.md", BEFORE)
        (project.folder / "guides").symlink_to("elsewhere")
    project.commit()
    report = project.update(code=3)
    assert report["conflicts"] == [
        {"path": f"guides/{name}", "template": f"guides.template/{name}"}
        for name in ("a.md", "b.md")
    ]
    assert project.read("guides.template/b.md") == AFTER
    if kind == "file":
        assert project.read("guides") == "mine\n"
    else:
        assert (project.folder / "guides").is_symlink()
        assert project.read("elsewhere/a.md") == BEFORE


def test_the_report_says_where_the_templates_side_is(project: Owned) -> None:
    folder(project)
    project.commit()
    done = project.run("update")
    assert (done.returncode, done.stderr) == (3, "")
    assert (
        f"conflict {FILE} is yours and was not changed; the template's is {FILE}.template"
        in " ".join(done.stdout.split())
    )


def everything(folder: Path) -> dict[str, tuple[int, bytes | str]]:
    """Each file's mode and content, and each link's target."""
    return {
        path.relative_to(folder).as_posix(): (
            stat.S_IFMT(path.lstat().st_mode) | stat.S_IMODE(path.lstat().st_mode),
            str(path.readlink()) if path.is_symlink() else path.read_bytes(),
        )
        for path in folder.rglob("*")
        if ".git" not in path.relative_to(folder).parts and (path.is_symlink() or path.is_file())
    }
