"""A router's UPnP IGD, NAT-PMP and PCP: the real miniupnpd."""

from __future__ import annotations

import subprocess
import tempfile
import time
import uuid
from pathlib import Path

from tests.natlab import rules
from tests.natlab.namespace import LabError, Namespace

PORT = 5351
DEADLINE = 5.0


class Igd:
    """miniupnpd in a router's namespace. `stem` begins the name of its folder."""

    def __init__(self, namespace: Namespace, stem: str, inside: str) -> None:
        self._namespace = namespace
        self._folder = tempfile.TemporaryDirectory(prefix=f"{stem}-igd-")
        self._configuration = Path(self._folder.name) / "miniupnpd.conf"
        self._log = Path(self._folder.name) / "log"
        lines = [
            "ext_ifname=wan",
            "listening_ip=lan",
            "http_port=0",
            "enable_upnp=yes",
            "enable_natpmp=yes",
            "secure_mode=yes",
            "system_uptime=no",
            "min_lifetime=2",
            f"uuid={uuid.uuid4()}",
            f"upnp_table_name={rules.TABLE}",
            f"upnp_nat_table_name={rules.TABLE}",
            f"upnp_forward_chain={rules.IGD_FORWARD}",
            f"upnp_nat_chain={rules.IGD_DSTNAT}",
            f"upnp_nat_postrouting_chain={rules.IGD_SRCNAT}",
            f"allow 443 {inside} 1-65535",
            f"allow 1024-65535 {inside} 1024-65535",
            "deny 0-65535 0.0.0.0/0 0-65535",
        ]
        self._configuration.write_text("\n".join([*lines, ""]))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it listens.

        Raises LabError with its log if it does not.
        """
        with self._log.open("ab") as log:
            arguments = ["miniupnpd", "-d", "-f", str(self._configuration), "-P", f"{self._folder.name}/pid"]
            self._process = self._namespace.popen(arguments, stdout=log, stderr=log)
        deadline = time.monotonic() + DEADLINE
        while not self._namespace.has_udp_socket(PORT):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise LabError(f"miniupnpd does not listen:\n{self.log()}")
            time.sleep(0.01)

    def stop(self) -> None:
        """End it without a goodbye, as when the power fails; its rules stay until they are replaced."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def log(self) -> str:
        """What it said so far."""
        return self._log.read_text(errors="replace")

    def close(self) -> None:
        """End it and remove its files."""
        self.stop()
        self._folder.cleanup()
