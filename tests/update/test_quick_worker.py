"""Guards what quick_worker.py overrides in Copier: each test fails when Copier changes it."""

import subprocess
import sys
from functools import cached_property
from importlib import import_module
from inspect import Parameter, signature
from typing import Any

import jinja2
from copier._main import Worker
from questionary import Choice

from sls_patterns_cli.rendering import copier_without_prompts


def parameters(function: Any) -> list[str]:
    return [
        parameter.name
        for parameter in signature(function).parameters.values()
        if parameter.kind is not Parameter.KEYWORD_ONLY
    ]


def test_copier_still_has_what_is_overridden() -> None:
    assert parameters(Worker._render_template) == ["self"]
    assert parameters(Worker._render_context) == ["self"]
    assert parameters(Worker._render_string) == ["self", "string", "extra_context"]
    assert isinstance(vars(Worker)["answers_relpath"], property)
    assert parameters(Worker._sync_git_index_executable_bit) == ["self", "dst_relpath", "src_mode"]
    assert isinstance(vars(Worker)["jinja_env"], cached_property)
    compile_parameters = parameters(jinja2.Environment.compile)
    assert compile_parameters == ["self", "source", "name", "filename", "raw", "defer_init"]


def test_a_command_that_asks_nothing_loads_nothing_that_asks() -> None:
    program = """
import sys
from sls_patterns_cli.rendering import copier_without_prompts
copier_without_prompts.import_copier()
import copier
print(*{name.partition(".")[0] for name in sys.modules})
"""
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()

    assert "copier" in loaded
    assert not {"prompt_toolkit", "pygments", "questionary"}.intersection(loaded)


def test_what_stands_in_for_prompts_is_there_and_does_the_same() -> None:
    for module, names in copier_without_prompts.STAND_INS.items():
        assert all(hasattr(import_module(module), name) for name in names)
    stand_in = copier_without_prompts.STAND_INS["questionary.prompts.common"]["Choice"]
    for arguments in (("a", "b"), ("a", None), ("a", 0, "why not")):
        ours, theirs = stand_in(*arguments), Choice(*arguments)
        assert (ours.title, ours.value, ours.disabled) == (
            theirs.title,
            theirs.value,
            theirs.disabled,
        )
