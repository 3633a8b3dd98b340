"""Build hook: puts a git bundle of every released version of the template into wheel and sdist."""

import importlib.util
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUNDLE = "_template.bundle"


class CustomBuildHook(BuildHookInterface[Any]):
    """Makes the bundle from history; where there is none, takes the one that an sdist carries."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the bundle to what is built; raises HistoryError in a shallow clone."""
        if version == "editable":
            return  # It reads the repository's history when it needs it.
        root = Path(self.root)
        bundle = root / BUNDLE
        if (root / ".git").exists():
            bundle = root / "build" / BUNDLE
            versions = _history(root).write_bundle(root, bundle)
            self.app.display_info(f"template versions: {', '.join(versions) or 'none released'}")
        if bundle.is_file():
            inside = BUNDLE if self.target_name == "sdist" else f"sls_patterns_cli/{BUNDLE}"
            build_data["force_include"][str(bundle)] = inside
        else:
            self.app.display_warning("without any released version, `update` will need --source")


def _history(root: Path) -> Any:
    """The package's module, which cannot be imported before it is built."""
    spec = importlib.util.spec_from_file_location(
        "history", root / "src/sls_patterns_cli/history.py"
    )
    assert spec and spec.loader  # noqa: PT018, S101 - a path that ends in .py has both
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
