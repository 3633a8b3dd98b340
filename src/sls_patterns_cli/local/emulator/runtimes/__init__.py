"""Programs that run beside a function's code, on the function's own interpreter."""

from pathlib import Path

FOLDER = Path(__file__).parent

REQUIREMENTS_FOLDER = ".requirements-folder"
"""A file in a package or layer: a line each, the folders from which Python imports as well."""

MODULES_FOLDER = ".modules-folder"
"""The same for Node.js, whose folders are called node_modules."""
