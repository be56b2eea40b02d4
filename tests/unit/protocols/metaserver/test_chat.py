"""Chat: to everybody, to one, from the system; what is refused."""

from __future__ import annotations

import pytest

from tests.support.lobby import Rig
from wlnet.lobby.events import system
from wlnet.lobby.ports import Permission
from wlnet.metrics import Limit
from wlnet.moderation.sanctions import Kind, Target


def test_a_public_line_goes_to_everybody_its_sender_included() -> None:
    rig = Rig()
    clients = [rig.player(name) for name in ("alice", "bob", "carl")]
    rig.wait(2)
    for client in clients:
        client.got()
    clients[0].session.receive(b"\0\x0bCHAT\0hi\0\0")
    for client in clients:
        assert client.got() == [("CHAT", "alice", "hi", "public")]


@pytest.mark.parametrize("text", ["", "<b>&amp;</b>", "Grüße 你好", "\udcff\udc80", "{name} %s", "a\nb"])
def test_text_is_passed_on_unchanged(text: str) -> None:
    rig = Rig()
    alice = rig.player("alice")
    assert alice.say("CHAT", text, "") == [("CHAT", "alice", text, "public")]


def test_a_private_line_goes_to_its_receiver_only() -> None:
    rig = Rig()
    alice, bob, carl = (rig.player(name) for name in ("alice", "bob", "carl"))
    rig.wait(2)
    for client in (alice, bob, carl):
        client.got()
    assert alice.say("CHAT", "psst", "bob") == []
    assert bob.got() == [("CHAT", "alice", "psst", "private")]
    assert carl.got() == []


def test_to_oneself_nothing_happens() -> None:
    alice = Rig().player("alice")
    assert alice.say("CHAT", "psst", "alice") == []


def test_an_unknown_receiver() -> None:
    rig = Rig()
    alice, old = rig.player("alice"), rig.player("old", version=0, build="build-19")
    alice.got()
    assert alice.say("CHAT", "psst", "nobody") == [("ERROR", "CHAT", "NO_SUCH_USER")]
    assert old.say("CHAT", "psst", "nobody") == []


def test_a_lost_receiver_is_unknown_and_not_just_silent() -> None:
    rig = Rig()
    alice = rig.player("alice")
    rig.player("bob").cut()
    alice.got()
    assert alice.say("CHAT", "psst", "bob") == [("ERROR", "CHAT", "NO_SUCH_USER")]


def test_an_irc_receiver() -> None:
    rig = Rig()
    alice = rig.player("alice")
    rig.player("nick")
    player = rig.lobby.hall.roster.get("nick")
    assert player is not None
    player.permission = Permission.IRC
    alice.got()
    assert alice.say("CHAT", "psst", "nick") == [
        ("CHAT", "", "Private messages to IRC users are not supported.", "system")
    ]


@pytest.mark.parametrize("receiver", ["", "bob"])
def test_too_long_a_line_is_refused(receiver: str) -> None:
    rig = Rig(limits={"chat_length": 10})
    alice, bob = rig.player("alice"), rig.player("bob")
    rig.wait(2)
    alice.got(), bob.got()
    assert alice.say("CHAT", "ä" * 6, receiver) == [("ERROR", "CHAT", "TOO_LONG")]
    assert bob.got() == []
    assert rig.limited(Limit.STRING_SIZE) == 1
    alice.say("CHAT", "ä" * 5, receiver)
    assert [packet[2] for packet in bob.got()] == ["ä" * 5]


def test_the_longest_line_allowed_fits_into_a_packet() -> None:
    rig = Rig(limits={"chat_length": 16000, "name_length": 255})
    alice = rig.connect()
    alice.login("a" * 255, nonce="n")
    line = "x" * 16000
    assert alice.say("CHAT", line, "")[-1] == ("CHAT", "a" * 255, line, "public")


def test_too_many_lines_are_refused_and_it_is_said() -> None:
    rig = Rig(limits={"chat_rate": 1, "chat_burst": 3})
    alice, bob = rig.player("alice"), rig.player("bob")
    rig.wait(2)
    bob.got()
    for number in range(5):
        alice.say("CHAT", str(number), "")
    assert [packet[2] for packet in bob.got()] == ["0", "1", "2"]
    assert rig.limited(Limit.CHAT_RATE) == 2
    assert alice.say("CHAT", "6", "bob")[-1][0::3] == ("CHAT", "system")
    rig.wait(1)
    alice.say("CHAT", "7", "")
    assert [packet[2] for packet in bob.got()] == ["7"]


def test_a_muted_player_is_told_and_nobody_hears_him() -> None:
    rig = Rig()
    alice, bob = rig.player("alice"), rig.player("bob")
    rig.wait(2)
    alice.got(), bob.got()
    rig.sanctions.impose(Kind.MUTE, Target.NAME, "alice", reason="spam", by="op", duration=60)
    told = [("CHAT", "", "You have been muted: spam", "system")]
    assert alice.got() == told
    assert alice.say("CHAT", "hi", "") == told
    assert alice.say("CHAT", "hi", "bob") == told
    assert bob.got() == []
    assert rig.limited(Limit.MUTED) == 2
    rig.wait(15)
    alice.say("PONG"), bob.say("PONG")
    rig.wait(20)
    alice.say("PONG"), bob.say("PONG")
    rig.wait(26)
    alice.got(), bob.got()
    assert alice.say("CHAT", "hi", "") == [("CHAT", "alice", "hi", "public")]


def test_missing_fields_are_errors_and_no_more() -> None:
    alice = Rig().player("alice")
    assert alice.say("CHAT", "hi") == [("ERROR", "CHAT", "No more RawData in the packet.")]
    assert not alice.closed


def test_surplus_fields_are_ignored() -> None:
    alice = Rig().player("alice")
    assert alice.say("CHAT", "hi", "", "x", "y") == [("CHAT", "alice", "hi", "public")]


def test_what_is_said_right_after_login_is_heard() -> None:
    rig = Rig()
    alice = rig.connect()
    alice.login("alice")
    rig.lobby.chat.announce("now")
    assert alice.got() == [("CHAT", "", "now", "system")]


def test_nothing_is_heard_before_login_is_answered() -> None:
    """Released clients give up on anything else while they wait for LOGIN."""
    rig = Rig()
    alice = rig.player("alice", nonce="n")
    waiting = rig.connect()
    waiting.login("alice", nonce="n")
    rig.accounts.hold = True
    asking = rig.connect()
    asking.login("bob")
    rig.lobby.chat.announce("now")
    rig.host(alice, "game")
    assert waiting.got() == asking.got() == []
    rig.accounts.release()
    assert waiting.got()[0] == ("LOGIN", "alice1", "UNREGISTERED")
    assert asking.got()[0] == ("LOGIN", "bob", "UNREGISTERED")


def test_a_line_that_fits_into_no_packet_hurts_nobody() -> None:
    rig = Rig()
    alice, bob = rig.player("alice"), rig.player("bob")
    rig.wait(2)
    alice.got(), bob.got()
    rig.lobby.hall.tell_all(system("x" * 70_000))
    rig.lobby.hall.tell_all(system("short"))
    assert alice.got() == bob.got() == [("CHAT", "", "short", "system")]
    assert "a line of 70000 characters was too long to be sent" in alice.notes
