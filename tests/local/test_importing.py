"""What is deployed is imported once before the proofs: one line instead of a failure for each."""

from pathlib import Path

import pytest
from local.support import write
from local.test_local_session import PROJECT

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local import importing, session

GREET, RULES = "src/greeter/handlers/greet.py", "src/greeter/logic.py"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        pytest.param(
            {
                GREET: PROJECT[GREET],
                RULES: "",
                "src/greeter/handlers/wave.py": "import not_there\n",
            },
            "Wave cannot be imported: ModuleNotFoundError: No module named 'not_there' "
            "(src/greeter/handlers/wave.py, line 1); no proof was run",
            id="one-function",
        ),
        pytest.param(
            {
                GREET: f"import greeter.logic\n{PROJECT[GREET]}",
                RULES: "LIMIT = 1\nSHARE = 1 / (LIMIT - 1)\n",
                "src/greeter/handlers/wave.py": "import greeter.logic\ndef handler(*_): pass\n",
            },
            "Greet, Wave cannot be imported: ZeroDivisionError: division by zero "
            "(src/greeter/logic.py, line 2); no proof was run",
            id="what-both-import",
        ),
    ],
)
def test_a_function_that_cannot_be_imported_is_one_line(
    files: dict[str, str], said: str, tmp_path: Path
) -> None:
    second = """  Wave:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: src/, Runtime: python3.13, Handler: greeter.handlers.wave.handler}
Outputs"""
    template = PROJECT["template.yaml"].replace("Outputs", second)
    write(tmp_path, {**PROJECT, "template.yaml": template, **files})
    proofs = tmp_path / "tests/e2e/test_proofs.py"
    proofs.write_text("def test_runs():\n    open('ran', 'w').close()\n")

    with pytest.raises(UserError) as raised:
        session.test(tmp_path)

    assert (raised.value.message, raised.value.exit_code) == (said, 1)
    assert not (tmp_path / "ran").exists()


def test_the_line_of_a_stack_of_node_is_that_of_the_source(tmp_path: Path) -> None:
    write(tmp_path, {"src/handlers/wave.ts": ""})
    said = """TypeError: undefined is not a function
TypeError: undefined is not a function
    at Object.<anonymous> (/tmp/emulator/task/work/greeter/src/handlers/wave.ts:24:51)
    at Module._compile (node:internal/modules/cjs/loader:1872:14)"""

    assert importing.cause(said, tmp_path) == (
        "TypeError: undefined is not a function (src/handlers/wave.ts, line 24)"
    )
    assert importing.cause(said, tmp_path / "elsewhere") == "TypeError: undefined is not a function"
