"""A stack has the outputs that something reads."""

import json
import re
from pathlib import Path

from rendering import ROOT, kept_from, template
from variants import Variant, all_variants, is_retired

from sls_patterns_cli.catalog.compiler import graph_file
from sls_patterns_cli.catalog.compiler.outputs import read_by_tool

PATTERNS = ROOT / "templates/patterns"
SAM = [each for each in all_variants() if each.iac == "sam" and not is_retired(each)]
OUTPUT = re.compile(r"^  (\w+):$", re.MULTILINE)
WORD = re.compile(r"\b[A-Z]\w+\b")
OF_FUNCTIONS_AND_LOGS = re.compile(r"(FunctionName|LogGroupName|FunctionAliasArn|ParameterName)$")
BUILT = re.compile(r"\}(Function(?:Name|LogGroupName))\b")
"""How the name ends that a proof makes from that of a function."""


def test_each_output_of_a_function_or_log_is_read() -> None:
    unread: dict[tuple[str, str], set[str]] = {}
    for variant in SAM:
        found = _unread(kept_from(template(), **variant.answers), _sent_back(variant))
        place = variant.pattern, variant.topology
        unread[place] = found & unread.get(place, found)

    assert {place: names for place, names in unread.items() if names} == {}


def _sent_back(variant: Variant) -> set[str]:
    """Return the outputs that the tool for dead letters of a released project reads."""
    graph = graph_file(variant.topology, variant.datastore)
    return read_by_tool(json.loads((PATTERNS / variant.pattern / graph).read_text())["redrive"])


def _unread(project: Path, by_tool: set[str]) -> set[str]:
    """Return what no other file of a project names."""
    outputs = (project / "template.yaml").read_text().partition("\nOutputs:\n")[2]
    texts = {
        file: file.read_text()
        for file in project.rglob("*")
        if file.is_file() and file.name != "template.yaml" and "src" not in file.parts
    }
    read = {word for text in texts.values() for word in WORD.findall(text)}
    ended = {each for text in texts.values() for each in BUILT.findall(text)}
    return {
        name
        for name in OUTPUT.findall(outputs)
        if OF_FUNCTIONS_AND_LOGS.search(name)
        and name not in read
        and not name.endswith(tuple(ended))
        and name not in by_tool
    }
