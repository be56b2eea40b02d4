"""The default gateway, as systems print it."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wlnet.client.mapping import shell_gateway
from wlnet.client.mapping.gateway import (
    Gateways,
    guess_v4,
    parse_linux_v4,
    parse_linux_v6,
    parse_netstat,
    parse_route_print,
)

LINUX_V4 = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
eth0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth1\t00000000\t0200000A\t0002\t0\t0\t1\t00000000\t0\t0\t0
tun0\t00000000\t00000000\t0001\t0\t0\t5\t00000000\t0\t0\t0
eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
"""
DEFAULT6 = "0" * 32 + " 00 " + "0" * 32 + " 00 "
LINUX_V6 = (
    f"{DEFAULT6}fe800000000000000000000000000001 00000400 00000001 00000000 00000003    wlan0\n"
    f"{DEFAULT6}fe800000000000000000000000000002 00000064 00000001 00000000 00000003     eth0\n"
    f"{DEFAULT6}{'0' * 32} ffffffff 00000001 00000000 00200200       lo\n"
    f"20010db8{'0' * 24} 40 {'0' * 32} 00 {'0' * 32} 00000100 00000001 00000000 00000001     eth0\n"
)
MACOS = """Routing tables

Internet:
Destination        Gateway            Flags               Netif Expire
default            192.168.1.1        UGScg                 en0
default            link#12            UCSIg               utun3
127                127.0.0.1          UCS                   lo0

Internet6:
Destination                             Gateway                                 Flags               Netif
default                                 fe80::1%en0                             UGcg                  en0
default                                 fe80::%utun0                            UGcIg               utun0
::1                                     ::1                                     UHL                   lo0
"""
WINDOWS = """===========================================================================
Schnittstellenliste
 12...00 11 22 33 44 55 ......Intel(R) Ethernet
===========================================================================
IPv4-Routentabelle
===========================================================================
Aktive Routen:
     Netzwerkziel    Netzwerkmaske          Gateway    Schnittstelle Metrik
          0.0.0.0          0.0.0.0      192.168.1.1     192.168.1.10     35
          0.0.0.0          0.0.0.0      10.8.0.1        10.8.0.2        281
        127.0.0.0        255.0.0.0   Auf Verbindung         127.0.0.1    331
Ständige Routen:
  Keine

IPv6-Routentabelle
 If Metrik Netzwerkziel             Gateway
 12    291 ::/0                     fe80::1
  1    331 ::1/128                  Auf Verbindung
"""


def test_linux() -> None:
    assert parse_linux_v4(LINUX_V4) == "10.0.0.1"
    assert parse_linux_v6(LINUX_V6) == "fe80::2%eth0"


def test_macos() -> None:
    assert parse_netstat(MACOS) == Gateways("192.168.1.1", "fe80::1%en0")


def test_windows() -> None:
    assert parse_route_print(WINDOWS) == Gateways("192.168.1.1", "fe80::1%12")


@given(st.text(max_size=300), st.sampled_from([LINUX_V4, LINUX_V6, MACOS, WINDOWS]), st.integers(0, 300))
def test_anything_else_is_no_gateway_but_no_error(text: str, table: str, cut: int) -> None:
    for broken in (text, table[:cut] + text, table[:cut] + text + table[cut:]):
        parse_linux_v4(broken)
        parse_linux_v6(broken)
        parse_netstat(broken)
        parse_route_print(broken)
    assert parse_linux_v4("") == parse_linux_v6("") == ""
    assert parse_netstat("") == parse_route_print("") == Gateways()


@pytest.mark.parametrize(
    ("ours", "guess"),
    [
        ("192.168.1.10", "192.168.1.1"),
        ("10.20.30.40", "10.20.30.1"),
        ("192.168.1.1", ""),
        ("203.0.113.5", ""),
        ("8.8.8.8", ""),
        ("127.0.0.5", ""),
        ("169.254.3.4", ""),
        ("fd00::5", ""),
        ("", ""),
    ],
)
def test_guess(ours: str, guess: str) -> None:
    assert guess_v4(ours) == guess


@pytest.mark.parametrize(
    ("system", "output", "found"),
    [("Darwin", MACOS, parse_netstat(MACOS)), ("FreeBSD", MACOS, parse_netstat(MACOS))],
)
def test_netstat_is_run(monkeypatch: pytest.MonkeyPatch, system: str, output: str, found: Gateways) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    ran: list[str] = []

    def run(command: tuple[str, ...], **_: object) -> subprocess.CompletedProcess[bytes]:
        ran.append(command[0])
        if command[0].startswith("/"):
            raise FileNotFoundError
        return subprocess.CompletedProcess(command, 0, output.encode())

    monkeypatch.setattr(subprocess, "run", run)
    assert shell_gateway.read_gateways() == found
    assert ran == ["/usr/sbin/netstat", "netstat"]


def test_a_command_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")

    def run(command: tuple[str, ...], **options: float) -> subprocess.CompletedProcess[bytes]:
        raise subprocess.TimeoutExpired(command, options["timeout"])

    monkeypatch.setattr(subprocess, "run", run)
    assert shell_gateway.read_gateways() == Gateways()


@pytest.mark.skipif(not Path("/proc/net/route").exists(), reason="not Linux")
def test_this_system() -> None:
    found = shell_gateway.read_gateways()
    assert found.v4 == parse_linux_v4(Path("/proc/net/route").read_text())
