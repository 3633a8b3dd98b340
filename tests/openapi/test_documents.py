"""`sls-patterns openapi`: what its documents are made from, and what it refuses."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from command import Cli
from openapi.described import api_variants, described, installed, rendered
from synthesis import SYNTHESISED_ONCE, template_file
from tools import BIN, run, tool
from variants import Variant, few_of, parameters

from sls_patterns_cli.cli import commands
from sls_patterns_cli.openapi.routes import routes

VARIANTS = api_variants()
IN_SAM = [each for each in VARIANTS if each.iac == "sam"]
FEW = few_of(IN_SAM, lambda each: {(each.pattern,)})
# A JWT authorizer, one of the project for tokens, IAM, and routes that take any path.
COMPARED = tuple(
    f"{each}-python"
    for each in (
        "simple-web-service/http-api",
        "robust-api/rest-api",
        "streamer/kinesis",
        "strangler/http-api",
    )
)
SERVICE = IN_SAM[0]


@pytest.mark.parametrize("variant", parameters(IN_SAM, FEW))
def test_documents_are_valid_openapi(variant: Variant, tmp_path: Path) -> None:
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(described(rendered(variant, tmp_path / "project"))))

    python = Path(tool("SLS_SCHEMATHESIS")).with_name("python")

    assert "OK" in run([python, "-m", "openapi_spec_validator", document], tmp_path)


@SYNTHESISED_ONCE
@pytest.mark.parametrize(
    "variant",
    parameters(IN_SAM, [each for each in IN_SAM if str(each).startswith(COMPARED)]),
)
def test_sam_and_cdk_have_the_same_routes_and_callers(variant: Variant, tmp_path: Path) -> None:
    of = (variant.pattern, variant.topology, variant.runtime)
    cdk = next(v for v in VARIANTS if (v.pattern, v.topology, v.runtime, v.iac) == (*of, "cdk"))
    sam = rendered(variant, tmp_path / "sam") / "template.yaml"

    found = routes(sam)

    assert set(routes(template_file(rendered(cdk, tmp_path / "cdk")))) == set(found)
    assert found


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed(rendered(SERVICE, tmp_path_factory.mktemp("service") / "project"))


@pytest.fixture
def project(service: Path, tmp_path: Path) -> Path:
    """Return a copy of a service that may be changed."""
    copied = tmp_path / "service"
    subprocess.run(["cp", "-r", service, copied], check=True)
    return copied


def document(cli: Cli, project: Path, *arguments: str) -> dict[str, Any]:
    done = cli("openapi", str(project), *arguments)
    assert done.returncode == 0, done.stderr
    made: dict[str, Any] = json.loads(done.stdout)
    return made


def test_the_document_follows_the_models(cli: Cli, project: Path) -> None:
    (models,) = (project / "src").glob("*/models.py")
    models.write_text(models.read_text().replace("max_length=2000", "max_length=1999"))

    schemas = document(cli, project)["components"]["schemas"]

    assert schemas["ProductDetails"]["properties"]["description"]["maxLength"] == 1999


def test_the_document_follows_the_routes(cli: Cli, project: Path) -> None:
    template, said = project / "template.yaml", project / "openapi.yml"
    template.write_text(template.read_text().replace("[products:read]", "[catalog:read]"))

    listed = document(cli, project)["paths"]["/products"]["get"]

    assert listed["security"] == [{"issuer": ["catalog:read"]}]
    text = template.read_text()
    template.write_text(text.replace('Path: "/products/{product_id}"', "Path: /new"))
    refused = cli("openapi", str(project))
    assert refused.returncode == 2
    assert refused.stderr == (
        f"sls-patterns: PUT /new is a route of the template that {said} does not describe: add it "
        "there, or 'PUT /new: null' to leave it out\n"
    )


def test_the_providers_address_is_that_of_the_parameter(cli: Cli, project: Path) -> None:
    known = document(cli, project, "--parameter", "IssuerUrl=https://id.shop.dev/")
    unknown = document(cli, project)

    assert known["components"]["securitySchemes"]["issuer"] == {
        "type": "openIdConnect",
        "openIdConnectUrl": "https://id.shop.dev/.well-known/openid-configuration",
    }
    assert unknown["components"]["securitySchemes"]["issuer"]["type"] == "http"


def test_make_writes_the_document_to_a_file(cli: Cli, project: Path, tmp_path: Path) -> None:
    (project / ".venv/installed").touch()
    made = subprocess.run(
        [
            "make",
            "--no-print-directory",  # which a make that runs tests turns on
            "openapi",
            f"OUTPUT={tmp_path / 'openapi.json'}",
            "PARAMETERS=IssuerUrl=https://a",
        ],
        cwd=project,
        env={**cli.environment, "PATH": f"{BIN}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (made.returncode, made.stdout) == (0, ""), made.stderr
    assert json.loads((tmp_path / "openapi.json").read_text())["openapi"].startswith("3.1.")


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda said: said.update({"GET /new": said["GET /products"]}), "GET /new is no route of"),
        (lambda said: said.update({"GET /new": None}), "GET /new is no route of the template"),
        (lambda said: said.pop("GET /products"), "GET /products is a route of the template that"),
        (lambda said: said.update({"/products": {}}), "/products must be a method and a path"),
        (lambda said: said["POST /products"].update(bodies="Product"), "has bodies; it may have:"),
        (lambda said: said["POST /products"].update(body="Produkt"), "has no model Produkt"),
        (lambda said: said["POST /products"].update(body=3), "body must be a model, a JSON Schema"),
        (lambda said: said["POST /products"].update(errors=[999]), "999 is no status of HTTP"),
        (lambda said: said["POST /products"].pop("responses"), "needs responses, such as"),
        (
            lambda said: said["GET /products/{product_id}"].update(parameters={}),
            "parameters must have product_id, which is in the path",
        ),
    ],
)
def test_what_is_wrong_in_the_declaration_is_one_line(
    project: Path, change: Change, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = project / "openapi.yml"
    said = yaml.safe_load(file.read_text())
    change(said)
    file.write_text(yaml.safe_dump(said))

    code = commands.run(["openapi", str(project), "--output", str(project / "made.json")])

    printed = capsys.readouterr()
    assert code in {1, 2}
    assert says in printed.err
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert not (project / "made.json").exists()


def test_a_project_without_a_declaration_is_told_what_it_needs(cli: Cli, project: Path) -> None:
    (project / "openapi.yml").unlink()

    refused = cli("openapi", str(project))

    assert refused.returncode == 2
    assert "has no openapi.yml" in refused.stderr


def test_models_that_cannot_be_imported_are_one_line(cli: Cli, project: Path) -> None:
    (models,) = (project / "src").glob("*/models.py")
    models.write_text("import nothing_of_this_name\n")

    refused = cli("openapi", str(project))

    assert refused.returncode == 1
    assert re.search(r"models.py cannot be read: ModuleNotFoundError", refused.stderr)
    assert refused.stderr.count("\n") == 1


def test_a_project_that_is_not_installed_is_told_so(cli: Cli, project: Path) -> None:
    subprocess.run(["rm", "-r", project / ".venv"], check=True)

    refused = cli("openapi", str(project))

    assert refused.returncode == 2
    assert "run make install first" in refused.stderr
