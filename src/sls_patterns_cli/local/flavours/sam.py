"""SAM: the template is a file of the project, and names the folders of its code."""

from typing import Any

from sls_patterns_cli.cloudformation.document import read, read_json
from sls_patterns_cli.cloudformation.sam import expand
from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local.assembly import CODE_BUCKET, Assembly
from sls_patterns_cli.local.languages.code import Code, Properties
from sls_patterns_cli.local.project import Project


class Sam:
    def __init__(self, project: Project) -> None:
        self._project = project

    def assemble(self) -> Assembly:
        project = self._project
        file = project.root / "template.yaml"
        if not file.is_file():
            raise UserError(f"{project.root} has no template.yaml.")
        template = read(file)
        code: dict[str, Code] = {}

        def address(uri: str, function: str = "", esbuild: Properties | None = None) -> str:
            folder = (project.root / uri).resolve()
            if not folder.is_dir():
                raise UserError(f"{file} names the code folder {uri}, which does not exist.")
            if not folder.is_relative_to(project.root):
                raise UserError(f"{file} names the code folder {uri}, outside the project.")
            key = f"{function or folder.relative_to(project.root)}.zip".replace("/", "-")
            code[key] = Code(folder, esbuild)
            return f"s3://{CODE_BUCKET}/{key}"

        shared_uri = template.get("Globals", {}).get("Function", {}).pop("CodeUri", None)
        for name, resource in template["Resources"].items():
            own = resource.get("Properties", {})
            uri = own.get("CodeUri", None if "InlineCode" in own else shared_uri)
            if resource["Type"] == "AWS::Serverless::Function" and isinstance(uri, str):
                esbuild = _esbuild(resource)
                own["CodeUri"] = address(uri, name if esbuild else "", esbuild)
            if isinstance(own.get("DefinitionUri"), str):
                own["Definition"] = read_json(project.root / own.pop("DefinitionUri"))
        return Assembly(expand(template, project.region), code)


def _esbuild(function: dict[str, Any]) -> Properties | None:
    """The options of esbuild for a function that it builds."""
    metadata = function.get("Metadata", {})
    bundled = metadata.get("BuildMethod") == "esbuild"
    return metadata.get("BuildProperties", {}) if bundled else None
