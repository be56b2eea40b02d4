"""Addresses players name to have others sent there, or knocked at."""

from __future__ import annotations

import json
import socket

import pytest

from tests.integration.hostile.conftest import Two, Watch
from tests.integration.server.conftest import People
from tests.support.exchange_client import ExchangeClient
from tests.support.server_process import ServerProcess
from wlnet.protocols.exchange.messages import Candidates, Probed
from wlnet.rendezvous.events import PlanPart, Refusal, Refused, Verified
from wlnet.steering.model import Candidate, CandidateKind, Technique, Transport

HOST_AT, GUEST_AT = "127.0.0.2", "127.0.0.3"
ABSURD = [
    "127.0.0.1",
    "127.0.0.77",
    "::1",
    "::ffff:127.0.0.1",
    "::7f00:1",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "64:ff9b:1::a00:1",
    "2002:7f00:1::1",
    "0.0.0.0",
    "0.0.0.1",
    "::",
    "224.0.0.251",
    "239.255.255.250",
    "ff02::1",
    "ff02::fb%lo",
    "255.255.255.255",
    "169.254.169.254",
    "::ffff:169.254.169.254",
    "fe80::1",
    "fe80::1%lo",
    "fe80::1%1",
    "240.0.0.1",
    "localhost",
    "127.1",
    "0x7f000001",
    "2130706433",
    "127.0.0.2; rm -rf /",
    "",
]


def named(address: str, port: int = 5000, kind: CandidateKind = CandidateKind.HOST) -> Candidate:
    return Candidate(kind=kind, transport=Transport.UDP, address=address, port=port, base_port=5000)


def outer(address: str, port: int) -> Candidate:
    return named(address, port, CandidateKind.SERVER_REFLEXIVE)


def plan(side: ExchangeClient) -> PlanPart:
    """The plan that has a punch in it."""
    while True:
        part = side.hear(PlanPart)
        if any(step.technique is Technique.PUNCH for step in part.steps):
            return part


def test_nobody_is_sent_to_absurd_addresses(watch: Watch, two: Two) -> None:
    bad = [named(address) for address in ABSURD]
    bad += [outer(address, 5000) for address in ("10.0.0.1", "192.168.1.1", "fd00::1")]
    bad += [outer(HOST_AT, port) for port in (22, 53, 80, 1023)]
    bad += [named("198.51.100.9", kind=CandidateKind.PREDICTED)]
    for candidate in bad:
        two.host.say(Candidates(attempt=two.attempt, candidates=(candidate,)))
        refused = two.host.hear(Refused)
        assert refused.code is Refusal.BAD_CANDIDATE, candidate
        assert refused.text
    together = (*bad[:10], outer(HOST_AT, 5000), *bad[10:20])
    assert (
        two.host.refusal(Candidates(attempt=two.attempt, candidates=together, complete=True))
        is Refusal.BAD_CANDIDATE
    )
    two.guest.say(Candidates(attempt=two.attempt, candidates=(outer(GUEST_AT, 6000),), complete=True))
    plan(two.guest)
    assert two.guest.targets == {(HOST_AT, 5000)}
    watch.expect("limited rendezvous candidates", len(bad) + 20, "candidates refused (bad-candidate)")


def test_too_many_addresses(watch: Watch, two: Two) -> None:
    many = tuple(named(f"10.0.{number}.1") for number in range(33))
    for _ in range(20):
        assert (
            two.host.refusal(Candidates(attempt=two.attempt, candidates=many)) is Refusal.TOO_MANY_CANDIDATES
        )
    watch.expect("limited rendezvous candidates", 20, "candidates refused (too-many-candidates)")
    crowd = [{"kind": "host", "transport": "udp", "address": f"10.0.{n}.1", "port": 5000} for n in range(160)]
    text = json.dumps(
        {"type": "candidates", "attempt": two.attempt, "candidates": crowd}, separators=(",", ":")
    )
    assert len(text) < two.host.hello.message_size
    assert two.host.error(text).startswith("MALFORMED_MESSAGE")
    thousands = json.dumps({"type": "candidates", "attempt": two.attempt, "candidates": crowd})
    assert two.host.error(thousands) == "MESSAGE_TOO_LONG"
    watch.expect("limited rendezvous malformed", 1, "no message: MALFORMED_MESSAGE")
    watch.expect("limited rendezvous packet_size", 1, "no message: MESSAGE_TOO_LONG")


def test_ports_that_are_none(watch: Watch, two: Two) -> None:
    ports = ["0", "65536", "-1", "4294967297", "1e99", "80.5", '"5000"', "null", "[]", "1" * 4000]
    for port in ports:
        one = '{"kind":"host","transport":"tcp","address":"10.0.0.1","port":' + port + "}"
        text = f'{{"type":"candidates","attempt":{two.attempt},"candidates":[{one}]}}'
        assert two.host.error(text).startswith("MALFORMED_MESSAGE"), port
    assert two.host.refusal(Probed(token="0" * 32)) is Refusal.STALE  # he may go on
    watch.expect("limited rendezvous malformed", len(ports), "no message: MALFORMED_MESSAGE")


def test_nobody_else_is_knocked_at(
    watch: Watch, two: Two, hostile_server: ServerProcess, people: People
) -> None:
    """The server tests addresses it saw the player at, and believes the player only."""
    with socket.socket() as victim, socket.socket() as own:
        victim.bind(("127.0.0.1", 0))
        victim.listen()
        victim.settimeout(0.3)
        own.bind((HOST_AT, 0))
        own.listen()
        own.settimeout(5)
        others, mine = (
            Candidate(
                kind=CandidateKind.MAPPED,
                transport=Transport.TCP,
                address=one.getsockname()[0],
                port=one.getsockname()[1],
                base_port=5000,
                verified=True,
            )
            for one in (victim, own)
        )
        assert (
            two.host.refusal(Candidates(attempt=two.attempt, candidates=(others, mine)))
            is Refusal.BAD_CANDIDATE
        )
        # The guest names the host's address: it is not his.
        claim = Candidates(attempt=two.attempt, candidates=(others, mine))
        assert two.guest.refusal(claim) is Refusal.BAD_CANDIDATE
        connection, _ = own.accept()
        with connection:
            packet = connection.recv(100)
        assert (packet[0], len(packet)) == (0x23, 17)
        token = packet[1:].hex()
        assert two.guest.refusal(Probed(token=token)) is Refusal.STALE
        two.host.say(Probed(token=token))
        verified = two.host.hear(Verified)
        assert (verified.address, verified.reached) == (HOST_AT, True)
        with pytest.raises(TimeoutError):
            victim.accept()
        own.settimeout(0.1)
        with pytest.raises(TimeoutError):
            own.accept()  # once, and not for the guest
