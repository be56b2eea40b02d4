"""The doors of a whole server: the settings of ``[limits]`` reach them, and each refusal is counted."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock

from wlnet.config.schema import Config, Limits, Server
from wlnet.lobby.ports import RelayPort
from wlnet.metrics import Front, Limit
from wlnet.protocols.metaserver.server import MetaserverFactory
from wlnet.protocols.widelands_relay.server import RelayFactory
from wlnet.relay.control import RelayObserver
from wlnet.service.lobby_role import LobbyRole
from wlnet.service.relay_role import RelayRole
from wlnet.service.shared import Shared

STRANGER, ANOTHER, LOOPBACK, TRUSTED = "203.0.113.7", "203.0.113.8", "127.0.0.1", "198.51.100.9"
TRUST = ("198.51.100.0/24",)


def _doors(folder: Path, limits: Limits) -> tuple[Shared, dict[Front, MetaserverFactory | RelayFactory]]:
    config = Config(server=Server(state_dir=str(folder)), limits=limits)
    shared = Shared(config, Clock())
    relay = RelayRole(shared, cast(RelayObserver, object()))
    lobby = LobbyRole(shared, cast(RelayPort, object()))
    return shared, {Front.METASERVER: lobby.factory, Front.RELAY: relay.factory}


def _knock(door: MetaserverFactory | RelayFactory, address: str) -> bool:
    return door.buildProtocol(IPv4Address("TCP", address, 40000)) is not None


@pytest.mark.parametrize("front", [Front.METASERVER, Front.RELAY])
def test_connections_of_one_address(front: Front, tmp_path: Path) -> None:
    limits = Limits(lobby_connections_per_address=2, relay_connections_per_address=2, trusted_networks=TRUST)
    shared, doors = _doors(tmp_path, limits)
    door = doors[front]
    assert [_knock(door, STRANGER) for _ in range(4)] == [True, True, False, False]
    assert _knock(door, ANOTHER)
    assert all(_knock(door, address) for address in (LOOPBACK, TRUSTED) for _ in range(5))
    assert shared.metrics.times_limited(front, Limit.CONNECTIONS_PER_ADDRESS) == 2


@pytest.mark.parametrize("front", [Front.METASERVER, Front.RELAY])
def test_connections_in_all(front: Front, tmp_path: Path) -> None:
    shared, doors = _doors(tmp_path, Limits(lobby_connections=2, relay_connections=2))
    assert [_knock(doors[front], LOOPBACK) for _ in range(3)] == [True, True, False]
    assert shared.metrics.times_limited(front, Limit.CONNECTIONS) == 1


def test_log_lines_about_one_address(tmp_path: Path) -> None:
    shared, _ = _doors(tmp_path, Limits(log_rate=0.001, log_burst=3))
    assert [shared.may_log(STRANGER) for _ in range(5)] == [True, True, True, False, False]
    assert shared.may_log(ANOTHER)
    assert shared.metrics.times_limited(Front.METASERVER, Limit.LOG_LINES) == 2
