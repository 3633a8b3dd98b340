"""The schemas of AWS resource types, read from the npm package `@cdktn/provider-aws`.

The package holds TypeScript's view of the real provider's schemas, one folder a type. It does not
say which optional attributes the provider computes where they are not set: COMPUTED does.
"""

import re
from pathlib import Path
from typing import Any

Schema = dict[str, Any]
COMPUTED = {"arn", "bucket", "id", "name", "region", "tags_all"}
TYPES = {
    "getStringAttribute": "string",
    "getNumberAttribute": "number",
    "getBooleanAttribute": "bool",
    "getListAttribute": ["list", "string"],
    "getNumberListAttribute": ["list", "number"],
    "getStringMapAttribute": ["map", "string"],
    "getNumberMapAttribute": ["map", "number"],
    "getBooleanMapAttribute": ["map", "bool"],
    "interpolationForAttribute": "dynamic",
}
GETTER = re.compile(r"get (\w+)\(\) \{\s*return (.*?this\.(\w+)\('(\w+)'\).*);")
NESTED = re.compile(r"this\._\w+ = new (\w+)\(this, \"(\w+)\"(?:, (true|false))?\);")
SETTABLE = re.compile(
    r"^ {8,12}(\w+): \{\n\s+value: .*\n\s+isBlock: (\w+),\n\s+type: \"(\w+)\"", re.MULTILINE
)
SECTION = re.compile(r"^(?:export )?(?:class|function) (\w+)", re.MULTILINE)


def read(package: Path, terraform_type: str, *, data: bool = False) -> Schema:
    """Return the block of one resource type or data source: its attributes and nested blocks."""
    folder = ("data-aws-" if data else "") + terraform_type.removeprefix("aws_").replace("_", "-")
    source = (package / "lib" / folder / "index.js").read_text()
    cuts = [(match[1], match.start()) for match in SECTION.finditer(source)]
    sections: dict[str, str] = {}
    for (name, start), end in zip(cuts, [*(cut[1] for cut in cuts[1:]), len(source)], strict=True):
        sections[name] = source[start:end]
    declared = (package / "lib" / folder / "index.d.ts").read_text()
    main = next(
        name
        for name, text in sections.items()
        if re.search(r"extends cdktn\.Terraform(Resource|Data)", text)
    )
    return _block(sections, _required(declared), main)


def _required(declared: str) -> dict[str, set[str]]:
    """Return what each interface requires, in camel case."""
    return {
        match[1]: set(re.findall(r"readonly (\w+): ", match[2]))
        for match in re.finditer(r"export interface (\w+)[^{]*\{(.*?)\n\}", declared, re.DOTALL)
    }


def _block(sections: dict[str, str], required: dict[str, set[str]], name: str) -> Schema:
    struct = name.removesuffix("OutputReference").removesuffix("List")
    main = f"{struct}OutputReference" not in sections
    body = sections[struct if main else f"{struct}OutputReference"]
    to_hcl = struct[0].lower() + struct[1:] + "ToHclTerraform"
    settable = {
        match[1]: (match[2] == "true", match[3])
        for match in SETTABLE.finditer(body if main else sections.get(to_hcl, ""))
    }
    needed = required.get(f"{struct}Config" if main else struct, set())
    block: Schema = {"attributes": {}, "blocks": {}}
    for camel, expression, getter, attribute in GETTER.findall(body):
        kind: Any = TYPES[getter]
        if "Fn.tolist" in expression:
            kind = ["set", kind[1]]
        is_needed = attribute in settable and camel in needed
        block["attributes"][attribute] = {
            "type": kind,
            "required": is_needed,
            "optional": attribute in settable and not is_needed,
            "computed": attribute not in settable or (attribute in COMPUTED and not is_needed),
        }
    for nested, attribute, is_set in NESTED.findall(body):
        is_block, _ = settable.get(attribute, (False, ""))
        inner = _block(sections, required, nested)
        nesting = "set" if is_set == "true" else "list"
        if nested.endswith("Map"):
            nesting = "map"
        if attribute == "timeouts":
            nesting = "single"
        if is_block:
            most = 0 if nested.endswith("List") else 1
            block["blocks"][attribute] = {"block": inner, "nesting": nesting, "max_items": most}
        elif attribute not in settable:
            kind = [nesting, _object(inner)]
            block["attributes"][attribute] = {"type": kind, "computed": True}
    return block


def _object(block: Schema) -> Any:
    """Return a block as the type of an object."""
    return [
        "object",
        {
            **{name: attribute["type"] for name, attribute in block["attributes"].items()},
            **{
                name: [nested["nesting"], _object(nested["block"])]
                for name, nested in block["blocks"].items()
            },
        },
    ]
