"""Virtual environments for generated projects: one for each distinct set of requirements."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ENVIRONMENTS = Path(__file__).parents[1] / "build/environments"
UV = Path(sys.executable).with_name("uv")


def environment(project: Path) -> Path:
    """Return the `bin` folder of an environment with what the project's development needs.

    It is made once, under a name of its own, and takes its place in one step, so that several
    test processes may ask for it at the same time.
    """
    requirements = project / "requirements-dev.txt"
    text = requirements.read_text() + (project / "src/requirements.txt").read_text()
    place = ENVIRONMENTS / hashlib.sha256(f"{sys.version} {text}".encode()).hexdigest()[:16]
    if not place.exists():
        making = place.with_name(f"{place.name}.{os.getpid()}")
        making.parent.mkdir(parents=True, exist_ok=True)
        _uv("venv", "--relocatable", "--python", sys.executable, making)
        _uv("pip", "install", "--python", making, "--requirements", requirements)
        try:
            making.rename(place)
        except OSError:  # another process was faster
            shutil.rmtree(making)
    return place / "bin"


def _uv(*arguments: str | Path) -> None:
    subprocess.run([UV, "--quiet", *arguments], check=True)
