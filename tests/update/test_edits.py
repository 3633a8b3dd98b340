"""Whatever a project's owner made of a template's file, an update keeps it or says so."""

import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from update.projects import Owned, made_once
from update.publication import Publication, git, prepared_publication, publish

FILE = "NOTES.md"
"""What both sides change."""

BEFORE = "# Notes\n\none\ntwo\nthree\nfour\nfive\n"
AFTER = BEFORE.replace("two", "2, as of 0.2.0")
MERGED = AFTER + "mine\n"


def publish_notes(folder: Path) -> Publication:
    """v0.2.0 changes, removes and adds documents of v0.1.0."""
    publication = publish(folder)
    changed = [FILE, "guides/a.md", *map(note_of, (*MERGES, *ASIDES))]
    for path in (*changed, "OLD.md"):
        publication.write(f"templates/project/{path}.jinja", BEFORE)
    publication.release("0.1.0")
    for path in changed:
        publication.write(f"templates/project/{path}.jinja", AFTER)
    publication.write("templates/project/guides/b.md.jinja", AFTER)
    publication.file("templates/project/OLD.md.jinja").unlink()
    publication.release("0.2.0")
    return publication


@pytest.fixture(scope="module")
def pristine() -> Path:
    return made_once(prepared_publication(publish_notes))


Edit = Callable[[Owned, str], None]
"""What an owner does to a file of the project."""


def put(content: bytes) -> Edit:
    def edit(project: Owned, path: str) -> None:
        (project.folder / path).write_bytes(content)

    return edit


def mark(attributes: str, content: bytes | None = None) -> Edit:
    """Give the file attributes, and by default an edit that would merge."""

    def edit(project: Owned, path: str) -> None:
        with (project.folder / ".gitattributes").open("a") as file:
            file.write(f"{path} {attributes}\n")
        (project.folder / path).write_bytes(MINE.encode() if content is None else content)

    return edit


def filtered(content: str) -> Edit:
    """Store the file other than it is on disk, as git-crypt and Git LFS do."""

    def edit(project: Owned, path: str) -> None:
        git(project.folder, "config", "filter.secret.clean", "tr a-z n-za-m")
        git(project.folder, "config", "filter.secret.smudge", "tr a-z n-za-m")
        mark("filter=secret", content.encode())(project, path)

    return edit


def folder(project: Owned, path: str) -> None:
    (project.folder / path).unlink()
    project.write(f"{path}/mine.md", "mine\n")


def link(project: Owned, path: str) -> None:
    (project.folder / path).unlink()
    project.write("elsewhere.md", "mine\n")
    (project.folder / path).symlink_to(project.folder / "elsewhere.md")


def submodule(project: Owned, path: str) -> None:
    folder(project, path)
    git(project.folder / path, "init", "--quiet")
    Owned(project.folder / path, project.cli).commit()


def executable(content: str) -> Edit:
    def edit(project: Owned, path: str) -> None:
        project.write(path, content)
        (project.folder / path).chmod(0o755)

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


def note_of(situation: str) -> str:
    """Return the file of the project that the owner brings into this situation."""
    return f"notes/{[*MERGES, *ASIDES].index(situation)}.md"


def test_what_can_be_merged_is(project: Owned) -> None:
    notes = {situation: project.folder / note_of(situation) for situation in MERGES}
    for situation, (edit, _) in MERGES.items():
        edit(project, note_of(situation))
    project.commit()
    modes = {situation: note.stat().st_mode for situation, note in notes.items()}
    foreseen = project.update("--dry-run")
    assert project.update() == foreseen
    for situation, (_, merged) in MERGES.items():
        assert (situation, notes[situation].read_bytes()) == (situation, merged)
    assert {situation: note.stat().st_mode for situation, note in notes.items()} == modes
    assert (foreseen["conflicts"], foreseen["kept"]) == ([], [])
    project.commit()
    assert project.changed() == []


def test_what_cannot_be_merged_stays_beside_the_templates(project: Owned) -> None:
    notes = {situation: note_of(situation) for situation in ASIDES}
    for situation, edit in ASIDES.items():
        edit(project, notes[situation])
    project.commit()
    before = everything(project.folder)
    foreseen = project.update("--dry-run", code=3)
    assert sorted((each["path"], each["template"]) for each in foreseen["conflicts"]) == sorted(
        (note, f"{note}.template") for note in notes.values()
    )
    assert not set(foreseen["updated"]).intersection(notes.values())
    assert project.status()["update"] == foreseen
    assert everything(project.folder) == before
    assert project.update(code=3) == foreseen
    after = everything(project.folder)
    for situation, note in notes.items():
        assert (situation, project.read(f"{note}.template")) == (situation, AFTER)
        mine = {path: fact for path, fact in before.items() if path.startswith(note)}
        assert mine
        assert {path: after[path] for path in mine} == mine
    # git has nothing unmerged, as there is nothing to resolve in the files.
    unresolved = {line[3:] for line in project.changed()}
    assert not unresolved.intersection(notes.values())


def test_lines_in_conflict_are_on_disk_as_the_attributes_say(project: Owned) -> None:
    mark("text eol=crlf", BEFORE.replace("two", "II").replace("\n", "\r\n").encode())(project, FILE)
    project.commit()
    assert project.update(code=3)["conflicts"] == [{"path": FILE, "template": None}]
    content = (project.folder / FILE).read_bytes()
    assert b"<<<<<<< before updating\r\nII\r\n=======\r\n2, as of 0.2.0\r\n" in content
    assert content.count(b"\n") == content.count(b"\r\n")


def test_what_cannot_be_merged_is_kept_when_the_template_removes_it(project: Owned) -> None:
    put(b"mine\0")(project, "OLD.md")
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
    folder(project, FILE)
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


@pytest.mark.exhaustive
def test_an_edit_of_the_same_lines_in_a_renamed_file_is_a_conflict_there(project: Owned) -> None:
    # The last release changes line 2 of five: long enough to be known again, with an edit there.
    git(project.folder, "mv", FILE, "MINE.md")
    project.write("MINE.md", BEFORE.replace("two", "II"))
    project.commit()
    foreseen = project.update("--dry-run", code=3)
    assert foreseen["renamed"] == [{"path": FILE, "now": "MINE.md"}]
    assert foreseen["conflicts"] == [{"path": "MINE.md", "template": None}]
    assert project.update(code=3) == foreseen
    assert "UU MINE.md" in project.changed()
    assert "<<<<<<< before updating\nII\n" in project.read("MINE.md")
    assert not project.exists(FILE)
