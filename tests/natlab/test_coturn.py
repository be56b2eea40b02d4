"""A second opinion on the kinds: RFC 5780 as coturn's server and client do it."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.natlab.lab import Lab

pytestmark = [
    pytest.mark.natlab,
    pytest.mark.skipif(
        not (shutil.which("turnserver") and shutil.which("turnutils_natdiscovery")),
        reason="not installed: coturn (see tests/natlab/packages.txt)",
    ),
]

MAPPINGS = {
    "Endpoint Independent Mapping": "EIM",
    "Address Dependent Mapping": "ADM",
    "Address and Port Dependent Mapping": "APDM",
}
FILTERINGS = {
    "Endpoint Independent Filtering": "EIF",
    "Address Dependent Filtering": "ADF",
    "Address and Port Dependent Filtering": "APDF",
}
EXPECTED = {
    "open": ("EIM", "EIF"),
    "open-fw": ("EIM", "APDF"),
    "full-cone": ("EIM", "EIF"),
    "restricted": ("EIM", "ADF"),
    "port-restricted": ("EIM", "APDF"),
    "pr-clash": ("EIM", "APDF"),
    "eim-remap": ("EIM", "APDF"),
    "sym-seq": ("APDM", "APDF"),
    "sym-random": ("APDM", "APDF"),
    "cgn": ("EIM", "APDF"),
    "cgn-sym": ("APDM", "APDF"),
}


@pytest.fixture
def coturn(lab: Lab, tmp_path: Path) -> Lab:
    addresses = ["-L", lab.server.ipv4, "-L", lab.server.second_ipv4]
    ports = ["--listening-port", "3478", "--alt-listening-port", "3479"]
    quiet = ["-n", "--stun-only", "--no-tls", "--no-dtls", "--no-cli", "--simple-log"]
    files = ["--log-file", f"{tmp_path}/log", "--pidfile", f"{tmp_path}/pid", "--userdb", f"{tmp_path}/db"]
    output = subprocess.DEVNULL
    server = lab.server.popen(
        ["turnserver", *quiet, *addresses, *ports, *files], stdout=output, stderr=output, cwd=tmp_path
    )
    deadline = time.monotonic() + 10
    while not all(lab.server.namespace.has_udp_socket(port) for port in (3478, 3479)):
        assert server.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return lab


def judge(text: str, names: dict[str, str]) -> str:
    return next((word for name, word in names.items() if f"NAT with {name}!" in text), text)


def test_coturn_agrees(coturn: Lab) -> None:
    running = {
        kind: coturn.site(kind).popen(
            ["turnutils_natdiscovery", "-m", "-f", coturn.server.ipv4], stdout=subprocess.PIPE, text=True
        )
        for kind in EXPECTED
    }
    texts = {kind: process.communicate(timeout=30)[0] for kind, process in running.items()}
    seen = {kind: (judge(text, MAPPINGS), judge(text, FILTERINGS)) for kind, text in texts.items()}
    assert seen == EXPECTED
