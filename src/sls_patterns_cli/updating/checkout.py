"""A generated project as its owner has it: what it was made from, and what git holds of it."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from sls_patterns_cli import catalog
from sls_patterns_cli.errors import UserError
from sls_patterns_cli.rendering import answers
from sls_patterns_cli.rendering.answers import ANSWERS_FILE
from sls_patterns_cli.system import git
from sls_patterns_cli.system.lock import locked
from sls_patterns_cli.system.new_folder import absolute, remove_left_behind

EXECUTABLE = "100755"
REGULAR = {"100644", EXECUTABLE}

_PREFIXES = ("--src-prefix=a/", "--dst-prefix=b/")
"""Of a patch, whatever the user's git is set to."""


@dataclass(frozen=True)
class Committed:
    """A file of the last commit: git's mode for it, and the name of its content."""

    mode: str
    content: str


class Checkout:
    """The project in a folder; raises UserError unless it is one that a template made."""

    def __init__(self, folder: Path) -> None:
        self.path = absolute(folder)
        recorded = answers.read(self.path, "_commit", "_src_path", "pattern")
        self.answers = answers.to_questions(recorded)
        self.records = answers.without_questions(recorded)
        """What it records beside the answers, such as what a new project began without."""
        self.version: str = recorded["_commit"]
        """The version of the template that it was made from, or updated to."""
        self.address = catalog.current_address(recorded["_src_path"])
        """Where that version came from."""

    def refuse_unless_known(self) -> None:
        """Raise UserError unless the last commit has the project."""
        if ANSWERS_FILE not in self.committed:
            raise UserError(
                f"{self.path} is not committed; an update compares with the last commit"
            )

    def refuse_unless_committed(self) -> None:
        """Raise UserError unless git holds all but what is not tracked."""
        self.refuse_unless_known()
        listed = git.output(
            self.path, "status", "--porcelain", "-z", "--untracked-files=no", "--no-renames", "."
        )
        if changed := [entry[3:] for entry in listed.decode(errors="replace").split("\0") if entry]:
            shown = ", ".join(changed[:3]) + (" and more" if len(changed) > 3 else "")
            raise UserError(
                f"{self.path} has changes that are not committed ({shown}); commit or stash them"
            )

    @cached_property
    def committed(self) -> dict[str, Committed]:
        """The files of the last commit; raises UserError without a repository or a commit."""
        try:
            git.output(self.path, "rev-parse", "--show-toplevel")
        except git.GitError as error:
            if git.repository_around(self.path) is None:
                raise UserError(
                    f"{self.path} is not in a git repository; an update compares with a commit"
                ) from error
            raise
        try:
            listed = git.output(self.path, "ls-tree", "-r", "-z", "HEAD")
        except git.GitError as error:
            raise UserError(
                f"{self.path} is not committed; an update compares with the last commit"
            ) from error
        return dict(_tree(listed))

    def replaced(self, path: str) -> bool:
        """Whether the last commit has something else at `path`, or instead of a folder above it.

        That is a link, a submodule or a folder in the place of a file, or no folder where one is
        needed.
        """
        if path in self.committed:
            return self.committed[path].mode not in REGULAR
        above = (parent.as_posix() for parent in PurePosixPath(path).parents)
        return path in self._folders or any(parent in self.committed for parent in above)

    @cached_property
    def _folders(self) -> set[str]:
        return {
            parent.as_posix() for path in self.committed for parent in PurePosixPath(path).parents
        }

    def attributes(self, paths: Iterable[str], *names: str) -> dict[str, dict[str, str]]:
        """What git attributes say of each path: the value of each of the names that is specified.

        https://git-scm.com/docs/git-check-attr#_output
        """
        found: dict[str, dict[str, str]] = {path: {} for path in paths}
        given = b"".join(os.fsencode(path) + b"\0" for path in found)
        listed = git.output(self.path, "check-attr", "-z", "--stdin", *names, given=given)
        fields = iter(map(os.fsdecode, listed.split(b"\0")[:-1]))
        for path, name, value in zip(fields, fields, fields, strict=True):
            if value != "unspecified":
                found[path][name] = value
        return found

    def checked_out(self, files: Mapping[str, Path], scratch: Path) -> dict[str, Path]:
        """Each path with a file that has the content of `files` as git would check it out there.

        Line endings and encodings are as the project's attributes say. `scratch` is a folder for
        its use.
        """
        if not files:
            return {}
        names = "".join(f"{file}\n" for file in files.values()).encode()
        hashed = git.output(
            self.path, "hash-object", "-w", "--no-filters", "--stdin-paths", given=names
        )
        given = b"".join(
            b"100644 %s\t%s\0" % (content, os.fsencode(f"{self._prefix}{path}"))
            for path, content in zip(files, hashed.split(), strict=True)
        )
        apart = {"GIT_INDEX_FILE": str(scratch / "index"), **git.PROJECTS_ATTRIBUTES}
        git.output(self.path, "update-index", "-z", "--index-info", given=given, added=apart)
        folder = scratch / "checked-out"
        git.output(self.path, "checkout-index", "--all", f"--prefix={folder}/", added=apart)
        return {path: folder / f"{self._prefix}{path}" for path in files}

    def patch(self, changes: Mapping[str, tuple[bytes, bytes]], scratch: Path) -> bytes:
        """A patch that changes each path from one content to another, for `git apply --3way`.

        `scratch` is a folder for its use.
        """
        trees = []
        for side in (0, 1):
            entries = []
            for path, contents in changes.items():
                stored = git.output(
                    self.path, "hash-object", "-w", "--stdin", given=contents[side]
                ).strip()
                mode = self.committed[path].mode.encode() if path in self.committed else b"100644"
                entries.append(b"%s %s\t%s\0" % (mode, stored, os.fsencode(self._prefix + path)))
            index = {"GIT_INDEX_FILE": str(scratch / f"patch-{side}")}
            listed = b"".join(entries)
            git.output(self.path, "update-index", "-z", "--index-info", given=listed, added=index)
            trees.append(git.output(self.path, "write-tree", added=index).decode().strip())
        form = ("-p", "--full-index", "--binary", "--no-renames", "--no-ext-diff", "--no-textconv")
        return git.output(self.path, "diff-tree", *form, *_PREFIXES, *trees)

    @cached_property
    def own_folder(self) -> Path:
        """A folder in git's own that is for this tool and this project; it need not exist."""
        return self._in_git("sls-patterns") / self._prefix

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Within it no other process updates a project of the working tree.

        What a killed process left behind is removed first. Raises UserError if another is at work,
        or if there is no commit.
        """
        self.committed  # noqa: B018 - says what is wrong without a repository
        with locked(self._in_git("sls-patterns.lock"), self.path):
            remove_left_behind(self.path)
            yield

    def _in_git(self, name: str) -> Path:
        place = git.output(self.path, "rev-parse", "--git-path", name)
        return self.path / os.fsdecode(place).removesuffix("\n")

    def contents(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Each path with its content in the last commit."""
        paths = list(paths)
        wanted = "".join(f"{self.committed[path].content}\n" for path in paths)
        answer = memoryview(git.output(self.path, "cat-file", "--batch", given=wanted.encode()))
        for path in paths:
            # <object> SP <type> SP <size> LF <contents> LF
            header = bytes(answer[:200]).split(b"\n", 1)[0]
            start, size = len(header) + 1, int(header.split()[2])
            yield path, bytes(answer[start : start + size])
            answer = answer[start + size + 1 :]

    def touched(self, paths: Iterable[str]) -> set[str]:
        """The paths that are on disk other than in the last commit.

        git's own word is not enough: it does not look at what it does not track, and may have been
        told to look away.
        """
        paths = list(paths)
        regular = [
            path
            for path in paths
            if path in self.committed
            and self.committed[path].mode in REGULAR
            and (self.path / path).is_file()
            and self.obstacle(path) == path
        ]
        # Which are from the repository's root on.
        names = "".join(f"{self._prefix}{path}\n" for path in regular).encode()
        hashes = git.output(self.path, "hash-object", "--stdin-paths", given=names).decode().split()
        same = {
            path
            for path, content in zip(regular, hashes, strict=True)
            if content == self.committed[path].content
        }
        absent = {
            path for path in paths if path not in self.committed and self.obstacle(path) is None
        }
        return set(paths) - same - absent

    @cached_property
    def _prefix(self) -> str:
        """The project's folder in its repository, such as `services/hook/`."""
        return os.fsdecode(git.output(self.path, "rev-parse", "--show-prefix")).removesuffix("\n")

    def obstacle(self, path: str) -> str | None:
        """What is where a file at `path` would be: itself, or what should be a folder above."""
        place = self.path
        *folders, _ = parts = path.split("/")
        for depth in range(1, len(folders) + 1):
            place = self.path.joinpath(*parts[:depth])
            if place.is_symlink() or (place.exists() and not place.is_dir()):
                return "/".join(parts[:depth])
        return path if os.path.lexists(self.path / path) else None

    def mark_unmerged(self, versions: dict[str, dict[int, Path]]) -> None:
        """Record conflicts in git's index: for each path the files of stages 1 (base) and 3 (new).

        https://git-scm.com/docs/git-update-index#_using_index_info
        """
        if not versions:
            return
        lines = []
        for path, stages in versions.items():
            committed = self.committed[path]
            lines.append(f"0 {'0' * len(committed.content)}\t{self._prefix}{path}")
            contents = {2: committed.content}
            for stage, file in stages.items():
                stored = git.output(self.path, "hash-object", "-w", "--no-filters", "--", file)
                contents[stage] = stored.decode().strip()
            lines += [
                f"{committed.mode} {content} {stage}\t{self._prefix}{path}"
                for stage, content in sorted(contents.items())
            ]
        given = "".join(f"{line}\0" for line in lines).encode()
        git.output(self.path, "update-index", "-z", "--index-info", given=given)


def _tree(listed: bytes) -> Iterator[tuple[str, Committed]]:
    """The entries of `git ls-tree -r -z`: <mode> SP <type> SP <object> TAB <file> NUL."""
    for entry in listed.split(b"\0")[:-1]:
        facts, path = entry.split(b"\t", 1)
        mode, _, content = facts.decode().split()
        yield os.fsdecode(path), Committed(mode, content)
