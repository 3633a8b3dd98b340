"""A field that is added to a stored model is stored, or a check of the project is red."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import looks
import pytest
from environments import environment, link_modules, node
from kept import Look, kept
from rendering import render_project
from variants import Variant

from sls_patterns_cli.local.languages import modules


@dataclass(frozen=True)
class Store:
    """A store of a pattern, the model that it stores, and the sample of this in its unit test."""

    pattern: str
    topology: str
    store: str
    model: str
    sample: str
    datastore: str = "dynamodb"

    def __str__(self) -> str:
        return f"{self.pattern}-{self.store}-{self.datastore}"

    def project(self, folder: Path, runtime: str) -> Path:
        variant = Variant(self.pattern, self.topology, runtime, "sam", self.datastore)
        return render_project(folder, **variant.answers)


# Those for which the README says how a field is added; `make test` takes the last one.
TOLD = (
    Store("notifier", "sns", "changes", "Change", "CHANGE"),
    Store("simple-web-service", "http-api", "products", "Product", "PRODUCT", "aurora-postgresql"),
)
OTHERS = (
    Store("simple-web-service", "http-api", "products", "Product", "PRODUCT"),
    Store("fifoer", "native", "ledger", "PostedEntry", "ENTRY"),
    Store("notifier", "sns", "invoices", "Invoice", "INVOICE"),
    Store("frugal-consumer", "standard", "records", "StoredRecord", "RECORD"),
    Store("frugal-consumer", "standard", "records", "StoredRecord", "RECORD", "aurora-postgresql"),
    Store("frugal-consumer", "third-party", "charges", "RecordedCharge", "CHARGE"),
    Store("gatekeeper", "request-authorizer", "grants", "Grant", "GRANT"),
    Store("internal-handoff", "destination", "awards", "Award", "AWARD"),
    Store("router", "function", "results", "Result", "RESULT"),
    Store("distributed-trigger", "s3-events", "bills", "Bill", "BILL"),
    Store("distributed-trigger", "s3-events", "scans", "Scan", "SCAN"),
    Store("distributed-trigger", "s3-events", "notices", "Notice", "NOTICE"),
)


STORES = [
    pytest.param(TOLD[-1], id=str(TOLD[-1])),
    *(
        pytest.param(store, id=str(store), marks=pytest.mark.exhaustive)
        for store in (*TOLD[:-1], *OTHERS)
    ),
]


def change(file: Path, pattern: str, replacement: str) -> None:
    text, places = re.subn(pattern, replacement, file.read_text(), flags=re.DOTALL)
    assert places == 1, f"{pattern} is in {places} places of {file}"
    file.write_text(text)


def told(project: Path, *names: str) -> None:
    """Check that the README names these where it says how a field is added."""
    field = (project / "README.md").read_text().partition("\n- **A field of ")[2]
    field = field.partition("\n- ")[0]
    assert [name for name in names if f"`{name}`" not in field] == []


def red(command: tuple[str | Path, ...], project: Path) -> str:
    """Return what a failing command prints, nothing if it succeeds."""
    variables = {**os.environ, "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "NO_COLOR": "1"}
    answer = subprocess.run(
        command, check=False, cwd=project, env=variables, capture_output=True, text=True
    )
    return answer.stdout + answer.stderr if answer.returncode else ""


# The unit tests that take a model with all its fields through an adapter.
WHOLE = "each_field_of or with_all_that"


@pytest.mark.parametrize("store", STORES)
def test_a_new_field_in_python_is_stored_or_a_unit_test_fails(store: Store, tmp_path: Path) -> None:
    project = store.project(tmp_path, "python")
    with kept("fields in Python", *all_that_decides(store, project)) as is_new:
        if is_new:
            add_field_in_python(store, project)


def all_that_decides(store: Store, project: Path) -> Look:
    return (Path(__file__), repr(store), *looks.runner(project), project)


def add_field_in_python(store: Store, project: Path) -> None:
    (models,) = project.glob("src/*/models.py")
    name = f"{store.store}_{store.datastore}".replace("-", "_")
    unit_test = project / f"tests/unit/test_{name}.py"
    unit_tests = (environment(project) / "python", "-m", "pytest", "-q", unit_test)
    run = (*unit_tests, "-k", WHOLE)
    if store in TOLD:
        adapter = (
            models.with_name("adapters") / store.store / f"{store.datastore}.py".replace("-", "_")
        )
        to_change = (models, unit_test, *([adapter] if store.datastore != "dynamodb" else []))
        told(project, store.sample, *(str(file.relative_to(project)) for file in to_change))
    assert red(run, project) == ""

    field = r"\1\n    note: str | None = None\2"
    change(models, rf"(\nclass {store.model}\(.*?)(\n\n\n|\Z)", field)
    assert "note" in red(run, project)  # the sample lacks it

    change(unit_test, rf"(\n{store.sample} = \w+\()", r'\1note="kept", ')
    if store.datastore == "dynamodb":
        assert red(run, project) == ""  # stored, and read where the adapter reads
        if store in TOLD:
            assert "kept" in red(unit_tests, project)  # the item as it was expected lacks it
            change(unit_test, r"(\nITEM = \{)", r'\1"note": {"S": "kept"}, ')
            assert red(unit_tests, project) == ""
    else:
        assert "kept" in red(run, project)  # the statement lacks it


@pytest.mark.parametrize("store", STORES)
def test_a_new_field_in_typescript_is_noticed_until_it_is_stored(
    store: Store, tmp_path: Path
) -> None:
    project = store.project(tmp_path, "typescript")
    with kept("fields in TypeScript", *all_that_decides(store, project)) as is_new:
        if is_new:
            add_field_in_typescript(store, project)


def add_field_in_typescript(store: Store, project: Path) -> None:
    link_modules(project)
    unit_test = f"tests/unit/{store.store}-{store.datastore}.test.ts"
    adapter = f"src/adapters/{store.store}/{store.datastore}.ts"
    packages = project / modules.FOLDER
    if store in TOLD:
        told(project, "src/models.ts", store.sample, unit_test, adapter)
    # What tsc has checked of packages once is not checked again.
    kept = ("--incremental", "--tsBuildInfoFile", project / "checked.tsbuildinfo")
    types = (node().executable, packages / "typescript/bin/tsc", *kept)
    test = (node().executable, packages / "vitest/vitest.mjs", "run", unit_test)
    assert red(types, project) == red(test, project) == ""

    field = r"\1\n  readonly note?: string;"
    change(project / "src/models.ts", rf"(export interface {store.model} [^{{]*\{{)", field)
    assert unit_test in red(types, project)  # the sample lacks it

    sample = r'\1 note: "kept",'
    change(project / unit_test, rf"(const {store.sample}: Required<\w+> = \{{)", sample)
    assert unit_test not in red(types, project)
    if store.datastore != "dynamodb":
        assert "note" in red(test, project)  # the statement lacks it
        return

    assert adapter in red(types, project)
    if "optional" not in (project / adapter).read_text():
        change(project / adapter, r"(\btext\b)(?=[^}]*\} from \"\.\./items\.ts\")", r"\1, optional")
    change(project / adapter, rf"(: Fields<{store.model}> = \{{)", r"\1 note: optional(text),")
    assert red(types, project) == ""
    assert '"S": "kept"' in red(test, project)  # the item as it was expected lacks it
    if store in TOLD:
        change(project / unit_test, r"(\nconst ITEM = \{)", r'\1 note: { S: "kept" },')
        assert red(test, project) == ""
