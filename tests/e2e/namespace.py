"""A network namespace of our own: default ports, nothing but loopback, nobody else's traffic."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from pathlib import Path

CLONE_NEWNET = 0x40000000
HOSTS = "127.0.0.1 localhost\n::1 localhost\n"


class NoNamespaceError(Exception):
    """This machine or this user may not make network namespaces."""


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], check=False, capture_output=True, text=True, timeout=20)
    if done.returncode:
        raise NoNamespaceError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


class Namespace:
    """Made on construction; the calling thread is inside it between :meth:`enter` and :meth:`close`.

    A thread's sockets, and the processes and threads it starts, belong to the namespace it is in.
    """

    def __init__(self) -> None:
        if os.geteuid() != 0:
            raise NoNamespaceError("not root")
        self.name = f"wlnet-e2e-{os.getpid()}"
        self._folder = Path("/etc/netns") / self.name
        self._outside = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        _ip("netns", "add", self.name)
        try:
            self._furnish()
        except BaseException:
            self.close()
            raise

    def _furnish(self) -> None:
        inside = ("netns", "exec", self.name, "ip")
        _ip(*inside, "link", "set", "lo", "up")
        # The client looks names up with AI_ADDRCONFIG: without other than loopback addresses it
        # finds none, not even for "127.0.0.1".
        _ip(*inside, "address", "add", "10.99.0.1/32", "dev", "lo")
        _ip(*inside, "-6", "address", "add", "fd99::1/128", "dev", "lo", "nodad")
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "hosts").write_text(HOSTS)

    def enter(self) -> None:
        with Path(f"/run/netns/{self.name}").open() as inside:
            self._set(inside.fileno())

    @staticmethod
    def _set(descriptor: int) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(descriptor, CLONE_NEWNET):
            raise NoNamespaceError(f"setns: {os.strerror(ctypes.get_errno())}")

    @property
    def prefix(self) -> list[str]:
        """Put before a command: runs it inside, with our hosts file, and ends it when this test dies."""
        return ["ip", "netns", "exec", self.name, "setpriv", "--pdeathsig", "KILL", "--"]

    def close(self) -> None:
        """Back to where the thread was before, and remove everything."""
        self._set(self._outside)
        os.close(self._outside)
        _ip("netns", "delete", self.name)
        shutil.rmtree(self._folder, ignore_errors=True)
