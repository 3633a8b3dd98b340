"""What the operating system says about processes."""

import socket
import struct
import subprocess
from pathlib import Path

from sls_patterns_cli.local.emulator import runtimes


def alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return bool(state) and not state.startswith("Z")


def descendants(pid: int) -> set[int]:
    """The processes that a process has started, and those that they have started."""
    rows = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    children: dict[int, list[int]] = {}
    for row in rows:
        child, parent = map(int, row.split())
        children.setdefault(parent, []).append(child)
    found: set[int] = set()
    pending = [pid]
    while pending:
        for child in children.get(pending.pop(), []):
            found.add(child)
            pending.append(child)
    return found


def environments(emulator: int) -> set[int]:
    """The processes in which an emulator runs functions.

    Those of Python are forked by a process of their function, which is forked by one that has the
    packages imported.
    """
    rows = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    running = {
        int(pid): (int(parent), " ".join(words))
        for pid, parent, *words in map(str.split, rows)  # some processes have no words
    }
    return {
        pid
        for pid in descendants(emulator) & running.keys()
        if str(runtimes.FOLDER) in (command := running[pid][1])
        and _generations(running, pid, emulator) == (3 if ".py" in command else 1)
    }


def _generations(running: dict[int, tuple[int, str]], pid: int, ancestor: int) -> int:
    return 0 if pid == ancestor else 1 + _generations(running, running[pid][0], ancestor)


def listening_addresses(pid: int) -> set[tuple[str, int]]:
    """The IPv4 and IPv6 addresses on which a process listens (Linux)."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        target = str(descriptor.readlink()) if descriptor.is_symlink() else ""
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    addresses = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            listens = fields[3] == "0A" or (table.startswith("udp") and fields[2].endswith(":0000"))
            if fields[9] in inodes and listens:
                host, port = fields[1].split(":")
                is_v4 = len(host) == 8
                text = socket.inet_ntoa(struct.pack("<I", int(host, 16))) if is_v4 else host
                addresses.add((text, int(port, 16)))
    return addresses
