"""A superuser's orders: message of the day, announcements, warnings, kicks and bans."""

from __future__ import annotations

import pytest

from tests.support.lobby import Client, Packet, Rig, words
from wlnet.lobby.ports import Permission
from wlnet.metrics import Limit
from wlnet.moderation.sanctions import Kind, Target


def _system(text: str) -> Packet:
    return ("CHAT", "", text, "system")


def _superuser(rig: Rig, name: str = "boss", *, version: int = 6) -> Client:
    rig.accounts.add(name, "secret", Permission.SUPERUSER)
    client = rig.connect()
    if version:
        client.login_account(name, "secret", version=version)
    else:
        client.say("LOGIN", "0", name, "build-19", "true", "secret")
    rig.wait(5)
    client.got()
    return client


@pytest.mark.parametrize(
    ("fields", "missing"),
    [
        (["MOTD", "x"], ["MOTD"]),
        (["ANNOUNCEMENT", "x"], ["ANNOUNCEMENT"]),
        (["CMD", "kick", "x"], ["CMD", "kick"]),
    ],
)
def test_others_may_not_and_arguments_are_looked_at_first(fields: list[str], missing: list[str]) -> None:
    alice = Rig().player("alice")
    assert alice.say(*missing) == [("ERROR", fields[0], "No more RawData in the packet.")]
    assert alice.say(*fields) == [("ERROR", fields[0], "DEFICIENT_PERMISSION")]
    assert not alice.closed


def test_an_account_is_not_enough() -> None:
    rig = Rig()
    rig.accounts.add("otto", "secret")
    otto = rig.connect()
    otto.login_account("otto", "secret")
    assert otto.say("ANNOUNCEMENT", "x") == [("ERROR", "ANNOUNCEMENT", "DEFICIENT_PERMISSION")]


def test_message_of_the_day() -> None:
    rig = Rig()
    boss, alice = _superuser(rig), rig.player("alice")
    alice.got()
    assert boss.say("MOTD", "Welcome")[-1] == _system("Welcome")
    assert alice.got() == [_system("Welcome")]
    assert rig.connect().login("bob")[-1] == _system("Welcome")
    assert boss.say("MOTD", "")[-1] == _system("")
    assert words(rig.connect().login("carl")) == ["LOGIN", "TIME"]


def test_announcement() -> None:
    rig = Rig()
    boss, alice = _superuser(rig), rig.player("alice")
    alice.got()
    boss.say("ANNOUNCEMENT", "Restart at 8")
    assert alice.got() == [_system("Restart at 8")]
    assert words(rig.connect().login("bob")) == ["LOGIN", "TIME"]


@pytest.mark.parametrize("fields", [["MOTD"], ["ANNOUNCEMENT"], ["CMD", "warn"]])
def test_they_are_bounded_as_chat_is(fields: list[str]) -> None:
    rig = Rig(limits={"chat_length": 10})
    boss = _superuser(rig)
    text = "boss " + "x" * 11 if "warn" in fields else "x" * 11
    assert boss.say(*fields, text) == [("ERROR", fields[0], "TOO_LONG")]
    assert rig.lobby.chat.motd == ""


def test_warn() -> None:
    rig = Rig()
    boss, alice = _superuser(rig), rig.player("alice")
    alice.got(), boss.got()
    assert boss.say("CMD", "warn", "alice stop that now") == []
    assert alice.got() == [_system("stop that now")]
    assert boss.say("CMD", "warn", "alice") == [("ERROR", "CMD", "INVALID_CMD_PARAMETERS")]
    assert boss.say("CMD", "warn", "nobody stop") == [("ERROR", "CMD", "NO_SUCH_USER")]


def test_unknown_order() -> None:
    boss = _superuser(Rig())
    assert boss.say("CMD", "dance", "alice") == [("ERROR", "CMD", "UNKNOWN_COMMAND")]


@pytest.mark.parametrize("order", [("warn", "x y"), ("kick", "x"), ("ban", "x")])
def test_nobody_of_that_name(order: tuple[str, str]) -> None:
    rig = Rig()
    boss, old = _superuser(rig), _superuser(rig, "oldboss", version=0)
    assert boss.say("CMD", *order)[-1] == ("ERROR", "CMD", "NO_SUCH_USER")
    assert old.say("CMD", *order) == []


