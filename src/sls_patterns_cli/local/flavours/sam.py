"""SAM: the template is a file of the project, and names the folders of its code."""

import hashlib
from pathlib import Path
from typing import Any

from sls_patterns_cli.cloudformation.document import read, read_json
from sls_patterns_cli.cloudformation.sam import expand
from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local.assembly import CODE_BUCKET, Assembly
from sls_patterns_cli.local.flavours import runtimes
from sls_patterns_cli.local.languages import Language
from sls_patterns_cli.local.languages.code import Code, Properties
from sls_patterns_cli.local.project import Project


class Sam:
    def __init__(self, project: Project, language: Language) -> None:
        self._project = project
        self._language = language

    def assemble(self) -> Assembly:
        project = self._project
        file = project.root / "template.yaml"
        if not file.is_file():
            raise UserError(f"{project.root} has no template.yaml.")
        template = read(file)
        shared = template.get("Globals", {}).get("Function", {})
        shared_uri = shared.pop("CodeUri", None)
        functions: dict[str, Code] = {}
        for name, resource in template["Resources"].items():
            own = resource.get("Properties", {})
            uri = own.get("CodeUri", None if "InlineCode" in own else shared_uri)
            if resource["Type"] == "AWS::Serverless::Function" and isinstance(uri, str):
                functions[name] = Code(self._folder(file, uri), _esbuild(resource))
                runtimes.refuse_other(project, name, own.get("Runtime", shared.get("Runtime")))
            if isinstance(own.get("DefinitionUri"), str):
                own["Definition"] = read_json(project.root / own.pop("DefinitionUri"))
        packages: dict[str, bytes] = {}
        # Functions with the same code have one package.
        built: dict[tuple[Path, str], str] = {}
        for name, code in functions.items():
            part = name if code.esbuild else ""
            if (code.folder, part) not in built:
                package = self._language.package(code)
                key = f"{hashlib.sha256(package).hexdigest()}.zip"
                packages[key], built[code.folder, part] = package, key
            uri = f"s3://{CODE_BUCKET}/{built[code.folder, part]}"
            template["Resources"][name]["Properties"]["CodeUri"] = uri
        return Assembly(expand(template, project.region), packages)

    def _folder(self, file: Path, uri: str) -> Path:
        """The folder that a template names by `uri`; raises UserError unless it is one of ours."""
        folder = (self._project.root / uri).resolve()
        if not folder.is_dir():
            raise UserError(f"{file} names the code folder {uri}, which does not exist.")
        if not folder.is_relative_to(self._project.root):
            raise UserError(f"{file} names the code folder {uri}, outside the project.")
        return folder


def _esbuild(function: dict[str, Any]) -> Properties | None:
    """The options of esbuild for a function that it builds."""
    metadata = function.get("Metadata", {})
    bundled = metadata.get("BuildMethod") == "esbuild"
    return metadata.get("BuildProperties", {}) if bundled else None
