"""What this tool takes from inside Copier, which is pinned: tests guard what we rely on."""

from copier._jinja_ext import SandboxedEnvironment
from copier._main import Worker, as_operation
from copier._settings import SettingsModel
from copier._subproject import Subproject
from copier._template import Template
from copier._vcs import get_repo

__all__ = [
    "SandboxedEnvironment",
    "SettingsModel",
    "Subproject",
    "Template",
    "Worker",
    "as_operation",
    "get_repo",
]