@pytest.mark.parametrize(
    ("order", "word", "done", "seconds"),
    [
        ("kick", "KICKED", "Kicked the user for 5 minutes.", 300),
        ("ban", "BANNED", "Banning the IP of the user for 24 hours.", 86400),
    ],
)
def test_removed_told_why_and_kept_out(order: str, word: str, done: str, seconds: int) -> None:
    rig = Rig()
    boss, alice = _superuser(rig), rig.player("alice", address="203.0.113.7")
    bystander = rig.player("bystander", address="203.0.113.7")
    boss.got()
    assert _system(done) in boss.say("CMD", order, "alice")
    assert alice.got()[-2:] == [
        _system(f"You have been {order}{'n' * (order == 'ban')}ed."),
        ("DISCONNECT", word),
    ]
    assert alice.closed
    assert not bystander.closed
    assert rig.connect("203.0.113.7").login("other") == [("ERROR", "LOGIN", "BANNED")]
    assert rig.connect("203.0.113.8").login("alice", nonce="new")[0][1] == "alice"
    rig.clock.advance(seconds - 10)
    assert rig.connect("203.0.113.7").login("other") == [("ERROR", "LOGIN", "BANNED")]
    rig.clock.advance(11)
    assert rig.connect("203.0.113.7").login("other")[0][0] == "LOGIN"


def test_an_account_is_kept_out_by_name_as_well() -> None:
    rig = Rig()
    boss = _superuser(rig)
    rig.accounts.add("otto", "secret")
    rig.connect("203.0.113.7").login_account("otto", "secret")
    boss.say("CMD", "ban", "otto Too many insults")
    assert rig.connect("203.0.113.99").login_account("otto", "secret") == [("ERROR", "LOGIN", "BANNED")]
    assert {(s.target, s.value, s.reason, s.by) for s in rig.sanctions.active()} == {
        (Target.ADDRESS, "203.0.113.7", "Too many insults", "boss"),
        (Target.ACCOUNT, "otto", "Too many insults", "boss"),
    }


def test_bans_are_kept_where_they_outlive_the_process() -> None:
    rig = Rig()
    boss = _superuser(rig)
    rig.player("alice", address="203.0.113.7")
    boss.say("CMD", "kick", "alice bad words")
    (ban,) = rig.sanctions.unsaved(10)
    assert (ban.kind, ban.target, ban.value) == (Kind.BAN, Target.ADDRESS, "203.0.113.7")
    assert ban.expires_at == ban.created_at + 300


@pytest.mark.parametrize("reason", ["x" * 5000, "a\x07b", "\udcff", "Grüße"])
def test_no_reason_keeps_anybody_in(reason: str) -> None:
    rig = Rig()
    boss, alice = _superuser(rig), rig.player("alice", address="203.0.113.7")
    assert boss.say("CMD", "kick", f"alice {reason}")[-1] == _system("Kicked the user for 5 minutes.")
    assert alice.closed
    assert rig.connect("203.0.113.7").login("alice") == [("ERROR", "LOGIN", "BANNED")]


def test_removed_though_there_are_as_many_bans_as_may_be() -> None:
    rig = Rig()
    boss, alice = _superuser(rig), rig.player("alice", address="203.0.113.7")
    for number in range(1000):
        rig.sanctions.impose(Kind.BAN, Target.NAME, f"x{number}", reason="", by="op", duration=None)
    assert boss.say("CMD", "kick", "alice")[-1] == _system("Removed the user, who may come back at once.")
    assert alice.closed


@pytest.mark.parametrize(
    ("order", "text"),
    [("kick", "Kicking admin users is not supported."), ("ban", "Banning admin users is not supported.")],
)
def test_superusers_are_not_removed(order: str, text: str) -> None:
    rig = Rig()
    boss, other = _superuser(rig), _superuser(rig, "other")
    boss.got()
    assert boss.say("CMD", order, "other") == [_system(text)]
    assert boss.say("CMD", order, "boss") == [_system(text)]
    assert not other.closed


@pytest.mark.parametrize(
    ("order", "text"),
    [("kick", "Kicking IRC users is not supported."), ("ban", "Banning IRC users is not supported.")],
)
def test_irc_users_are_not_removed(order: str, text: str) -> None:
    rig = Rig()
    boss = _superuser(rig)
    rig.player("nick")
    player = rig.lobby.hall.roster.get("nick")
    assert player is not None
    player.permission = Permission.IRC
    boss.got()
    assert boss.say("CMD", order, "nick") == [_system(text)]


