"""What is wrong with a project and shows in its files is said in one line, and nothing starts."""

from pathlib import Path

import pytest
from local.support import write
from local.test_local_session import PROJECT

from sls_patterns_cli.errors import UserError
from sls_patterns_cli.local import session
from sls_patterns_cli.terminal.progress import Progress


class NoEmulator:
    """Stands for one that never has to be waited for."""

    def __init__(self, *_: object) -> None:
        pass

    def launch(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def wait(self) -> None:
        pytest.fail("the stack would be deployed")


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        (
            "template.yaml",
            "Runtime: python3.13",
            "Runtime: python3.12",
            (
                "Greet has the runtime python3.12, but the project's is python3.13; to change it "
                "for all functions: sls-patterns update --data runtime_version=VERSION"
            ),
        ),
        (
            "src/greeter/handlers/greet.py",
            "def handler(event, context):",
            "def handler(event, context)",
            "src/greeter/handlers/greet.py:4: expected ':'",
        ),
        (
            "src/greeter/handlers/greet.py",
            "import iniconfig",
            "import iniconfig\0",
            "src/greeter/handlers/greet.py:1: source code string cannot contain null bytes",
        ),
    ],
    ids=["another runtime", "a syntax error", "no source"],
)
def test_it_is_one_line_before_anything_is_deployed(  # noqa: PLR0913, PLR0917
    file: str,
    old: str,
    new: str,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session, "Emulator", NoEmulator)
    assert old in PROJECT[file]
    write(tmp_path, {**PROJECT, file: PROJECT[file].replace(old, new)})

    with pytest.raises(UserError) as refused:
        session.test(tmp_path, progress=Progress(lambda _: None))

    assert refused.value.message == says
    assert refused.value.exit_code == 2
