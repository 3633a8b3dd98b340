"""What shared templates offer is rendered only where a project uses it."""

import re
from collections import Counter
from collections.abc import Collection

import pytest
from rendering import kept_from, template
from variants import Variant, all_variants

OF_SAM = [each for each in all_variants() if each.iac == "sam"]
OF_EACH_PATTERN = {each.pattern: each for each in OF_SAM if each.runtime == "python"}.values()
OF_EACH_TOPOLOGY = {
    (each.pattern, each.topology): each for each in OF_SAM if each.runtime == "typescript"
}.values()
IMPORTED = re.compile(
    r"sdk import .*temporary_failures_as|temporaryFailuresAs } from \"\.+/sdk\.ts"
)

REFUSING = re.compile(r"permanent_failures_as\(RejectedError|permanentFailuresAs\(RejectedError")


@pytest.mark.parametrize(
    "variants", [OF_EACH_PATTERN, pytest.param(OF_SAM, marks=pytest.mark.exhaustive)]
)
def test_only_a_project_that_tells_temporary_failures_has_code_for_it(
    variants: Collection[Variant],
) -> None:
    wrong = []
    for variant in variants:
        project = kept_from(template(), **variant.answers)
        modules = {file: file.read_text() for file in project.glob("src/**/*.[pt][ys]")}
        offered = any("emporary" in text for file, text in modules.items() if file.stem == "sdk")
        if offered != any(map(IMPORTED.search, modules.values())):
            wrong.append(variant)

    assert wrong == []


def test_only_a_consumer_that_writes_to_a_database_has_code_for_refusals() -> None:
    wrong = []
    for variant in OF_SAM:
        project = kept_from(template(), **variant.answers)
        modules = {file: file.read_text() for file in project.glob("src/**/*.[pt][ys]")}
        offered = {
            file.stem
            for file, text in modules.items()
            if (file.stem == "batches" and "class RejectedError" in text)
            or (file.stem == "database" and "ermanent" in text)
        }
        used = any(map(REFUSING.search, modules.values()))
        if offered != ({"batches", "database"} if used else set()):
            wrong.append(variant)

    assert wrong == []


def test_only_a_project_that_reads_json_texts_has_code_for_it() -> None:
    wrong = []
    for variant in OF_EACH_TOPOLOGY:
        project = kept_from(template(), **variant.answers)
        offered = (project / "src/json.ts").exists()
        used = any("/json.ts" in file.read_text() for file in project.glob("src/**/*.ts"))
        if offered != used:
            wrong.append(variant)

    assert wrong == []


DEFINED = {
    "python": re.compile(r"(?:^(@.*)\n)?^ *(?:async )?(?:def|class) (\w+)", re.MULTILINE),
    "typescript": re.compile(
        r"()^export (?:async )?(?:function|class|const|interface|type) (\w+)", re.MULTILINE
    ),
}
CALLED_ELSEWHERE = {
    **dict.fromkeys(("handler", "__call__", "__str__"), "the language and Lambda call it"),
    **dict.fromkeys(("do_GET", "do_PATCH", "do_POST", "log_message"), "http.server calls it"),
    **dict.fromkeys(("base64Encode", "parseJson"), "mapping templates call it"),
    **dict.fromkeys(("_from_stored", "fits", "names_differ"), "Pydantic calls a validator"),
    **dict.fromkeys(
        ("item_of", "json_of", "itemOf", "modelOf", "moment"),
        "how models are stored is one thing: a field or a function more needs the rest of it",
    ),
    "errorResponse": "where strangler moves a part only, a route that users add refuses by it",
}
"""What nothing names in some project, with the reason why it is there."""


def test_what_a_project_defines_is_named_once_more() -> None:
    unused = set()
    for variant in OF_SAM:
        project = kept_from(template(), **variant.answers)
        files = [each for each in project.rglob("*.[pt][ys]") if each.is_file()]
        texts = {each: each.read_text() for each in files}
        named = Counter(word for text in texts.values() for word in re.findall(r"\w+", text))
        unused |= {
            (variant.pattern, file.name, name)
            for file, text in texts.items()
            if "harness" not in file.parts
            for decorated, name in DEFINED[variant.runtime].findall(text)
            if not decorated and named[name] == 1 and not name.startswith("test_")
        }

    assert {each for each in unused if each[2] not in CALLED_ELSEWHERE} == set()
    assert CALLED_ELSEWHERE.keys() <= {name for _, _, name in unused} | {"handler"}
