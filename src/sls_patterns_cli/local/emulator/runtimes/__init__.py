"""Programs that run beside a function's code, on the function's own interpreter."""

from pathlib import Path

FOLDER = Path(__file__).parent

REQUIREMENTS_FOLDER = ".requirements-folder"
"""A file in a package that says where the package's requirements are installed."""
