"""What checkov finds in a template, beside what its project says that it need not report."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

CONFIG = Path(__file__).parent / "static/checkov.yaml"

SHOWN = {"CKV_AWS_59"}
"""What a project is told: who may call its API is the decision of its owner."""


def unexplained(printed: str, projects: Mapping[Path, Path]) -> Iterator[str]:
    """Yield what checkov has found in templates without a reason, by the projects of these."""
    report = json.loads(printed)
    assert report["summary"]["passed"] > 0
    for found in report["results"]["failed_checks"]:
        template = Path(found["file_abs_path"]).resolve()
        settings = yaml.safe_load((projects[template] / ".checkov.yaml").read_text())
        if found["check_id"] not in {*settings["skip-check"], *SHOWN}:
            yield f"{found['check_id']} {template.name}: {found['resource']}"
