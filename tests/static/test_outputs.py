"""A stack has the outputs that something reads."""

import re
from pathlib import Path

from rendering import kept_from, template
from variants import all_variants, is_retired

SAM = [each for each in all_variants() if each.iac == "sam" and not is_retired(each)]
OUTPUT = re.compile(r"^  (\w+):$", re.MULTILINE)
WORD = re.compile(r"\b[A-Z]\w+\b")
OF_FUNCTIONS_AND_LOGS = re.compile(r"(FunctionName|LogGroupName|FunctionAliasArn|ParameterName)$")
BUILT = re.compile(r"\}(Function(?:Name|LogGroupName))\b")
"""How the name ends that a proof makes from that of a function."""

OF_FUNCTION = re.compile("(LogGroupName|AliasArn|Name)$")
BY_TOOL = re.compile(r'outputs,\s+"\w+",\s+"(\w+)"')
"""A function whose failures the tool for dead letters sends back."""


def test_each_output_of_a_function_or_log_is_read() -> None:
    unread: dict[tuple[str, str], set[str]] = {}
    for variant in SAM:
        found = _unread(kept_from(template(), **variant.answers))
        place = variant.pattern, variant.topology
        unread[place] = found & unread.get(place, found)

    assert {place: names for place, names in unread.items() if names} == {}


def _unread(project: Path) -> set[str]:
    """Return what no other file of a project names."""
    outputs = (project / "template.yaml").read_text().partition("\nOutputs:\n")[2]
    texts = {
        file: file.read_text()
        for file in project.rglob("*")
        if file.is_file() and file.name != "template.yaml" and "src" not in file.parts
    }
    read = {word for text in texts.values() for word in WORD.findall(text)}
    ended = {each for text in texts.values() for each in BUILT.findall(text)}
    failed = {name for text in texts.values() for name in BY_TOOL.findall(text)}
    return {
        name
        for name in OUTPUT.findall(outputs)
        if OF_FUNCTIONS_AND_LOGS.search(name)
        and name not in read
        and not name.endswith(tuple(ended))
        and OF_FUNCTION.sub("", name) not in failed
    }
