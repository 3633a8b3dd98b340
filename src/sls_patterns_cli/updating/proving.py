"""Settles an open fix by its proof: it is put into place, and stays there if it passes."""

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from sls_patterns_cli.catalog.fix_declaration import E2E, ReleasedFix
from sls_patterns_cli.errors import UserError
from sls_patterns_cli.updating import record
from sls_patterns_cli.updating.checkout import Checkout
from sls_patterns_cli.updating.source import open_source
from sls_patterns_cli.updating.step import Step

WAITING = ".template"
"""What the name of a proof ends with until its fix is applied."""


def prove(
    folder: Path, wanted: str, source: str | None, run: Callable[[Sequence[str]], int]
) -> int:
    """Settle an open fix of the project in `folder` if its proofs pass.

    `run` runs the proofs in files of the project, and returns the exit code, which is returned.
    Raises UserError if the fix is not open or has no proof.
    """
    checkout = Checkout(folder)
    record.refuse_unless_open(checkout.path, wanted)
    proofs = _proofs(checkout.path, _released(checkout, wanted, source))
    if not proofs:
        raise UserError(
            f"fix {wanted} has no proof here; it is settled when your files have it, or by --waive"
        )
    waiting = [proof for proof in proofs if not proof.exists()]
    passed = False
    for proof in waiting:
        _beside(proof).rename(proof)
    try:
        code = run([proof.relative_to(checkout.path).as_posix() for proof in proofs])
        passed = code == 0
    finally:
        if not passed:
            for proof in waiting:
                proof.rename(_beside(proof))
    if passed:
        with checkout.locked():
            record.change(checkout.path, lambda note: None if note.id == wanted else note)
    return code


def _released(checkout: Checkout, wanted: str, source: str | None) -> ReleasedFix:
    with TemporaryDirectory() as scratch:
        versions = open_source(checkout.address, source, Path(scratch))
        noted = Step(checkout, versions, checkout.version, {}).noted()
    for fix in noted:
        if fix.id == wanted:
            return fix.released
    raise UserError(f"{checkout.version} of {versions.name} has no fix {wanted}")


def _proofs(project: Path, released: ReleasedFix) -> list[Path]:
    """Where the proofs of a fix belong that are in the project, in place or beside it."""
    there = {Path(str(file).removesuffix(WAITING)) for file in (project / E2E).glob("*")}
    return sorted(
        proof for proof in there if released.is_shown_by(proof.relative_to(project).as_posix())
    )


def _beside(proof: Path) -> Path:
    return proof.with_name(f"{proof.name}{WAITING}")
