"""How to install a program on this system."""

import shutil
import sys

from sls_patterns_cli.doctor.programs import Need

PAGES = {
    "aws": "https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html",
    "git": "https://git-scm.com/downloads",
    "make": "https://www.gnu.org/software/make/",
    "node": "https://nodejs.org/en/download",
    "npm": "https://nodejs.org/en/download",
    "npx": "https://nodejs.org/en/download",
    "python3": "https://www.python.org/downloads/",
    "sam": "https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/install-sam-cli.html",
}
"""Where the makers of each program say how to install it."""

PACKAGES = {
    "brew": {"aws": "awscli", "git": "git", "make": "make", "sam": "aws-sam-cli"},
    "apt-get": {"git": "git", "make": "make"},
    "dnf": {"git": "git", "make": "make"},
    "apk": {"git": "git", "make": "make"},
    "pacman": {"git": "git", "make": "make"},
}
"""What package managers call the programs that they have in a version that will do."""

COMMANDS = {
    "brew": "brew install",
    "apt-get": "sudo apt-get install",
    "dnf": "sudo dnf install",
    "apk": "sudo apk add",
    "pacman": "sudo pacman -S",
}


def mend(need: Need) -> str:
    """A command that installs it on this system, or the page that says how."""
    manager = next((each for each in COMMANDS if shutil.which(each)), "")
    if package := PACKAGES.get(manager, {}).get(need.program):
        return f"{COMMANDS[manager]} {package}"
    if need.program == "sam":
        tool = "uv tool install" if shutil.which("uv") else "pipx install"
        return f"{tool} aws-sam-cli"
    if need.program == "make" and sys.platform == "darwin":
        return "xcode-select --install"
    return PAGES[need.program]
