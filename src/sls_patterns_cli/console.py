"""What commands print: plain text, and more of it in a terminal (terminal.py, live.py)."""

import json
import os
import shlex
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sls_patterns_cli.pattern import Edge, Node, Pattern, Topology
from sls_patterns_cli.progress import Progress

if TYPE_CHECKING:
    from sls_patterns_cli.changes import Changes, FixState, Outcome, Status
    from sls_patterns_cli.fixes import Review
    from sls_patterns_cli.render import Project

LOG_LINES = 40
"""How many lines of a failed program's log are shown."""

_BOLD, _RESET = "\x1b[1m", "\x1b[0m"


def show(text: str = "") -> None:
    """Print `text` and a line's end on stdout; everything there goes through here."""
    print(text)  # noqa: T201


def show_json(value: Any) -> None:
    """Print `value` as JSON, and nothing else."""
    unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    show(json.dumps(value, indent=2, ensure_ascii=not unicode))


def show_error(message: str, log: str = "") -> None:
    """Print an error as one line on stderr, whatever is in it; in a terminal after its log."""
    line = " ".join(message.split())
    if sys.stderr.isatty():
        for logged in log.rstrip().splitlines()[-LOG_LINES:]:
            print(f"  {logged}", file=sys.stderr)  # noqa: T201
    print(f"sls-patterns: {line}", file=sys.stderr)  # noqa: T201


def shown(path: Path) -> str:
    """`path` as commands in the current folder take it."""
    try:
        relative = os.path.relpath(path)
    except FileNotFoundError:  # the current folder was deleted
        return str(path)
    return f"./{relative}" if relative.startswith("-") else relative


def shown_quoted(path: Path) -> str:
    """The same for a shell."""
    return shlex.quote(shown(path))


def looked_on() -> bool:
    """Whether a person looks on: stdout is a terminal that can do more than print lines."""
    return sys.stdout.isatty() and os.environ.get("TERM") not in {"dumb", "unknown"}


def progress() -> Progress:
    """How a command shows how far it is: live where a person looks on, else in plain lines."""
    if looked_on():
        from sls_patterns_cli.live import LiveProgress

        return LiveProgress()
    return Progress()


def show_patterns(patterns: Sequence[Pattern]) -> None:
    """Print each pattern's name, summary and options."""
    if looked_on():
        from sls_patterns_cli import terminal

        terminal.show_patterns(patterns)
        return
    for number, pattern in enumerate(patterns):
        if number:
            show()
        show(f"{pattern.slug}  {pattern.title}")
        _paragraph(pattern.summary)
        show(f"  {_options(pattern)}")


def show_pattern(pattern: Pattern, topology: Topology) -> None:
    """Print what a pattern offers, one topology's graph, and what is proven of it."""
    if looked_on():
        from sls_patterns_cli import terminal

        terminal.show_pattern(pattern, topology)
        return
    show(f"{pattern.title} ({pattern.slug})")
    _paragraph(pattern.summary, indent="")
    _heading("Options, the default first")
    _table(
        [
            ("topology", ", ".join(each.name for each in pattern.topologies)),
            ("runtime", ", ".join(pattern.runtimes)),
            ("iac", ", ".join(pattern.flavours)),
            ("datastore", ", ".join(topology.datastores)),
        ]
    )
    _heading(f"Topology {topology.name}")
    _paragraph(topology.summary)
    _heading("Nodes")
    _table([(node.name, node.kind, node_facts(node)) for node in topology.nodes])
    _heading("Edges: -> waits for the answer, => does not; ! is where a failure goes")
    for edge in topology.edges:
        _show_edge(edge)
    _heading(topology.proofs_title)
    _table([(proof.id, proof.text) for proof in topology.proofs])


def show_project(
    project: "Project",
    missing_tools: Sequence[str],
    again: Sequence[str] | None = None,
    *,
    proven: bool = True,
) -> None:
    """Print a new project's tree, its variant, what to do next and what is in the way.

    `again` is the command that would have given the same answers. A project that is not `proven`
    has no proofs, since the local stack cannot run it.
    """
    folder = shown(project.path)
    show(_bold(f"{folder}/"))
    _table(_tree(project.files))
    chosen = (
        f"{question.replace('_', ' ')} {answer}"
        for question, answer in project.answers.items()
        if question != "project_name"
    )
    show()
    variant = ", ".join(chosen)
    if looked_on():
        _paragraph(variant, indent="")
    else:
        show(variant)
    show(f"\nNext{'' if folder == '.' else f', after cd {shlex.quote(folder)}'}:")
    _table(
        [
            ("make test", "run the unit tests"),
            *[("sls-patterns local test", "prove it on this machine, without AWS")] * proven,
            ("make deploy", "deploy it to AWS"),
        ]
    )
    if project.git_problem:
        show(f"\n{project.git_problem}")
    if missing_tools:
        show(f"\nNot installed, and needed by the project: {', '.join(missing_tools)}")
    if again:
        show(f"\nThe same without questions:\n  {shlex.join(again)}")


