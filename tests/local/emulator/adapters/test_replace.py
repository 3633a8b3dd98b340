"""What guards the adapters against another version of the emulator."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from sls_patterns_cli.local.emulator import adapters


@pytest.fixture(autouse=True)
def nothing_relied_on() -> Iterator[None]:
    before = [*adapters.relied_on]
    adapters.relied_on.clear()
    yield
    adapters.relied_on[:] = before


def first() -> str:
    return "first"


def test_code_that_is_not_what_an_adapter_was_written_for_is_named() -> None:
    adapters.rely_on(first, "0" * 12)

    with pytest.raises(
        adapters.EmulatorChangedError, match=r"test_replace\.first has the fingerprint"
    ):
        adapters.verify()


def test_what_is_replaced_is_relied_on() -> None:
    module = {"function": first}

    adapters.replace(module, "function", "0" * 12, lambda original: original)

    assert adapters.relied_on == [(first, "0" * 12)]


def test_the_installed_emulator_is_the_one_that_the_adapters_were_written_for() -> None:
    # In a process of its own: what they replace stays replaced.
    code = """
from sls_patterns_cli.local.emulator import adapters
adapters.apply_all()
adapters.verify()
print(len(adapters.relied_on))
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )

    assert result.returncode == 0, result.stderr
    assert int(result.stdout) > len(adapters.ADAPTERS) / 2
