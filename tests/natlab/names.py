"""Names of what a laboratory makes, and removing what a crashed one left behind."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

NAMESPACES = Path("/run/netns")
PREFIX = "wlnl"
_OURS = re.compile(rf"{PREFIX}-(?P<pid>\d+)-(?P<start>\d+)-")
_numbers = itertools.count(1)
DEADLINE = 10.0


def _start_of(pid: int) -> str | None:
    """When the process started, in ticks since boot (a pid alone is reused); None if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return stat.rpartition(")")[2].split()[19]


def stem() -> str:
    """The start of all names of one more laboratory of this process."""
    pid = os.getpid()
    return f"{PREFIX}-{pid}-{_start_of(pid)}-{next(_numbers)}"


def _is_leftover(name: str) -> bool:
    ours = _OURS.match(name)
    return ours is not None and _start_of(int(ours["pid"])) != ours["start"]


def namespaces(start: str) -> list[str]:
    """Names of the existing namespaces that begin with this."""
    if not NAMESPACES.is_dir():
        return []
    return sorted(path.name for path in NAMESPACES.iterdir() if path.name.startswith(start))


def processes_in(names: list[str]) -> list[int]:
    """The processes in these namespaces, without this one."""
    inodes = set()
    for name in names:
        try:
            inodes.add((NAMESPACES / name).stat().st_ino)
        except OSError:
            continue
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            inode = (entry / "ns/net").stat().st_ino
        except OSError:
            continue
        if inode in inodes:
            found.append(int(entry.name))
    return found


def remove(names: list[str]) -> None:
    """End the processes in these namespaces and delete them. One that is gone already is no error."""
    if not names:
        return
    deadline = time.monotonic() + DEADLINE
    while (left := processes_in(names)) and time.monotonic() < deadline:
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.01)
    lines = "".join(f"netns delete {name}\n" for name in names)
    subprocess.run(["ip", "-force", "-batch", "-"], input=lines, text=True, check=False, capture_output=True)


def sweep() -> list[str]:
    """Remove what laboratories of processes that no longer exist left behind; says what that was."""
    leftovers = [name for name in namespaces(f"{PREFIX}-") if _is_leftover(name)]
    remove(leftovers)
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}-*"):
        if _is_leftover(folder.name):
            shutil.rmtree(folder, ignore_errors=True)
    return leftovers
