"""Build hook: puts the released versions of the template into wheel and sdist, and their address.

The versions are a git bundle. The address is the setting `address` in pyproject.toml.
"""

import importlib.util
import re
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUNDLE = "_template.bundle"
ADDRESS = "_template.address"

ADDRESSES = re.compile(r"(https?|ssh|git|file)://(?![^/]*:[^/]*@)\S+|git@[^:\s]+:\S+")
"""What plain Copier clones and Renovate takes for an address, without a password.

https://github.com/renovatebot/renovate/blob/main/lib/modules/manager/copier/schema.ts
"""


class CustomBuildHook(BuildHookInterface[Any]):
    """Makes the bundle from history; where there is none, takes the one that an sdist carries."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add bundle and address to what is built.

        A wheel that is built from a shallow clone has no versions: pre-commit clones so, and
        installs the wheel. What is published is built from the sdist, so that raises HistoryError.
        Raises ValueError for what is no address.
        """
        if version == "editable":
            return  # It reads the repository's history when it needs it.
        root = Path(self.root)
        if self.target_name == "wheel":
            self._add_address(root, build_data)
        bundle = root / BUNDLE
        if (root / ".git").exists():
            bundle = root / "build" / BUNDLE
            self._write_bundle(root, bundle)
        if bundle.is_file():
            inside = BUNDLE if self.target_name == "sdist" else f"sls_patterns_cli/{BUNDLE}"
            build_data["force_include"][str(bundle)] = inside
        else:
            self.app.display_warning("without any released version, `update` will need --source")

    def _write_bundle(self, root: Path, bundle: Path) -> None:
        history = _history(root)
        try:
            versions = history.write_bundle(root, bundle)
        except history.HistoryError as error:
            if self.target_name != "wheel":
                raise
            self.app.display_warning(str(error))
        else:
            self.app.display_info(f"template versions: {', '.join(versions) or 'none released'}")

    def _add_address(self, root: Path, build_data: dict[str, Any]) -> None:
        address = str(self.config.get("address", ""))
        if not address:
            self.app.display_warning("without an address, projects are updated by this tool alone")
            return
        if not ADDRESSES.fullmatch(address):
            raise ValueError(
                f"tool.hatch.build.hooks.custom.address is {address!r}, but must be a git address "
                "without a password, such as https://git.example.com/sls-patterns.git"
            )
        file = root / "build" / ADDRESS
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"{address}\n", encoding="utf-8")
        build_data["force_include"][str(file)] = f"sls_patterns_cli/{ADDRESS}"


def _history(root: Path) -> Any:
    """The package's module, which cannot be imported before it is built."""
    spec = importlib.util.spec_from_file_location(
        "history", root / "src/sls_patterns_cli/updating/history.py"
    )
    assert spec and spec.loader  # noqa: PT018, S101 - a path that ends in .py has both
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
