"""Crowds of messages, messages of every bad kind, and people who never finish what they begin."""

from __future__ import annotations

import contextlib
import json
import socket
import time

from tests.integration.hostile.conftest import CONNECT_TIME, HANDSHAKE_TIME, Two, Watch, speaker
from tests.integration.server.conftest import People
from tests.support.exchange_client import PRINT, ExchangeClient
from tests.support.server_process import ServerProcess
from tests.support.wire_client import Closed, Wire, pack, wait_for
from wlnet.protocols.exchange.messages import Candidates, Join, Publish, encode
from wlnet.protocols.pairs import wire
from wlnet.rendezvous.events import Begin, Ended, Refusal, Refused
from wlnet.steering.model import Candidate, CandidateKind, Transport
from wlnet.steering.trace import EndReason


def test_a_thousand_joins(watch: Watch, two: Two) -> None:
    two.guest.lobby.send_raw(pack("WLNET", encode(Join(game=two.game, fingerprint=PRINT))) * 1000)
    began = time.monotonic()
    refused = 0
    while refused < 985:
        assert two.guest.hear(Refused).code is Refusal.TOO_FAST
        refused += 1
    assert time.monotonic() - began < 3
    watch.check()
    begun = [one for one in two.host.listen(0.2) if isinstance(one, Begin)]
    assert len(begun) <= 12
    wait_for(lambda: watch.counted("limited rendezvous join_rate") >= 985)
    assert "join refused (too-fast)" in watch.log


_DEEP = 5900
BAD = {
    "deep lists": '{"type":"join","game":' + "[" * _DEEP + "]" * _DEEP + "}",
    "deep objects": '{"a":' * 1950 + "1" + "}" * 1950,
    "open end": "{" * 11999,
    "open lists": '{"type":"leave","x":' + "[" * 11900,
    "no type": "{}",
    "unknown type": '{"type":"shutdown"}',
    "list of types": '{"type":["join"]}',
    "half": '{"type":"join","game":"x"',
    "two": '{"type":"list"}{"type":"list"}',
    "lone surrogate": r'{"type":"publish","game":"\ud800","traffic":"tcp","fingerprint":"' + PRINT + '"}',
    "half pair": r'{"type":"publish","game":"\udc00\ud800","traffic":"tcp","fingerprint":"' + PRINT + '"}',
    "NaN": '{"type":"leave","attempt":NaN}',
    "infinity": '{"type":"leave","attempt":1e400}',
    "long number": '{"type":"leave","attempt":' + "9" * 11000 + "}",
    "negative": '{"type":"leave","attempt":-1}',
    "zero": '{"type":"leave","attempt":0}',
    "fraction": '{"type":"leave","attempt":1.5}',
    "empty name": '{"type":"join","game":"","fingerprint":"' + PRINT + '"}',
    "long name": '{"type":"join","game":"' + "n" * 256 + '","fingerprint":"' + PRINT + '"}',
    "short print": '{"type":"join","game":"x","fingerprint":"ab"}',
    "capital print": '{"type":"join","game":"x","fingerprint":"' + PRINT.upper() + '"}',
    "print and line": '{"type":"join","game":"x","fingerprint":"' + PRINT + r'\n"}',
    "long detail": '{"type":"report","attempt":1,"step":1,"result":"failed","detail":"' + "d" * 201 + '"}',
    "wrong result": '{"type":"report","attempt":1,"step":1,"result":"carried"}',
    "the server's": '{"type":"settled","attempt":1,"step":1,"kind":"direct"}',
}


def test_messages_of_every_bad_kind(watch: Watch, hostile_server: ServerProcess, people: People) -> None:
    player = speaker(hostile_server, people, "fuzz")
    for name, text in BAD.items():
        assert len(text) <= player.hello.message_size, name
        assert player.error(text).startswith("MALFORMED_MESSAGE"), name
    watch.expect("limited rendezvous malformed", len(BAD), "no message: MALFORMED_MESSAGE")
    player.lobby.send_raw(
        pack("WLNET", b'{"type":"join","game":"\xff\xfe","fingerprint":"' + PRINT.encode() + b'"}')
    )
    assert player.lobby.next()[:2] == ("ERROR", "WLNET")
    # A member said twice counts once, as said last; what we do not know is skipped, however deep.
    twice = '{"type":"leave","attempt":1,"attempt":7777777,"new":[[[{"a":{}}]]]}'
    player.raw(twice)
    assert player.hear(Refused).attempt == 7777777


def test_a_flood_of_bad_messages(watch: Watch, hostile_server: ServerProcess, people: People) -> None:
    player = speaker(hostile_server, people, "flood")
    kinds = ("deep lists", "deep objects", "open lists", "long number", "unknown type", "long name")
    flood = b"".join(pack("WLNET", BAD[kind]) for kind in kinds) * 40
    player.lobby.socket.settimeout(10)
    player.lobby.send_raw(flood)
    for _ in range(5):
        watch.neighbours.check()
    errors = 0
    while errors < len(kinds) * 40:
        errors += player.lobby.next()[0] == "ERROR"
    watch.expect("limited rendezvous malformed", len(kinds) * 40, "no message")


