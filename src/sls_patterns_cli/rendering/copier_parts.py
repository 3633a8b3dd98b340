"""What this tool takes from inside Copier, which is pinned: tests guard what we rely on."""

from copier import _main as main
from copier._jinja_ext import SandboxedEnvironment
from copier._main import Worker, as_operation
from copier._settings import SettingsModel
from copier._subproject import Subproject
from copier._template import Template
from copier._user_data import Question
from copier._vcs import get_repo

__all__ = [
    "Question",
    "SandboxedEnvironment",
    "SettingsModel",
    "Subproject",
    "Template",
    "Worker",
    "as_operation",
    "get_repo",
    "main",
]