def show_update(outcome: "Outcome", *, made: bool) -> None:
    """Print what an update changed, or would change, and what is left to do by hand."""
    show(_bold(f"{shown(outcome.path)}: {outcome.version} -> {outcome.target}"))
    _show_changes(outcome)
    if made and (outcome.handover or outcome.must_be_settled):
        _heading("Next")
        _show_next(outcome)


def _show_next(outcome: "Outcome") -> None:
    """Print the counts of what is done and left, and the commands that go on."""
    changes = outcome.changes
    counts = {
        "files merged": len(changes.updated) + len(changes.added) + len(changes.removed),
        "fixes applied": sum(fix.state == "applied" for fix in outcome.fixes),
        "conflicts": len(changes.conflicts),
        "open fixes": sum(fix.state == "open" for fix in outcome.fixes),
        "others to settle": len(list(_settling_rows(changes))) - len(changes.conflicts),
    }
    _paragraph(", ".join(f"{name} {count}" for name, count in counts.items() if count))
    for purpose, command in _steps(outcome):
        _paragraph(f"{purpose}:")
        show(f"    {command}")


def _steps(outcome: "Outcome") -> Iterator[tuple[str, str]]:
    """What to do next, and by which command, in the current folder."""
    folder, handover = shown(outcome.path), outcome.handover
    git = "git" if folder == "." else f"git -C {shlex.quote(folder)}"
    if outcome.changes.conflicts:
        yield "settle the conflicts", f"{git} status"
    if handover is None:
        return
    yield "review the changes, then run make lint and make test", f"{git} diff"
    yield "commit", f"{git} add --all . && {git} commit -F {shlex.quote(str(handover.message))}"
    if handover.patch and handover.texts:
        patch = shlex.quote(str(handover.patch))
        yield "then merge the open fixes into your files", f"{git} apply --3way {patch}"
        yield "or give a coding agent the text of each", f"ls {shown_quoted(handover.texts)}"
        yield "or do without one", "sls-patterns fix --waive ID --reason TEXT"


def _show_changes(outcome: "Outcome") -> None:
    if outcome.base != outcome.version:
        _paragraph(
            f"{outcome.version} is a development version that cannot be found: the project was "
            f"compared with {outcome.base}, so what changed in between counts as your edit."
        )
    rows = [
        (
            f"answer {question}",
            f"{after}, a new question" if before is None else f"{before} -> {after}",
        )
        for question, (before, after) in outcome.answers.items()
    ]
    rows += _change_rows(outcome.changes)
    rows += [
        ("renamed", f"{each.path} is {each.now} here, and what changed was merged there")
        for each in outcome.changes.renamed
    ]
    if reworded := outcome.changes.reworded:
        what = "places where the template changed words alone, and you the same lines"
        rows.append(("reworded", f"{what}: {reworded}; yours stay"))
    if rows:
        _table(rows)
    else:
        show("  nothing changes")
    if outcome.replaced:
        _heading("Replaced by the next deployment; their data does not move")
        _table([(each.id, each.type) for each in outcome.replaced])
    settling = list(_settling_rows(outcome.changes))
    if settling:
        _heading("To settle by hand")
        _table(settling)
    _show_applied([fix for fix in outcome.fixes if fix.state == "applied"])
    if outcome.changes.to_review:
        _show_reviews(
            [fix for fix in outcome.fixes if fix.state == "open"], outcome.changes.to_review
        )
        _show_waiting(outcome.changes)


def _show_applied(fixes: Sequence["FixState"]) -> None:
    if fixes:
        _heading("Applied fixes: files of yours that were as released")
    for fix in fixes:
        _paragraph(fix.reason, first=f"  {_bold(fix.id)}  ")
        _paragraph(", ".join(fix.files), indent="    ")


def _show_reviews(fixes: Sequence["FixState"], reviews: Sequence["Review"]) -> None:
    _heading("To review: fixes for files that are yours and were not changed")
    for fix in fixes:
        _paragraph(fix.reason, first=f"  {_bold(fix.id)}  ")
    for review in reviews:
        ids = ", ".join(fix.id for fix in fixes if review.path in fix.files)
        show(f"\n{_bold(f'  {review.path}')}  {ids}")
        show(review.diff.rstrip())


def _show_waiting(changes: "Changes") -> None:
    for waiting in changes.waiting:
        _paragraph(
            f"{waiting.template} is a proof that fails without these fixes: apply them, then run "
            "sls-patterns fix --prove ID, which puts it into place."
        )


def show_fixes(status: "Status") -> None:
    """Print the fixes of a project that are open, and those that are waived."""
    open_ = [fix for fix in status.fixes if fix.state == "open"]
    show(_bold(f"{shown(status.path)}: {status.version}, open fixes: {len(open_)}"))
    if open_:
        _show_reviews(open_, status.reviews)
    if waived := [fix for fix in status.fixes if fix.state == "waived"]:
        _heading("Waived")
        _table([(fix.id, fix.waived or "") for fix in waived])