def test_names_that_would_spoil_lists(watch: Watch, hostile_server: ServerProcess, people: People) -> None:
    player, reader = speaker(hostile_server, people, "namer"), people.player(hostile_server, "reader")
    before = reader.games()
    names = ["a\0b", "a\nb", "\x1b[2J", "\x7f"]
    for name in names:
        assert player.refusal(Publish(game=name, traffic="tcp", fingerprint=PRINT)) is Refusal.GAME_NAME
    assert reader.games() == before
    wait_for(lambda: watch.log.count("publish refused (game-name)") == len(names))


def test_plans_of_a_crowd(watch: Watch, hostile_server: ServerProcess, people: People) -> None:
    """All guests and the host of a game are one: each word of the host makes plans for all of them."""
    host = speaker(hostile_server, people, "king")
    game = people.name("crowd")
    host.publish(game)
    guests = [speaker(hostile_server, people, "subject", f"127.0.1.{n}") for n in range(1, 31)]
    for guest in guests:
        guest.say(Candidates(candidates=crowd(0), complete=True))
        guest.join(game)
    for number in range(1, 60):
        host.say(Candidates(candidates=crowd(number), complete=True))
        if number % 12 == 0:
            watch.neighbours.check()
            time.sleep(0.1)
    watch.check()


def crowd(number: int) -> tuple[Candidate, ...]:
    """As many addresses as are allowed, others each time."""
    kinds = (CandidateKind.HOST, CandidateKind.SERVER_REFLEXIVE)
    return tuple(
        Candidate(
            kind=kinds[place % 2],
            transport=Transport.UDP if place % 4 < 2 else Transport.TCP,
            address=f"198.51.{place}.{number}" if place % 8 < 4 else f"2001:db8::{number:x}:{place:x}",
            port=2000 + place,
            base_port=2000 + place,
        )
        for place in range(32)
    )


# -- people who never finish -----------------------------------------------------------------------------


def test_a_host_who_never_answers_and_a_guest_who_never_names_anything(watch: Watch, two: Two) -> None:
    began = time.monotonic()
    assert two.guest.hear(Ended).reason is EndReason.NO_PATH
    assert two.host.hear(Ended).reason is EndReason.NO_PATH
    assert time.monotonic() - began < CONNECT_TIME + 1
    watch.expect(
        "attempts none no-path", 1, f"attempt {two.attempt} of {two.guest.lobby.name} ended (no-path)"
    )


def test_both_vanish_in_the_middle(watch: Watch, hostile_server: ServerProcess, people: People) -> None:
    wait_for(lambda: watch.figures()["exchanges"] == 2)
    files = hostile_server.open_files
    for number in range(25):
        game = people.name("ghost")
        sides = []
        for stem in ("ghost", "spirit"):
            lobby = hostile_server.lobby(source="127.0.0.2" if stem == "ghost" else "127.0.0.3")
            sides.append(ExchangeClient(lobby.log_in(people.name(stem))))
        host, guest = sides
        host.publish(game)
        guest.say(Candidates(candidates=crowd(number), complete=True))
        guest.join(game)
        for side in sides:
            side.lobby.reset()
    wait_for(lambda: watch.figures()["exchanges"] == 2, what="the vanished to be forgotten")
    wait_for(lambda: watch.counted("games") <= 0, what="their games to be taken off the list")
    wait_for(lambda: hostile_server.open_files <= files + 2)
    ends = ("host-left", "guest-left", "game-ended")
    assert sum(watch.counted(f"attempts none {end}") for end in ends) == 25


def test_slow_drips(watch: Watch, two: Two, hostile_server: ServerProcess, people: People) -> None:
    """A message a byte at a time is one message; a ticket a byte at a time is none."""
    port = hostile_server.port("stun2")
    began = time.monotonic()
    drips = [Wire("127.0.0.1", port, source="127.0.0.9") for _ in range(20)]
    with contextlib.ExitStack() as stack:
        for drip in drips:
            stack.enter_context(drip)
        data = wire.PREAMBLE + wire.frame(bytes([wire.BIND]) + bytes(150))
        message = pack("WLNET", json.dumps({"type": "leave", "attempt": 4711, "fill": "x" * 200}))
        player = speaker(hostile_server, people, "drip")
        place = 0
        while time.monotonic() < began + HANDSHAKE_TIME + 0.3:
            for drip in drips:
                with contextlib.suppress(Closed):
                    drip.try_send(data[place : place + 1])
            player.lobby.send_raw(message[place : place + 1])
            place += 1
            time.sleep(0.02)
        player.lobby.send_raw(message[place:])
        assert player.hear(Refused).attempt == 4711
        for drip in drips:
            drip.end_of_stream(1.0)
    watch.expect("limited pairs handshake_time", 20, "closed a connection from 127.0.0.9: handshake_time")


def test_half_a_greeting_on_the_shared_port(watch: Watch, hostile_server: ServerProcess) -> None:
    """Connections that are nobody's yet do not keep others out."""
    port = hostile_server.port("stun2")
    halves = [socket.create_connection(("127.0.0.1", port)) for _ in range(50)]
    for half in halves[:25]:
        half.sendall(b"WL")
    watch.check()
    for half in halves:
        half.close()
