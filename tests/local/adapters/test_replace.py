"""What guards the adapters against another version of the emulator."""

import types

import pytest

from sls_patterns_cli.local.adapters import EmulatorChangedError, replace


def first() -> str:
    return "first"


def test_what_is_not_the_expected_code_is_not_replaced() -> None:
    module = types.SimpleNamespace(function=first)
    with pytest.raises(EmulatorChangedError, match=r"test_replace\.first has the fingerprint"):
        replace(module, "function", "0" * 12, lambda original: original)
    assert module.function is first