def show_status(status: "Status") -> None:
    """Print how a project stands to its template."""
    folder = shown(status.path)
    show(_bold(f"{folder}: {status.version}, newest {status.newest}"))
    if status.refused:
        _paragraph(f"An update would be refused: {status.refused}")
    if status.update:
        _heading(f"An update to {status.update.target} would change")
        _show_changes(status.update)
    if status.fixes:
        _heading("Fixes for files of yours; status --fixes shows what they change")
        _table([(fix.state, fix.id, fix.waived or fix.reason) for fix in status.fixes])
    _heading("Drift from the template")
    drift = [("edited", path) for path in status.edited]
    drift += [("missing", path) for path in status.missing]
    if drift:
        _table(drift)
    else:
        show("  none")
    if status.offered:
        _heading("On offer: new files that would be yours")
        _table([("new", path) for path in status.offered])


def _change_rows(changes: "Changes") -> list[tuple[str, str]]:
    return [
        (what, path)
        for what, paths in (
            ("updated", changes.updated),
            ("added", changes.added),
            ("removed", changes.removed),
            ("fixed", changes.fixed),
            ("on offer", changes.offered),
            ("skipped", changes.skipped),
        )
        for path in paths
    ]


def _settling_rows(changes: "Changes") -> Iterator[tuple[str, str]]:
    for conflict in changes.conflicts:
        if conflict.template:
            where = f"is yours and was not changed; the template's is {conflict.template}"
        else:
            where = "holds both sides between markers; choose, then git add it"
        yield ("conflict", f"{conflict.path} {where}")
    for kept in changes.kept:
        now = f"is now {kept.renamed_to}" if kept.renamed_to else "is removed from the template"
        yield (
            "kept",
            f"{kept.path} {now}; your edits are still in it: move them, then remove the file",
        )
    for path in changes.orphaned:
        yield ("orphaned", f"{path} is yours, and the template no longer has what it belonged to")
    for path in changes.unfit:
        yield (
            "to adapt",
            f"{path} is yours, and is different in the template with the new answers",
        )
    for path in changes.offered:
        if path.startswith("src/"):
            yield ("to write", f"{path} is called by the new wiring; write it, it is yours")


def _show_edge(edge: Edge) -> None:
    arrow = "=>" if edge.call == "async" else "->"
    show(f"  {edge.source} {arrow} {edge.target}{_facts(edge.attributes)}")
    for failure in edge.failures:
        if failure.end is None:
            show(f"      ! {failure.mechanism}")
        else:
            show(f"      ! {failure.end} ({failure.id}): {failure.mechanism}")


def node_facts(node: Node) -> str:
    """What a node does, with its other attributes in brackets."""
    facts = {key: value for key, value in node.attributes.items() if key != "does"}
    return f"{node.attributes.get('does', '')}{_facts(facts)}".strip()


def listed(attributes: Mapping[str, Any]) -> str:
    """Attributes in a line."""
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in attributes.items())


def _facts(attributes: Mapping[str, Any]) -> str:
    return f" ({listed(attributes)})" if attributes else ""


def _options(pattern: Pattern) -> str:
    topologies = [topology.name for topology in pattern.topologies]
    offered = (topologies, pattern.runtimes, pattern.flavours, pattern.datastores)
    return " | ".join(", ".join(names) for names in offered)


def _tree(files: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each folder with the names of the files in it."""
    folders: dict[str, list[str]] = {}
    for file in files:
        path = Path(file)
        folders.setdefault(path.parent.as_posix(), []).append(path.name)
    for folder in sorted(folders):
        yield ("." if folder == "." else f"{folder}/", " ".join(folders[folder]))


def _table(rows: Iterable[Sequence[str]]) -> None:
    """Print rows in columns; what is too long for the last column is wrapped within it."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in list(zip(*rows, strict=True))[:-1]]
    indent = sum(widths) + 2 * len(widths) + 2
    for *cells, last in rows:
        start = "".join(f"{cell:<{width}}  " for cell, width in zip(cells, widths, strict=True))
        _paragraph(last, indent=" " * indent, first=f"  {start}")


def _paragraph(text: str, indent: str = "  ", first: str | None = None) -> None:
    start = indent if first is None else first
    lines = textwrap.wrap(
        text,
        width=max(30 if looked_on() else 60, shutil.get_terminal_size((100, 24)).columns),
        initial_indent=start,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    show("\n".join(lines) if lines else start.rstrip())


def _heading(text: str) -> None:
    show(f"\n{_bold(text)}")


def _bold(text: str) -> str:
    # https://no-color.org: any value that is not empty.
    return f"{_BOLD}{text}{_RESET}" if looked_on() and not os.environ.get("NO_COLOR") else text