def test_the_games_of_a_removed_player_end_and_the_relay_is_told() -> None:
    rig = Rig()
    boss = _superuser(rig)
    alice, bob = rig.player("alice", address="203.0.113.7"), rig.player("bob")
    room = rig.host(alice, "game")
    boss.say("CMD", "kick", "alice")
    assert rig.relay.closed == [room]
    assert bob.games() == {}


def test_a_removed_guest_is_taken_off_the_relay() -> None:
    rig = Rig()
    boss = _superuser(rig)
    alice, bob = rig.player("alice"), rig.player("bob", address="203.0.113.7")
    rig.host(alice, "game")
    bob.say("GAME_CONNECT", "game")
    boss.say("CMD", "kick", "bob")
    assert rig.relay.dropped == [("game", "203.0.113.7")]
    assert alice.games() == {"game": "SETUP"}


def test_a_lost_player_can_be_removed() -> None:
    rig = Rig()
    boss, alice = _superuser(rig), rig.player("alice", address="203.0.113.7")
    room = rig.host(alice, "game")
    alice.cut()
    boss.say("CMD", "kick", "alice")
    assert rig.relay.closed == [room]
    assert rig.connect("203.0.113.7").login("alice") == [("ERROR", "LOGIN", "BANNED")]


def test_a_second_connection_that_claims_the_seat_does_not_slip_in() -> None:
    rig = Rig()
    boss, alice = _superuser(rig), rig.player("alice", nonce="n", address="203.0.113.7")
    second = rig.connect("203.0.113.7")
    second.login("alice", nonce="n")
    boss.say("CMD", "kick", "alice")
    assert alice.closed
    assert second.got() == [("ERROR", "LOGIN", "BANNED")]


def test_kick_ends_a_game_of_that_name() -> None:
    rig = Rig()
    boss, alice = _superuser(rig), rig.player("alice")
    room = rig.host(alice, "my game")
    rig.wait(2)
    boss.got()
    assert words(boss.say("CMD", "kick", "my game")) == ["GAMES_UPDATE"]
    assert rig.relay.closed == [room]
    assert boss.games() == {}
    assert not alice.closed


def test_a_ban_from_elsewhere_removes_those_it_hits_and_no_others() -> None:
    rig = Rig()
    alice = rig.player("alice", address="203.0.113.7")
    bob = rig.player("bob", address="203.0.113.8")
    carl = rig.player("carl", address="198.51.100.1")
    rig.sanctions.impose(Kind.BAN, Target.NETWORK, "203.0.113.0/24", reason="bots", by="cli", duration=60)
    for client in (alice, bob):
        assert client.got()[-2:] == [_system("You have been banned: bots"), ("DISCONNECT", "BANNED")]
        assert client.closed
    assert not carl.closed


def test_a_ban_by_name_and_its_end() -> None:
    rig = Rig()
    alice = rig.player("alice")
    ban = rig.sanctions.impose(Kind.BAN, Target.NAME, "alice", reason="", by="cli", duration=None)
    assert alice.closed
    assert rig.connect().login("alice") == [("ERROR", "LOGIN", "BANNED")]
    assert rig.limited(Limit.BANNED) == 1
    rig.sanctions.lift(ban.id, "cli")
    assert rig.connect().login("alice")[0][0] == "LOGIN"


def test_whoever_takes_over_a_seat_from_elsewhere_at_that_moment_is_not_hit() -> None:
    rig = Rig()
    first = rig.player("first", nonce="n", address="203.0.113.7")
    second = rig.connect("203.0.113.7")
    second.login("second", nonce="n")
    first.say("PONG")
    second.cut()
    newcomer = rig.connect("198.51.100.1")
    newcomer.login("first", nonce="n")
    assert newcomer.got() == []
    rig.sanctions.impose(Kind.BAN, Target.ADDRESS, "203.0.113.7", reason="", by="cli", duration=60)
    assert first.closed
    assert newcomer.got()[0] == ("LOGIN", "second", "UNREGISTERED")
    assert not newcomer.closed
