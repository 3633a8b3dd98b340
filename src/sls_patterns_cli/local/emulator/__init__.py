"""AWS on this machine, for any stack: an emulator, and what closes its gaps. README.md has more."""
