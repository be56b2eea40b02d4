"""Which protocol is used, how long a mapping is kept, and what is said if there is none."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.simnet import SimHost
from tests.unit.client.mapping.routers import (
    GATEWAYS,
    PLAYER,
    PLAYER6,
    PUBLIC,
    ROUTER,
    ROUTER6,
    PcpServer,
    UpnpServer,
    home,
)
from wlnet.client.gather.mappings import Mapped
from wlnet.client.mapping.gateway import Gateways
from wlnet.client.mapping.lease import PortLease
from wlnet.client.mapping.mapper import MAX_LEASES, PortMapper
from wlnet.client.mapping.words import MappedPort, MappingProtocol, NotMapped, Standing
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Family, Transport

Told = list[MappedPort | NotMapped]
UDP, TCP, V4, V6 = Transport.UDP, Transport.TCP, Family.V4, Family.V6
PCP, NAT_PMP, UPNP = MappingProtocol


def mapper_of(player: SimHost, protocols: tuple[MappingProtocol, ...] = tuple(MappingProtocol)) -> PortMapper:
    return PortMapper(player, protocols=protocols, gateways=lambda: GATEWAYS)


def ask(
    mapper: PortMapper, port: int = 4000, transport: Transport = UDP, **more: Any
) -> tuple[PortLease, Told]:
    told: Told = []
    return mapper.lease(transport, V4, port, told.append, **more), told


def mapped(told: Told) -> MappedPort:
    assert isinstance(told[-1], MappedPort), told[-1]
    return told[-1]


def refused(told: Told) -> NotMapped:
    assert isinstance(told[-1], NotMapped), told[-1]
    return told[-1]


def serve(protocol: MappingProtocol, router: SimHost) -> PcpServer | UpnpServer:
    if protocol is UPNP:
        return UpnpServer(router)
    return PcpServer(router, pcp=protocol is PCP, natpmp=protocol is NAT_PMP)


@pytest.mark.parametrize("protocol", MappingProtocol)
@pytest.mark.parametrize("transport", Transport)
def test_each_protocol_maps_and_gives_back(protocol: MappingProtocol, transport: Transport) -> None:
    net, player, router = home()
    server = serve(protocol, router)
    mapper = mapper_of(player)
    _, told = ask(mapper, 4000, transport)
    net.run_until(lambda: told, limit=1.6)
    assert mapped(told) == MappedPort(
        protocol=protocol, transport=transport, family=V4, internal=Endpoint(PLAYER, 4000),
        external=Endpoint(PUBLIC, 4000), lifetime=600,
    )  # fmt: skip
    assert len(server.held) == 1
    done: list[bool] = []
    mapper.close(lambda: done.append(True))
    net.run_until(lambda: done, limit=0.5)
    assert not server.held
    net.advance(1000)
    assert len(told) == 1
    assert player.open == 0


def test_the_best_of_several_is_used() -> None:
    net, player, router = home()
    pcp, upnp = PcpServer(router), UpnpServer(router)
    _, told = ask(mapper_of(player))
    net.run_until(lambda: told, limit=0.2)
    assert mapped(told).protocol is PCP
    net.advance(2)
    assert "natpmp map" not in pcp.asked
    assert not upnp.held


def test_without_pcp_nat_pmp_is_used_at_once() -> None:
    """Its server answers PCP in its own version: nobody waits."""
    net, player, router = home()
    PcpServer(router, pcp=False)
    UpnpServer(router)
    _, told = ask(mapper_of(player))
    net.run_until(lambda: told, limit=0.2)
    assert mapped(told).protocol is NAT_PMP


def test_upnp_does_not_wait_long_for_others() -> None:
    net, player, router = home()
    UpnpServer(router)
    _, told = ask(mapper_of(player))
    net.run_until(lambda: told, limit=0.6)
    assert mapped(told).protocol is UPNP


def test_who_refuses_is_passed_over() -> None:
    net, player, router = home()
    PcpServer(router).result = 2
    UpnpServer(router)
    mapper = mapper_of(player)
    _, told = ask(mapper)
    net.run_until(lambda: told, limit=2)
    assert mapped(told).protocol is UPNP
    standings = [report.standing for report in mapper.reports()]
    assert standings == [Standing.REFUSED, Standing.REFUSED, Standing.MAPPED]


def test_lost_requests_are_repeated() -> None:
    net, player, router = home()
    server = PcpServer(router, natpmp=False)
    server.silent = 1
    _, told = ask(mapper_of(player))
    net.run_until(lambda: told, limit=0.4)
    assert mapped(told).protocol is PCP


def test_silence_ends_within_a_second() -> None:
    net, player, _ = home()
    _, told = ask(mapper_of(player))
    net.run_until(lambda: told, limit=1.2)
    assert refused(told).text == (
        "The router 192.168.1.1 answers neither PCP, NAT-PMP nor UPnP: it does not open ports, or was told "
        "not to."
    )
    assert {report.standing for report in refused(told).reports} == {Standing.SILENT}
    net.advance(3600)
    assert len(told) == 1
    assert player.open == 0


def test_no_gateway() -> None:
    net, player, _ = home()
    player.addresses = ("198.51.100.77",)
    mapper = PortMapper(player, gateways=Gateways)
    _, told = ask(mapper)
    net.run_until(lambda: told, limit=0.1)
    assert refused(told).text == "There is no router here: the system knows no default gateway."
    assert mapper.gateway() is None


def test_a_gateway_the_system_does_not_tell_is_guessed() -> None:
    net, player, router = home()
    PcpServer(router)

    def broken() -> Gateways:
        raise RuntimeError

    told: Told = []
    PortMapper(player, gateways=broken).lease(UDP, V4, 4000, told.append)
    net.run_until(lambda: told, limit=0.2)
    assert mapped(told).protocol is PCP


@pytest.mark.parametrize("protocol", MappingProtocol)
@pytest.mark.parametrize("address", ["100.64.0.7", "10.1.2.3", "192.168.5.2"])
def test_a_router_behind_a_nat_is_of_no_use(protocol: MappingProtocol, address: str) -> None:
    net, player, router = home()
    server = serve(protocol, router)
    server.address = address
    _, told = ask(mapper_of(player))
    net.run_until(lambda: told, limit=2)
    assert (
        refused(told).text
        == f"The router says its outer address is private ({address}): it is behind another NAT."
    )
    net.advance(1)
    assert not server.held


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (2, "refuses"),
        (3, "result 3"),
        (8, "no ports to give"),
        (7, "no outer address"),
        (12, "another NAT"),
        (99, "99"),
    ],
)
def test_pcp_refusals_are_sentences(result: int, words: str) -> None:
    net, player, router = home()
    PcpServer(router, natpmp=False).result = result
    _, told = ask(mapper_of(player, (PCP,)))
    net.run_until(lambda: told, limit=2)
    assert words in refused(told).text


@pytest.mark.parametrize(
    ("result", "words"), [(2, "switched off"), (3, "behind another NAT"), (4, "no ports"), (9, "9")]
)
def test_nat_pmp_refusals_are_sentences(result: int, words: str) -> None:
    net, player, router = home()
    PcpServer(router, pcp=False).result = result
    _, told = ask(mapper_of(player, (NAT_PMP,)))
    net.run_until(lambda: told, limit=2)
    assert words in refused(told).text


@pytest.mark.parametrize("protocol", MappingProtocol)
def test_renewed_at_half_life(protocol: MappingProtocol) -> None:
    net, player, router = home()
    server = serve(protocol, router)
    _, told = ask(mapper_of(player))
    net.run_until(lambda: told, limit=2)
    asked = server.asked if isinstance(server, PcpServer) else server.calls
    asked.clear()
    net.advance(299)
    assert not asked
    net.advance(2)
    assert asked
    net.advance(3600)
    assert len(told) == 1
    assert len(server.held) == 1


def test_a_short_lifetime_counts() -> None:
    net, player, router = home()
    server = PcpServer(router)
    server.lifetime = 20
    _, told = ask(mapper_of(player))
    net.run_until(lambda: told)
    server.asked.clear()
    net.advance(101)
    assert server.asked == ["map"] * 10
    server.lifetime = 0
    net.advance(30)
    assert len(server.asked) < 20


def test_renewals_have_the_same_nonce() -> None:
    """The router in memory refuses another one."""
    net, player, router = home()
    server = PcpServer(router, natpmp=False)
    _, told = ask(mapper_of(player))
    net.run_until(lambda: told)
    nonces = {nonce for _, nonce in server.held.values()}
    net.advance(2000)
    assert {nonce for _, nonce in server.held.values()} == nonces
    assert len(told) == 1


@pytest.mark.parametrize("protocol", [PCP, NAT_PMP])
def test_a_reboot_seen_by_one_renews_all(protocol: MappingProtocol) -> None:
    net, player, router = home()
    server = serve(protocol, router)
    assert isinstance(server, PcpServer)
    mapper = mapper_of(player)
    asked = [ask(mapper, port) for port in (4000, 4001, 4002)]
    net.run_until(lambda: all(told for _, told in asked))
    net.advance(100)
    server.reboot()
    _, last = ask(mapper, 4003)
    net.run_until(lambda: last)
    net.advance(0.5)
    assert len(server.held) == 4
    assert [len(told) for _, told in asked] == [1, 1, 1]


@pytest.mark.parametrize("protocol", MappingProtocol)
def test_another_address_is_told(protocol: MappingProtocol) -> None:
    net, player, router = home()
    server = serve(protocol, router)
    _, told = ask(mapper_of(player))
    net.run_until(lambda: told, limit=2)
    server.address = "198.51.100.99"
    net.run_until(lambda: len(told) > 1, limit=305)
    assert mapped(told).external == Endpoint("198.51.100.99", 4000)


def test_a_mapping_that_is_not_renewed_is_lost_and_got_again() -> None:
    net, player, router = home()
    server = PcpServer(router)
    _, told = ask(mapper_of(player))
    net.run_until(lambda: told)
    server.silent = 10**6
    net.run_until(lambda: len(told) > 1, limit=310)
    assert "answers neither" in refused(told).text
    server.silent = 0
    net.run_until(lambda: len(told) > 2, limit=70)
    assert mapped(told).external == Endpoint(PUBLIC, 4000)


def test_a_lost_mapping_is_not_asked_for_too_often() -> None:
    net, player, router = home()
    server = PcpServer(router, natpmp=False)
    _, told = ask(mapper_of(player, (PCP,)))
    net.run_until(lambda: told)
    server.result = 8
    net.run_until(lambda: len(told) > 1, limit=310)
    server.asked.clear()
    net.advance(3600)
    assert 50 <= server.asked.count("map") <= 70
    assert len(told) == 2


def test_when_the_protocol_in_use_is_gone_another_one_is_taken() -> None:
    net, player, router = home()
    server = PcpServer(router)
    _, told = ask(mapper_of(player))
    net.run_until(lambda: told)
    server.result = 2
    UpnpServer(router)
    net.advance(310)
    assert len(told) == 1  # the same outer port: nobody needs to hear of it
    lease, more = ask(mapper_of(player), 4001)
    net.run_until(lambda: more, limit=2)
    assert mapped(more).protocol is UPNP
    assert lease.held


def test_moving_to_another_network() -> None:
    net, player, router = home()
    PcpServer(router)
    places = [GATEWAYS]
    mapper = PortMapper(player, gateways=lambda: places[0])
    _, told = ask(mapper)
    net.run_until(lambda: told)
    player.addresses = ("192.168.7.10",)
    other = net.host("other", ["192.168.7.1"], nat=player.nat)
    PcpServer(other).address = "198.51.100.8"
    places[0] = Gateways(v4="192.168.7.1")
    mapper.refresh()
    net.run_until(lambda: len(told) > 1, limit=1)
    assert mapped(told).external == Endpoint("198.51.100.8", 4000)
    assert mapped(told).internal == Endpoint("192.168.7.10", 4000)
    player.addresses = ("198.51.100.77",)
    places[0] = Gateways()
    mapper.refresh()
    net.run_until(lambda: len(told) > 2, limit=1)
    assert "no router" in refused(told).text


def test_a_port_wanted_exactly() -> None:
    net, player, router = home()
    server = PcpServer(router)
    mapper = mapper_of(player)
    _, told = ask(mapper, 4000, TCP, external=443, exact=True)
    net.run_until(lambda: told)
    assert mapped(told).external == Endpoint(PUBLIC, 443)
    server.taken.add(444)
    _, other = ask(mapper, 4001, TCP, external=444, exact=True)
    net.run_until(lambda: other, limit=5)
    assert "444" in refused(other).text or "somebody else" in refused(other).text
    net.advance(2)
    assert len(server.held) == 1


def test_the_gatherers_words() -> None:
    net, player, router = home()
    server = PcpServer(router)
    mapper = mapper_of(player)
    told: list[Mapped | None] = []
    lease = mapper.map(UDP, V4, 4000, told.append)
    silent: list[Mapped | None] = []
    server.taken.add(443)
    mapper.map(TCP, V4, 4001, silent.append, wanted_port=443)
    net.advance(5)
    assert told == [Mapped(PUBLIC, 4000)]
    assert not silent
    server.result = 2
    net.advance(320)
    assert told == [Mapped(PUBLIC, 4000), None]
    server.result = 0
    net.advance(70)
    assert told[2:] == [Mapped(PUBLIC, 4000)]
    lease.close()
    net.advance(1)
    assert not server.held


def test_an_ipv6_firewall_is_opened_by_pcp() -> None:
    net, player, router = home()
    server = PcpServer(router)
    mapper = PortMapper(player, gateways=lambda: Gateways(v4=ROUTER, v6=ROUTER6))
    told: Told = []
    mapper.lease(UDP, V6, 4000, told.append)
    net.run_until(lambda: told)
    assert mapped(told).external == Endpoint(PLAYER6, 4000)
    assert len(server.held) == 1
    assert server.asked == ["announce", "map"]  # IPv4 was not asked for


def test_no_ipv6() -> None:
    net, player, _ = home()
    told: Told = []
    mapper_of(player).lease(UDP, V6, 4000, told.append)
    net.run_until(lambda: told)
    assert refused(told).text == "There is no IPv6 router here."


def test_closed_while_it_is_asked() -> None:
    """A mapping granted after that is given back."""
    net, player, router = home()
    server = PcpServer(router)
    mapper = mapper_of(player)
    lease, told = ask(mapper)
    net.run_until(lambda: "map" in server.asked)
    lease.close()
    net.advance(1)
    assert not server.held
    assert not told
    _, told = ask(mapper, 4001)
    net.run_until(lambda: server.held)
    done: list[bool] = []
    mapper.close(lambda: done.append(True))
    net.run_until(lambda: done)
    assert not server.held
    assert not told
    assert player.open == 0


def test_closing_does_not_wait_for_a_router_that_is_gone() -> None:
    net, player, router = home()
    server = PcpServer(router)
    mapper = mapper_of(player)
    _, told = ask(mapper)
    net.run_until(lambda: told)
    server.silent = 10**6
    done: list[bool] = []
    mapper.close(lambda: done.append(True))
    net.run_until(lambda: done, limit=1.01)
    assert player.open == 0


def test_there_is_a_limit() -> None:
    net, player, router = home()
    server = PcpServer(router)
    mapper = mapper_of(player)
    for port in range(MAX_LEASES):
        ask(mapper, 4000 + port)
    _, told = ask(mapper, 9999)
    net.run_until(lambda: told, limit=0.5)
    assert refused(told).text == "Too many ports were asked for."
    net.run_until(lambda: len(server.held) == MAX_LEASES)
    net.advance(1)
    assert player.open == 0


def test_strangers_do_not_speak_for_the_router() -> None:
    """Right port, but not the gateway's address."""
    net, player, _ = home()
    stranger = net.host("stranger", ["192.168.1.66"], nat=player.nat)
    server = PcpServer(stranger)
    seen: list[Endpoint] = []

    def tap(sender: str, source: Endpoint, destination: Endpoint, data: bytes) -> None:
        if sender == "player" and destination.port == 5351 and source not in seen:
            seen.append(source)
            answer = server.answer_pcp(data, source) if data[0] == 2 else server.answer_natpmp(data)
            if answer:
                server.sockets[V4].send(answer, source)

    net.taps.append(tap)
    _, told = ask(mapper_of(player))
    net.run_until(lambda: told)
    assert seen
    assert {report.standing for report in refused(told).reports} == {Standing.SILENT}


def test_only_the_gateway_is_spoken_to() -> None:
    net, player, router = home()
    PcpServer(router)
    UpnpServer(router)
    places: set[str] = set()
    net.taps.append(
        lambda sender, source, destination, data: places.add(destination.host) if sender == "player" else None
    )
    _, told = ask(mapper_of(player))
    net.advance(700)
    assert mapped(told)
    assert places <= {"192.168.1.1", "239.255.255.250"}
