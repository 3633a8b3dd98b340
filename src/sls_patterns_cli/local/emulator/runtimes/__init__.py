"""Programs that run beside a function's code, on the function's own interpreter."""

REQUIREMENTS_FOLDER = ".requirements-folder"
"""A file in a package that says where the package's requirements are installed."""
