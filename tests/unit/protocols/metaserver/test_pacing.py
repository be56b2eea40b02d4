"""Bytes in: half packets, broken ones, too many, and clients that do not read what they asked for."""

from __future__ import annotations

import pytest

from tests.support.lobby import Rig, words
from wlnet.metrics import Limit
from wlnet.protocols.metaserver.wire import encode


def test_packets_may_come_in_any_pieces() -> None:
    rig = Rig()
    client = rig.connect()
    for byte in encode("LOGIN", "6", "alice", "1.1", "false", "n") + encode("CLIENTS"):
        client.session.receive(bytes([byte]))
    assert words(client.got()) == ["LOGIN", "TIME", "CLIENTS"]


def test_packets_are_carried_out_in_order() -> None:
    alice = Rig().player("alice")
    lines = b"".join(encode("CHAT", str(number), "") for number in range(20))
    assert [packet[2] for packet in alice.raw(lines)] == [str(number) for number in range(20)]


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"\0\0", "INVALID_LENGTH"),
        (b"\0\1", "INVALID_LENGTH"),
        (b"\0\2", "INVALID_LENGTH"),
        (b"\0\x05abc", "NO_FIELDS"),
        (b"\x40\x01", "PACKET_TOO_LONG"),
        (b"\xff\xff", "PACKET_TOO_LONG"),
        (b"\0\x03\0", "INVALID_CMD"),
    ],
)
def test_a_broken_stream_ends_the_connection_with_a_word(data: bytes, word: str) -> None:
    rig = Rig()
    alice = rig.player("alice")
    assert alice.raw(data + encode("CLIENTS")) == [("ERROR", "GARBAGE_RECEIVED", word)]
    assert alice.closed
    limit = Limit.PACKET_SIZE if word == "PACKET_TOO_LONG" else Limit.MALFORMED
    assert rig.limited(limit) == 1


def test_bytes_behind_the_last_nul_are_dropped() -> None:
    alice = Rig().player("alice")
    assert words(alice.raw(b"\0\x0eCLIENTS\0junk" + encode("GAMES"))) == ["CLIENTS", "GAMES"]


def test_before_login_less_is_taken() -> None:
    rig = Rig()
    client = rig.connect()
    long = encode("LOGIN", "6", "a" * 3000, "1.1", "false", "n")
    assert client.raw(long) == [("ERROR", "GARBAGE_RECEIVED", "PACKET_TOO_LONG")]
    assert rig.limited(Limit.PACKET_SIZE) == 1


def test_commands_beyond_the_rate_are_late_but_not_lost() -> None:
    rig = Rig(limits={"command_rate": 20, "command_burst": 10})
    alice = rig.player("alice")
    rig.wait(2)
    alice.got()
    alice.session.receive(encode("GAMES") * 50)
    assert len(alice.got()) == 11
    assert rig.limited(Limit.COMMAND_RATE) == 1
    seen = []
    for _ in range(10):
        rig.wait(0.1)
        seen.append(len(alice.got()))
    assert seen == [2] * 10
    rig.wait(2)
    assert len(alice.got()) == 19
    assert not alice.paused
    assert len(rig.agenda) == 1


def test_the_rate_is_kept_for_high_rates_too() -> None:
    rig = Rig(limits={"command_rate": 1000, "command_burst": 1, "chat_rate": 0})
    alice = rig.player("alice")
    rig.wait(2)
    alice.got()
    alice.session.receive(encode("PONG") * 2 + encode("GAMES") * 5000)
    rig.wait(1)
    assert len(alice.got()) <= 1100


def test_no_limit_at_all() -> None:
    rig = Rig(limits={"command_rate": 0})
    alice = rig.player("alice")
    assert len(alice.raw(encode("GAMES") * 5000)) == 5000


def test_a_slowed_down_player_does_not_slow_down_others() -> None:
    rig = Rig(limits={"command_rate": 1, "command_burst": 1})
    alice, bob = rig.player("alice"), rig.player("bob")
    rig.wait(2)
    alice.session.receive(encode("GAMES") * 50)
    bob.got()
    assert bob.say("GAMES") == [("GAMES", "0")]


def test_a_slowed_down_player_may_go() -> None:
    rig = Rig(limits={"command_rate": 1, "command_burst": 1})
    alice = rig.player("alice")
    alice.session.receive(encode("GAMES") * 50)
    alice.cut()
    rig.wait(400)
    assert len(rig.agenda) == 0


def test_a_client_that_does_not_read_its_lists_is_not_read_from() -> None:
    rig = Rig()
    alice = rig.player("alice")
    alice.stuffed = True
    assert alice.raw(encode("CLIENTS") * 3) == []
    assert alice.paused
    alice.stuffed = False
    alice.session.drained()
    assert words(alice.got()) == ["CLIENTS"] * 3
    assert not alice.paused


def test_it_stops_between_two_answers() -> None:
    rig = Rig()
    alice = rig.player("alice")
    alice.got()
    send = alice.send

    def fills_up(packet: bytes) -> None:
        send(packet)
        alice.stuffed = True

    alice.send = fills_up  # type: ignore[method-assign]
    assert words(alice.raw(encode("CLIENTS") * 3)) == ["CLIENTS"]
    for _ in range(2):
        alice.stuffed = False
        alice.session.drained()
        assert words(alice.got()) == ["CLIENTS"]


def test_draining_says_nothing_to_a_client_that_waits_for_something_else() -> None:
    rig = Rig()
    rig.accounts.hold = True
    client = rig.connect()
    client.login("alice")
    client.session.receive(encode("CLIENTS"))
    client.session.drained()
    assert client.got() == []
    assert client.paused


def test_a_client_that_reads_nothing_for_long_is_timed_out() -> None:
    rig = Rig()
    alice = rig.player("alice")
    alice.stuffed = True
    alice.session.receive(encode("CLIENTS"))
    rig.wait(31)
    assert alice.got()[-1] == ("DISCONNECT", "CLIENT_TIMEOUT")
    assert alice.closed
