"""Datagrams of those who have no ticket: floods, reflections, other people's handles and cookies."""

from __future__ import annotations

import random
import socket

import pytest

from tests.integration.hostile.conftest import Two, Watch, speaker
from tests.integration.hostile.datagrams import Sender
from tests.integration.server.conftest import People
from tests.support.pair_player import PairPlayer
from tests.support.server_process import ServerProcess
from wlnet.protocols.pairs import wire
from wlnet.protocols.stun.wire import HEADER
from wlnet.tickets.ticket import from_text

BINDING = b"\0\1\0\0\x21\x12\xa4\x42" + b"twelve bytes"


def test_datagrams_of_strangers_at_the_relay(watch: Watch, two: Two, hostile_server: ServerProcess) -> None:
    mine, theirs = two.grants
    sender = Sender(hostile_server, "stun2")
    with (
        PairPlayer(mine, source="127.0.0.2") as host,
        PairPlayer(theirs, source="127.0.0.3") as guest,
        sender.socket,
    ):
        # Whoever has seen a handle go by is nobody as long as he comes from somewhere else.
        data = [wire.data_head(handle) + b"\x40spoofed" for handle in (host.handle, guest.handle, bytes(8))]
        sender.silence(*data, *(wire.encode_close(one.handle, "CLOSED") for one in (host, guest)))
        answer = sender.ask(wire.encode_keepalive(host.handle, b"echoecho"))
        assert wire.decode_worded(wire.ERROR, answer) == (host.handle, "UNKNOWN")
        # What only the relay says, half messages, and junk: nothing answers that.
        sender.silence(
            answer,
            wire.encode_challenge(b"transact", bytes(16)),
            wire.encode_alive(host.handle, b"echoecho", True),
            bytes([wire.BOUND]) + bytes(70),
            bytes([wire.BIND]),
            bytes([wire.BIND]) + bytes(20),
            wire.encode_bind(wire.Bind(1, b"transact", bytes(16), b""))[:100],
            bytes([wire.DATA]),
            bytes([wire.DATA]) + bytes(2000),
            *(bytes([first]) + bytes(40) for first in (0x20, 0x21, 0x22, 0x23, 0x26, 0x30, 0x3F, 0x40, 0xFF)),
        )
        host.say(b"\x40still here")
        assert guest.hear() == b"\x40still here"
        watch.expect("pairs strangers", 6, "")
        assert watch.counted("pairs malformed") >= 8


def test_nothing_is_done_before_the_address_is_proven(
    watch: Watch, two: Two, hostile_server: ServerProcess
) -> None:
    mine, _ = two.grants
    thief, owner = Sender(hostile_server, "stun2"), Sender(hostile_server, "stun2", "127.0.0.2")
    with thief.socket, owner.socket:

        def bind(cookie: bytes) -> bytes:
            return wire.encode_bind(wire.Bind(1, b"transact", cookie, from_text(mine.ticket)))

        _, cookie = wire.decode_challenge(owner.ask(bind(wire.NO_COOKIE)))
        for wrong in (cookie, bytes(16), b"\xff" * 16):  # cookies are of one address and port
            request = bind(wrong)
            answer = thief.ask(request)
            assert answer[0] == wire.CHALLENGE
            assert len(answer) < len(request)
        assert owner.ask(bind(cookie))[0] == wire.BOUND
    assert watch.counted("pairs sides now") <= 1


@pytest.mark.parametrize("port", ["stun", "stun2"])
def test_no_answer_is_answered(
    watch: Watch, two: Two, hostile_server: ServerProcess, people: People, port: str
) -> None:
    """Two servers, or one and itself, made to talk to each other by a forged source would never stop."""
    mine, _ = two.grants
    player = speaker(hostile_server, people, "echo")
    sender = Sender(hostile_server, "stun2")
    with sender.socket:
        assert len(BINDING) == HEADER
        unknown = b"\0\1\0\4\x21\x12\xa4\x42" + b"twelve bytes" + b"\x7f\x01\0\0"  # must be understood
        ticket = from_text(mine.ticket)
        challenge = sender.ask(wire.encode_bind(wire.Bind(1, b"transact", wire.NO_COOKIE, ticket)))
        _, cookie = wire.decode_challenge(challenge)
        answers = [
            challenge,
            sender.ask(BINDING),
            sender.ask(unknown),
            sender.ask(b"\x24" + from_text(player.hello.observe[0])),
            sender.ask(wire.encode_keepalive(bytes(8), b"echoecho")),
            sender.ask(wire.encode_bind(wire.Bind(1, b"transact", cookie, b"no ticket"))),
            sender.ask(wire.encode_bind(wire.Bind(99, b"transact", cookie, ticket))),
            sender.ask(wire.encode_bind(wire.Bind(1, b"transact", cookie, ticket))),
        ]
        bound = wire.decode_bound(answers[-1])
        answers.append(sender.ask(wire.encode_keepalive(bound.handle, b"echoecho")))
        kinds = (wire.CHALLENGE, 1, 1, 0x25, wire.ERROR, wire.ERROR, wire.ERROR, wire.BOUND, wire.ALIVE)
        assert tuple(answer[0] for answer in answers) == kinds
    victim = Sender(hostile_server, port)
    with victim.socket:
        victim.silence(*answers)


def test_floods_of_datagrams(watch: Watch, two: Two, hostile_server: ServerProcess) -> None:
    """Whatever comes without a proven address costs little, is kept nowhere, and gets no more back."""
    mine, _ = two.grants
    noise = random.Random(7)
    ticket = from_text(mine.ticket)
    kinds = [
        wire.encode_bind(wire.Bind(1, b"transact", noise.randbytes(16), ticket)),
        wire.encode_keepalive(noise.randbytes(8), b"echoecho"),
        wire.data_head(noise.randbytes(8)) + bytes(1200),
        b"\x24" + ticket[:-1] + b"x",
        BINDING,
        noise.randbytes(700),
        b"\x21" + noise.randbytes(32),
    ]
    senders = [
        Sender(hostile_server, port, f"127.0.2.{n}") for n in range(1, 6) for port in ("stun", "stun2")
    ]
    try:
        for _ in range(4):
            for sender in senders:
                for number in range(400):
                    sender.socket.send(kinds[number % len(kinds)])
            watch.neighbours.check()
        sent, answered = 4 * 400 * len(senders), 0
        for sender in senders:
            answered += _heard(sender.socket)
        assert 0 < answered <= sent * sum(map(len, kinds)) / len(kinds)
    finally:
        for sender in senders:
            sender.socket.close()
    refused = watch.log.count("a ticket from 127.0.2.")
    assert refused <= 120, "lines about forged tickets, whose senders may be forged too"


def _heard(one: socket.socket) -> int:
    """Bytes that came to it."""
    one.settimeout(0.01)
    total = 0
    try:
        while True:
            total += len(one.recv(4096))
    except TimeoutError:
        return total
