"""What the code of a project imports is what the project declares."""

import ast
import json
import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet
from environments import pins
from rendering import render_project
from variants import Variant, all_variants, standing_for_all

OF_MODULES = {
    "airspeed": "airspeed-ext",
    "aws_cdk": "aws-cdk-lib",
    "aws_durable_execution_sdk_python": "aws-durable-execution-sdk-python",
    "aws_durable_execution_sdk_python_testing": "aws-durable-execution-sdk-python-testing",
    "aws_lambda_powertools": "aws-lambda-powertools",
    "botocore": "boto3",  # its lower half, of the same version
    "cdk_nag": "cdk-nag",
    "cfnlint": "cfn-lint",
    "jsii": "aws-cdk-lib",  # what CDK in Python is written with
    "jwt": "pyjwt",
    "pydantic_core": "pydantic",  # its lower half, of the same version
    "types_boto3_dynamodb": "types-boto3",
    "types_boto3_sqs": "types-boto3",
}
"""The packages of modules that have another name than their package."""

COMMANDS = {"cfn-lint", "mypy", "pytest", "ruff", "statelint", "types-boto3", "uv"}
"""What Python projects run and do not import."""

EVERYWHERE = {"aws-lambda-powertools", "boto3", "pydantic", "zod"}
"""What the functions of each project may use, whether or not these do."""

LOADED = {"cryptography", "psycopg"}
"""What no code names: PyJWT checks signatures with the one, adapters load the other late."""

SCRIPT = re.compile(r"""(?:from|import)\s+["'](?!\.|node:)((?:@[^/"']+/)?[^/"']+)""")

COMMANDS_OF_NODE = {
    "asl-validator",
    "esbuild",
    "eslint",
    "prettier",
    "tsx",
    "typescript",
    "vite",
    "vitest",
}

KEPT = {
    "@aws-lambda-powertools/metrics",
    "@aws-sdk/client-lambda",
    "@aws-sdk/client-secrets-manager",
}
"""What handlers, logic or unit tests of some release import, so that an update must not drop it."""

STUBS = "aws-sdk-client-mock"
"""What tests of whatever calls AWS are written with."""


def of_runtime(runtime: str) -> Iterator[ParameterSet]:
    for parameters in standing_for_all(all_variants()):
        (variant,) = parameters.values
        if isinstance(variant, Variant) and variant.runtime == runtime:
            yield parameters


@pytest.mark.parametrize("variant", list(of_runtime("python")))
def test_python_declares_what_it_imports_and_nothing_else(variant: Variant, tmp_path: Path) -> None:
    project = render_project(tmp_path / "project", **variant.answers)
    functions = names(project / "src/requirements.txt")
    development = names(project / "requirements-dev.txt")
    own = {each.stem for each in project.rglob("*.py")}
    own |= {each.name for each in project.rglob("*") if each.is_dir()}

    of_functions = packages((project / "src").rglob("*.py"), own)
    of_all = packages(project.rglob("*.py"), own)

    assert of_functions - {"types-boto3"} <= functions
    assert of_all <= functions | development
    assert functions - EVERYWHERE <= of_functions | LOADED
    assert development - COMMANDS <= of_all


@pytest.mark.parametrize("variant", list(of_runtime("typescript")))
def test_typescript_declares_what_it_imports_and_nothing_else(
    variant: Variant, tmp_path: Path
) -> None:
    project = render_project(tmp_path / "project", **variant.answers)
    manifest = json.loads((project / "package.json").read_text())
    functions = set(manifest.get("dependencies", {}))
    development = set(manifest["devDependencies"])

    of_functions = scripts(project / "src")
    of_all = scripts(project)

    assert of_functions <= functions
    assert of_all <= functions | development
    assert functions - KEPT - EVERYWHERE <= of_functions
    calls_aws = any(each.startswith("@aws-sdk/client-") for each in of_functions)
    unused = development - of_all - KEPT - COMMANDS_OF_NODE - ({STUBS} if calls_aws else set())
    assert all(each.startswith("@types/") for each in unused), unused


def names(requirements: Path) -> set[str]:
    if not requirements.exists():
        return set()
    return {re.split(r"[=\[]", pin)[0] for pin in pins(requirements)}


def packages(files: Iterable[Path], own: set[str]) -> set[str]:
    modules = {module for file in files for module in imported(file.read_bytes())}
    others = modules - own - sys.stdlib_module_names
    return {OF_MODULES.get(module, module) for module in others}


@cache
def imported(source: bytes) -> frozenset[str]:
    """Return the first parts of the names of the modules that a source imports."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {each.name.partition(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return frozenset(found)


def scripts(folder: Path) -> set[str]:
    """Return the packages that TypeScript or JavaScript imports; types alone have none."""
    text = "\n".join(file.read_text() for file in sorted(folder.rglob("*.[tj]s")))
    return set(SCRIPT.findall(text)) - {"aws-lambda"}
