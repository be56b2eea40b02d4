"""What is concluded from findings: sentences, expectations, advice."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.unit.client.doctor.homes import home, legs, trials, with_ipv6
from wlnet.client.doctor.expectations import Expectation
from wlnet.client.doctor.findings import Findings, Reach, Truth
from wlnet.client.doctor.peers import TITLES, Typical, typical
from wlnet.client.doctor.report import Report, Verdict, conclude
from wlnet.client.mapping.words import Standing
from wlnet.steering.model import Behaviour, Filtering, Mapping, PathKind, Technique, Transport

D, M, P, R = PathKind.DIRECT, PathKind.MAPPED, PathKind.PUNCHED, PathKind.RELAYED
OPEN, MAPPED, EASY, IPV6, HARD, NO_UDP, WEB = Typical
KINDS = {
    # kind: verdict, and with each of Typical
    "open": (Verdict.EXCELLENT, [D, D, D, D, D, D, R]),
    "open-fw": (Verdict.GOOD, [D, M, P, P, R, P, R]),
    "full-cone": (Verdict.EXCELLENT, [D, M, P, P, P, P, R]),
    "restricted": (Verdict.EXCELLENT, [D, M, P, P, P, P, R]),
    "port-restricted": (Verdict.GOOD, [D, M, P, P, R, P, R]),
    "pr-reject": (Verdict.GOOD, [D, M, P, P, R, P, R]),
    "eim-remap": (Verdict.GOOD, [D, M, P, P, R, P, R]),
    "cgn": (Verdict.GOOD, [D, M, P, P, R, P, R]),
    "sym-seq": (Verdict.GOOD, [D, M, P, P, R, P, R]),
    "sym-random": (Verdict.RELAYED, [D, M, R, R, R, R, R]),
    "cgn-sym": (Verdict.RELAYED, [D, M, R, R, R, R, R]),
    "upnp": (Verdict.EXCELLENT, [D, M, M, M, M, M, R]),
    "upnp-sym": (Verdict.EXCELLENT, [D, M, M, M, M, M, R]),
    "upnp-cgn": (Verdict.GOOD, [D, M, P, P, R, P, R]),
    "udp-blocked": (Verdict.GOOD, [D, M, P, P, R, P, R]),
    "tcp443": (Verdict.RELAYED, [R, R, R, R, R, R, R]),
}


def texts(report: Report) -> str:
    return "\n".join(remark.text for remark in report.network)


def advised(report: Report) -> str:
    return "\n".join(report.advice)


def expected(findings: Findings, kind: Typical) -> Expectation:
    return next(one for one in conclude(findings).expect if one.peer is kind)


@pytest.mark.parametrize("kind", KINDS)
def test_what_to_expect(kind: str) -> None:
    report = conclude(home(kind))
    verdict, kinds = KINDS[kind]
    assert [one.kind for one in report.expect] == kinds
    assert report.verdict is verdict
    assert report.playable


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("open", "public IPv4 address (198.51.100."),
        ("open", "and others reach you there"),
        ("open-fw", "behind a firewall that lets in only answers"),
        ("full-cone", "lets everybody in"),
        ("restricted", "from any of his ports"),
        ("port-restricted", "easy NAT: it uses one outer port for everybody"),
        ("port-restricted", "both players have to send at the same time"),
        ("port-restricted", "answers neither PCP, NAT-PMP nor UPnP"),
        ("eim-remap", "outer ports are not those of the program"),
        ("sym-seq", "counts its outer ports (by 1)"),
        ("sym-random", "hard NAT: it uses another outer port for each player"),
        ("sym-random", "nobody can guess them"),
        ("upnp", "opens ports by UPnP, and the server got through one"),
        ("upnp", "opens ports by PCP, and the server got through one"),
        ("upnp-cgn", "its outer address is private (100.64.0.7)"),
        ("udp-blocked", "UDP does not get out over IPv4"),
        ("tcp443", "Only connections to TCP port 443 get out"),
        ("tcp443", "The relay answers over TLS port 443 (12 ms)."),
        ("port-restricted", "UDP port 3479 (12 ms), TCP port 3479 (12 ms), TLS port 443 (12 ms)"),
        ("port-restricted", "There is no IPv6 between you and the server."),
    ],
)
def test_what_is_said(kind: str, words: str) -> None:
    assert words in texts(conclude(home(kind)))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("open", ""),
        ("upnp", ""),
        ("upnp-sym", ""),
        ("port-restricted", "Switch on UPnP"),
        ("port-restricted", "Ask your provider for IPv6"),
        ("open-fw", "Open the firewall"),
        ("sym-random", "setting for the kind of NAT"),
        ("upnp-cgn", "behind another NAT"),
        ("udp-blocked", "Allow this program to send and receive UDP"),
        ("tcp443", "Ask who runs this network"),
    ],
)
def test_what_is_advised(kind: str, words: str) -> None:
    report = conclude(home(kind))
    assert words in advised(report)
    assert bool(words) == bool(report.advice)


def test_easy_nats_need_no_other_kind() -> None:
    assert "kind of NAT" not in advised(conclude(home("port-restricted")))


@pytest.mark.parametrize(
    ("truth", "said", "done"),
    [
        (Truth.OTHER_ADDRESS, "that is not where the server sees you", "behind another NAT"),
        (Truth.NOT_REACHED, "nothing comes through", "only in words"),
        (Truth.UNTESTED, "nobody tested whether that is true", ""),
    ],
)
def test_mappings_that_lie(truth: Truth, said: str, done: str) -> None:
    lie = trials(Standing.MAPPED, address="192.0.1.2", truth=truth)
    report = conclude(replace(home("port-restricted"), trials=lie))
    assert said in texts(report)
    assert done in advised(report)
    assert [one.kind for one in report.expect] == KINDS["port-restricted"][1]


def test_a_router_that_refuses() -> None:
    refusing = trials(Standing.REFUSED, "The router refuses to open ports by UPnP: it is not allowed there.")
    report = conclude(replace(home("port-restricted"), trials=refusing))
    assert "it is not allowed there" in texts(report)
    assert "allow it for this computer" in advised(report)


def test_ipv6() -> None:
    firewall = with_ipv6(home("sym-random"), Filtering.ADDRESS_AND_PORT_DEPENDENT)
    report = conclude(firewall)
    assert "public IPv6 address (2001:db8:1::10) behind a firewall" in texts(report)
    assert "Ask your provider for IPv6" not in advised(report)
    free = conclude(with_ipv6(home("sym-random"), Filtering.ENDPOINT_INDEPENDENT))
    assert "public IPv6 address (2001:db8:1::10), and others reach you there" in texts(free)


def test_where_a_server_with_one_address_cannot_tell() -> None:
    findings = home("restricted")
    unsure = tuple(replace(one, certain_mapping=False, certain_filtering=False) for one in findings.lines)
    said = texts(conclude(replace(findings, lines=unsure)))
    assert "as far as this server can tell" in said
    assert "perhaps everybody" in said


def test_a_lobby_that_does_not_answer() -> None:
    findings = replace(
        home("port-restricted"), lobby_reached=False, lobby_text="The lobby x cannot be reached: refused."
    )
    report = conclude(findings)
    assert report.verdict is Verdict.IMPOSSIBLE
    assert not report.playable
    assert "The lobby x cannot be reached: refused." in texts(report)
    assert "use --lobby tls://lobby.example.org:443" in report.advice[0]
    blocked = tuple(replace(one, behaviour=Behaviour(mapping=Mapping.BLOCKED)) for one in findings.lines)
    offline = conclude(
        replace(findings, lines=blocked, legs=legs(udp=Reach.SILENT, tcp=Reach.SILENT, tls=Reach.SILENT))
    )
    assert len(offline.advice) == 1
    assert {one.why for one in offline.expect} == {"Only the relay could help, and it does not answer."}
    nothing = conclude(replace(findings, legs=legs(udp=Reach.SILENT, tcp=Reach.SILENT, tls=Reach.SILENT)))
    assert "Check the address of the lobby" in nothing.advice[0]
    assert "The relay cannot be reached" in texts(nothing)


def test_a_server_without_relay() -> None:
    findings = replace(home("sym-random"), legs=legs(udp=Reach.REFUSED, tcp=Reach.REFUSED, tls=Reach.REFUSED))
    assert expected(findings, HARD).kind is None
    assert expected(findings, HARD).why
    assert expected(findings, OPEN).kind is D
    shut_in = replace(home("tcp443"), legs=legs(udp=Reach.SILENT, tcp=Reach.SILENT, tls=Reach.UNTRUSTED))
    report = conclude(shut_in)
    assert report.verdict is Verdict.IMPOSSIBLE
    assert "certificate at port 443 cannot be trusted" in texts(report)


def test_a_relay_others_reach_though_we_do_not() -> None:
    """UDP does not get out here; others' way to the relay is not blocked by that."""
    relay = home("udp-blocked").relay()
    assert relay is not None
    assert (relay.udp_port, relay.tcp_port, relay.tls_port) == (3479, 3479, 443)
    without = replace(home("port-restricted"), legs=legs(udp=Reach.SILENT, tls=Reach.REFUSED)).relay()
    assert without is not None
    assert (without.udp_port, without.tcp_port, without.tls_port) == (0, 3479, 0)


