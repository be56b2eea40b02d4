"""One network namespace: commands, processes and sockets inside it."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tests.natlab.names import NAMESPACES

CLONE_NEWNET = 0x40000000
T = TypeVar("T")

# No duplicate address detection or automatic addresses (they take seconds), no redirects, no limit of ICMP
# errors, no packet filter on bridged frames (it would break hairpin): /proc/sys/net/...
QUIET = {
    "ipv4/conf/all/rp_filter": "0",
    "ipv4/conf/default/rp_filter": "0",
    "ipv4/conf/all/send_redirects": "0",
    "ipv4/conf/default/send_redirects": "0",
    "ipv4/icmp_ratelimit": "0",
    "ipv6/conf/all/accept_dad": "0",
    "ipv6/conf/default/accept_dad": "0",
    "ipv6/conf/default/addr_gen_mode": "1",
    "ipv6/conf/default/accept_ra": "0",
    "ipv6/icmp/ratelimit": "0",
    "bridge/bridge-nf-call-iptables": "0",
    "bridge/bridge-nf-call-ip6tables": "0",
}
FORWARDING = {"ipv4/ip_forward": "1", "ipv6/conf/all/forwarding": "1"}


class LabError(Exception):
    """The laboratory could not be built or changed; the text says which command failed and how."""


def command(arguments: Sequence[str], text: str = "") -> None:
    """Run it with this input.

    Raises LabError with its message if it fails.
    """
    done = subprocess.run(arguments, input=text, text=True, check=False, capture_output=True, timeout=30)
    if done.returncode:
        raise LabError(f"{' '.join(arguments)}: {done.stderr.strip()}\n{text}")


def batch(lines: Iterable[str]) -> None:
    """Commands of ip(8) outside of any namespace of ours, in one process."""
    command(["ip", "-batch", "-"], "".join(f"{line}\n" for line in lines))


class Namespace:
    """A network namespace that exists under this name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.processes: list[subprocess.Popen[Any]] = []

    def call(self, work: Callable[[], T]) -> T:
        """Run it in a thread inside the namespace and return its result, or raise what it raised.

        The sockets it makes and the processes it starts stay in the namespace.
        """
        results: list[T] = []
        errors: list[BaseException] = []

        def inside() -> None:
            try:
                with (NAMESPACES / self.name).open() as entry:
                    libc = ctypes.CDLL(None, use_errno=True)
                    if libc.setns(entry.fileno(), CLONE_NEWNET):
                        raise LabError(f"setns {self.name}: {os.strerror(ctypes.get_errno())}")
                results.append(work())
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
        if errors:
            raise errors[0]
        return results[0]

    def socket(self, family: int = socket.AF_INET, kind: int = socket.SOCK_DGRAM) -> socket.socket:
        """A socket of this process that belongs to the namespace."""
        return self.call(lambda: socket.socket(family, kind))

    def prefix(self) -> list[str]:
        """Put before a command to run it inside. It is killed when the thread that started it ends."""
        return ["ip", "netns", "exec", self.name, "setpriv", "--pdeathsig", "KILL", "--"]

    def run(self, arguments: Sequence[str], **keywords: Any) -> subprocess.CompletedProcess[str]:
        """Run a command inside to its end: `subprocess.run` with captured text and, at most, 60 seconds."""
        keywords = {"text": True, "capture_output": True, "timeout": 60, **keywords}
        check = keywords.pop("check", False)
        done: subprocess.CompletedProcess[str]
        done = subprocess.run([*self.prefix(), *arguments], check=check, **keywords)
        return done

    def popen(self, arguments: Sequence[str], **keywords: Any) -> subprocess.Popen[Any]:
        """Start a process inside; it is ended with the laboratory, or with the thread that started it."""
        process: subprocess.Popen[Any] = subprocess.Popen([*self.prefix(), *arguments], **keywords)
        self.processes.append(process)
        return process

    def ip(self, lines: Iterable[str]) -> None:
        """Commands of ip(8) inside, in one process."""
        command(["ip", "-n", self.name, "-batch", "-"], "".join(f"{line}\n" for line in lines))

    def nft(self, script: str) -> None:
        """Load a script of nft(8) inside, all of it or nothing."""
        self.call(lambda: command(["nft", "-f", "-"], script))

    def sysctl(self, values: Mapping[str, str]) -> None:
        """Write settings; the names are paths under /proc/sys/net. One the kernel lacks is left out."""

        def write() -> None:
            for name, value in values.items():
                path = Path("/proc/sys/net", name)
                if path.exists():
                    path.write_text(value)

        self.call(write)

    def has_udp_socket(self, port: int) -> bool:
        """Whether somebody inside has an IPv4 UDP socket on this port."""
        lines = self.call(lambda: Path("/proc/thread-self/net/udp").read_text()).splitlines()[1:]
        return any(line.split()[1].endswith(f":{port:04X}") for line in lines)

    def end_processes(self) -> None:
        """Ask the processes started here to end, then make them."""
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            try:
                process.wait(2)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    stream.close()
        self.processes.clear()