@pytest.mark.parametrize(("kind", "perhaps"), [("open", D), ("upnp", M), ("port-restricted", None)])
def test_port_443_may_be_had(kind: str, perhaps: PathKind | None) -> None:
    findings = home(kind)
    if kind == "open":
        findings = replace(
            findings, candidates=tuple(replace(one, verified=True) for one in findings.candidates)
        )
    assert expected(findings, WEB).kind is R
    assert expected(findings, WEB).perhaps is perhaps


def test_the_relay_is_reached_the_best_way() -> None:
    assert expected(home("port-restricted"), HARD).technique is Technique.RELAY_UDP
    assert expected(home("udp-blocked"), HARD).technique is Technique.RELAY_TCP
    assert expected(home("tcp443"), HARD).technique is Technique.RELAY_TLS


def test_typical_players_are_what_they_are_called() -> None:
    assert set(TITLES) == set(Typical)
    views = {kind: typical(kind) for kind in Typical}
    assert [kind for kind, view in views.items() if view.only_port] == [WEB]
    blocked = [
        kind
        for kind, view in views.items()
        if any(
            one.transport is Transport.UDP and one.behaviour.mapping is Mapping.BLOCKED
            for one in view.measured
        )
    ]
    assert blocked == [NO_UDP, WEB]
    assert [kind for kind, view in views.items() if any(":" in one for one in view.seen)] == [IPV6]
    assert MAPPED in views
