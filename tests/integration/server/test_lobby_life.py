"""Chat, lists, announcements, pings and superusers, as players see them."""

from __future__ import annotations

import time

import pytest

from tests.integration.server.conftest import PASSWORDS, People, Start
from tests.support.server_process import ServerProcess, wlnet
from tests.support.wire_client import NOISE, LobbyClient, wait_for


def chats(client: LobbyClient, seconds: float = 0.3) -> list[tuple[str, ...]]:
    """The chat packets of the next moment."""
    return [packet for packet in client.during(seconds) if packet[0] == "CHAT"]


# -- chat ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["hello", "", "<b>\\n % {0} %s</b>", "grüße 日本", "x" * 900])
def test_public_chat_reaches_everybody_unchanged(server: ServerProcess, people: People, text: str) -> None:
    talker, near, far = people.player(server), people.player(server), people.player(server, host="::1")
    talker.send("CHAT", text, "")
    for one in (talker, near, far):
        assert one.next() == ("CHAT", talker.name, text, "public")


def test_private_chat(server: ServerProcess, people: People) -> None:
    talker, friend, other = (people.player(server) for _ in range(3))
    talker.send("CHAT", "psst", friend.name)
    assert friend.next() == ("CHAT", talker.name, "psst", "private")
    talker.send("CHAT", "to myself", talker.name)
    talker.send("CHAT", "anybody?", "nobody.here")
    assert talker.next() == ("ERROR", "CHAT", "NO_SUCH_USER")
    assert chats(other) == []
    assert chats(talker, 0.05) == []


def test_build_19_is_not_told_of_unknown_receivers(server: ServerProcess, people: People) -> None:
    guest, name = people.guest(server), people.name()
    guest.send("LOGIN", "0", name, "build-19", "false")
    guest.until("LOGIN")
    guest.during(0.1)
    guest.send("CHAT", "anybody?", "nobody.here")
    assert [packet for packet in guest.during(0.3) if packet[0] == "ERROR"] == []


def test_a_missing_argument_is_told_and_survived(server: ServerProcess, people: People) -> None:
    player = people.player(server)
    for fields in (
        ("CHAT",),
        ("CHAT", "x"),
        ("GAME_OPEN",),
        ("GAME_CONNECT",),
        ("MOTD",),
        ("CMD", "kick"),
        ("DISCONNECT",),
    ):
        player.send(*fields)
        assert player.next() == ("ERROR", fields[0], "No more RawData in the packet.")
    assert player.name in player.names()


def test_long_lines_break_nothing(server: ServerProcess, people: People) -> None:
    """A line that does not fit into a packet once made everybody lose the stream."""
    listener, talker = people.player(server), people.player(server)
    talker.send("CHAT", "x" * 2000, "")
    assert talker.next()[:2] == ("ERROR", "CHAT")
    talker.send("CHAT", "short", "")
    assert talker.next() == ("CHAT", talker.name, "short", "public")
    talker.send_raw(b"\xff\xff" + b"CHAT\0" + b"y" * 65526 + b"\0\0\0")
    assert talker.last_words()[0][0] == "ERROR"
    assert listener.next() == ("CHAT", talker.name, "short", "public")
    assert listener.round_trip() < 1


def test_nothing_is_missed_after_login(server: ServerProcess, people: People) -> None:
    """What is said after one's LOGIN was answered is heard."""
    talker = people.player(server)
    for number in range(20):
        newcomer, name = people.guest(server), people.name()
        newcomer.send("LOGIN", "6", name, "1.2.1", "false", "nonce of " + name)
        assert newcomer.take()[0] == "LOGIN"
        talker.send("CHAT", f"word {number}", "")
        assert newcomer.next(skipping=(*NOISE, "TIME")) == ("CHAT", talker.name, f"word {number}", "public")


def test_whispers_to_a_lost_player_are_not_swallowed(server: ServerProcess, people: People) -> None:
    talker, lost = people.player(server), people.player(server)
    lost.reset()
    wait_for(lambda: lost.name not in talker.names(), what="the lost player to leave the list")
    talker.send("CHAT", "are you there?", lost.name)
    assert talker.next() == ("ERROR", "CHAT", "NO_SUCH_USER")


# -- lists ---------------------------------------------------------------------------------------------


def test_a_newcomer_sees_himself_and_is_announced_a_moment_later(
    server: ServerProcess, people: People
) -> None:
    watcher = people.player(server)
    watcher.during(0.6)
    newcomer = people.player(server, build="1.1")
    assert (newcomer.name, "1.1", "", "UNREGISTERED") in newcomer.clients()
    assert newcomer.name not in watcher.names()
    watcher.until("CLIENTS_UPDATE", 2)
    assert (newcomer.name, "1.1", "", "UNREGISTERED") in watcher.clients(), "announced first, then told"


def test_announced_after_three_seconds(unchanged_server: ServerProcess, people: People) -> None:
    watcher = people.player(unchanged_server)
    newcomer = people.player(unchanged_server)
    began = time.monotonic()
    while newcomer.name not in watcher.names():
        watcher.until("CLIENTS_UPDATE")
    assert 2.9 <= time.monotonic() - began <= 4.2


def test_chatting_announces_at_once(unchanged_server: ServerProcess, people: People) -> None:
    watcher = people.player(unchanged_server)
    newcomer = people.player(unchanged_server)
    newcomer.send("CHAT", "hello", "")
    packets = watcher.until("CHAT", 1.0)
    wait_for(lambda: newcomer.name in watcher.names(), 1.0, "the talker in the list")
    assert ("CLIENTS_UPDATE",) in packets or watcher.until("CLIENTS_UPDATE", 2.0)


def test_leaving_is_announced(server: ServerProcess, people: People) -> None:
    watcher, leaver = people.player(server), people.player(server)
    wait_for(lambda: leaver.name in watcher.names())
    watcher.during(0.3)
    leaver.leave()
    assert leaver.name not in watcher.names()
    watcher.until("CLIENTS_UPDATE", 2.0)


def test_a_lost_player_is_announced_too(server: ServerProcess, people: People) -> None:
    watcher, lost = people.player(server), people.player(server)
    wait_for(lambda: lost.name in watcher.names())
    watcher.during(0.3)
    watcher.clients()
    lost.reset()
    watcher.until("CLIENTS_UPDATE", 2.0)
    assert lost.name not in watcher.names()


def test_build_19_gets_a_fifth_field(server: ServerProcess, people: People) -> None:
    guest, name = people.guest(server), people.name()
    guest.send("LOGIN", "0", name, "build-19", "false")
    guest.send("CLIENTS")
    packet = guest.until("CLIENTS")[-1]
    assert len(packet) == 2 + 5 * int(packet[1])
    rows = [packet[at : at + 5] for at in range(2, len(packet), 5)]
    assert (name, "build-19", "", "UNREGISTERED", "") in rows


def test_order_of_login(server: ServerProcess, people: People) -> None:
    players = [people.player(server) for _ in range(4)]
    names = [one.name for one in players]
    wait_for(lambda: set(names) <= set(players[0].names()))
    assert [name for name in players[0].names() if name in names] == names


# -- superusers ----------------------------------------------------------------------------------------


def test_motd_announcement_and_warning(server: ServerProcess, people: People) -> None:
    boss = people.player(server, name="boss", password=PASSWORDS["boss"])
    player = people.player(server)
    boss.send("MOTD", "good day")
    assert player.next() == ("CHAT", "", "good day", "system")
    assert boss.next() == ("CHAT", "", "good day", "system")
    newcomer = people.player(server)
    assert newcomer.take() == ("CHAT", "", "good day", "system")
    old = people.guest(server)
    old.send("LOGIN", "0", people.name(), "build-19", "false")
    assert [old.next() for _ in range(8)][-1] == ("CHAT", "", "good day", "system")
    boss.send("MOTD", "")
    assert player.next() == ("CHAT", "", "", "system")
    boss.next()
    quiet = people.player(server)
    assert chats(quiet, 0.1) == []

    boss.send("ANNOUNCEMENT", "lunch")
    assert player.next() == ("CHAT", "", "lunch", "system")
    assert boss.next() == ("CHAT", "", "lunch", "system")
    boss.send("CMD", "warn", f"{player.name} mind your words")
    assert player.next() == ("CHAT", "", "mind your words", "system")
    assert chats(quiet, 0.1) == [("CHAT", "", "lunch", "system")]


def test_errors_of_commands(server: ServerProcess, people: People) -> None:
    boss = people.player(server, name="boss", password=PASSWORDS["boss"])
    for fields, reason in (
        (("CMD", "warn", "nobody.here mind"), "NO_SUCH_USER"),
        (("CMD", "warn", "nobody.here"), "INVALID_CMD_PARAMETERS"),
        (("CMD", "kick", "nobody.here"), "NO_SUCH_USER"),
        (("CMD", "ban", "nobody.here"), "NO_SUCH_USER"),
        (("CMD", "praise", "everybody"), "UNKNOWN_COMMAND"),
    ):
        boss.send(*fields)
        assert boss.next() == ("ERROR", "CMD", reason), fields


def test_superusers_are_not_kicked(server: ServerProcess, people: People) -> None:
    boss = people.player(server, name="boss", password=PASSWORDS["boss"])
    chief = people.player(server, name="chief", password=PASSWORDS["chief"])
    boss.send("CMD", "kick", "chief")
    assert boss.next() == ("CHAT", "", "Kicking admin users is not supported.", "system")
    boss.send("CMD", "ban", "chief")
    assert boss.next() == ("CHAT", "", "Banning admin users is not supported.", "system")
    assert "chief" in chief.names()


@pytest.mark.parametrize("account", [None, "otto"])
def test_others_may_not(server: ServerProcess, people: People, account: str | None) -> None:
    victim = people.player(server)
    if account:
        player = people.player(server, name=account, password=PASSWORDS[account])
    else:
        player = people.player(server)
    for fields in (
        ("MOTD", "mine"),
        ("ANNOUNCEMENT", "mine"),
        ("CMD", "kick", victim.name),
        ("CMD", "ban", victim.name),
    ):
        player.send(*fields)
        assert player.next() == ("ERROR", fields[0], "DEFICIENT_PERMISSION")
    assert chats(victim, 0.2) == []
    if account:
        player.leave()


# -- kick, ban, mute -----------------------------------------------------------------------------------


def test_kick(server: ServerProcess, people: People) -> None:
    """A kicked player is told, is kept out, and so is his game."""
    boss = people.player(server, name="boss", password=PASSWORDS["boss"])
    bad = people.player(server, source="127.0.7.1")
    game = people.name("game")
    password, _ = bad.open_game(game)
    host = people.peer(server, source="127.0.7.1").join(game, password)
    guest = people.peer(server).join(game)
    assert host.next() == ("ConnectClient", 2)
    wait_for(lambda: boss.state_of(game) == "SETUP")
    boss.send("CMD", "kick", bad.name)
    assert boss.next() == ("CHAT", "", "Kicked the user for 5 minutes.", "system")
    words = bad.last_words()
    assert words, "the kicked player is told why"
    assert words[-1][0] == "DISCONNECT"
    assert bad.name not in boss.names()
    wait_for(lambda: boss.state_of(game) is None, what="the kicked player's game to go")
    assert guest.last_words()[-1][0] == "Disconnect"
    host.last_words()

    again = people.guest(server, source="127.0.7.1")
    again.send("LOGIN", "6", "other.name", "1.2.1", "false", "other nonce")
    assert again.last_words() == [("ERROR", "LOGIN", "BANNED")]
    neighbour = people.player(server, source="127.0.7.2")
    assert neighbour.permission == "UNREGISTERED"


def test_kick_of_a_game(server: ServerProcess, people: People) -> None:
    boss = people.player(server, name="boss", password=PASSWORDS["boss"])
    game, owner, host, (guest,) = people.game(server, guests=1)
    wait_for(lambda: boss.state_of(game) == "SETUP")
    boss.send("CMD", "kick", game)
    wait_for(lambda: boss.state_of(game) is None)
    assert guest.last_words()[-1][0] == "Disconnect"
    assert host.last_words()[-1][0] == "Disconnect"
    assert owner.name in owner.names(), "the player stays"


def test_ban_covers_every_way_in(server: ServerProcess, people: People) -> None:
    boss = people.player(server, name="boss", password=PASSWORDS["boss"])
    game, _, _, _ = people.game(server)
    bad = people.player(server, source="127.0.7.3")
    boss.send("CMD", "ban", bad.name)
    assert boss.next() == ("CHAT", "", "Banning the IP of the user for 24 hours.", "system")
    bad.last_words()
    for fields, reason in (
        (("LOGIN", "6", "x.y", "1.2.1", "false", "n"), "BANNED"),
        (("LOGIN", "5", "x.y", "build-20", "false", "n"), "WRONG_PASSWORD"),
        (("LOGIN", "0", "x.y", "build-19", "false"), "WRONG_PASSWORD"),
        (("LOGIN", "6", "otto", "1.2.1", "true", ""), "BANNED"),
        (("RELOGIN", "0", "x.y", "build-19", "false"), "WRONG_PASSWORD"),
    ):
        guest = people.guest(server, source="127.0.7.3")
        guest.send(*fields)
        assert guest.last_words() == [("ERROR", fields[0], reason)]
    guest = people.guest(server, source="127.0.7.3")
    guest.send("CHECK_PWD", "6", "otto", "1.2.1")
    assert guest.last_words()[-1][:2] == ("ERROR", "CHECK_PWD")
    peer = people.peer(server, source="127.0.7.3")
    peer.send_raw(b"\x01\x01" + game.encode() + b"\0client\0")
    assert not any(word[0] == "Welcome" for word in peer.last_words())


def test_ban_by_the_command_line_and_its_end(server: ServerProcess, people: People) -> None:
    bad = people.player(server, source="127.0.7.5")
    wlnet(
        "ban", "add", "--address", "127.0.7.5", "--for", "1h", "--reason", "test", state_dir=server.state_dir
    )
    assert bad.last_words(3.0), "he is sent away with a reason"
    listed = wlnet("ban", "list", state_dir=server.state_dir)
    row = next(line for line in listed.splitlines() if "127.0.7.5" in line)

    def refused() -> bool:
        guest = people.guest(server, source="127.0.7.5")
        guest.send("LOGIN", "6", "bad.again", "1.2.1", "false", "n")
        return guest.take() == ("ERROR", "LOGIN", "BANNED")

    assert refused()
    wlnet("ban", "lift", row.split()[0], state_dir=server.state_dir)
    wait_for(lambda: not refused(), 3.0, "the lifted ban to end")


def test_mute_by_the_command_line(server: ServerProcess, people: People) -> None:
    loud, listener = people.player(server), people.player(server)
    loud.send("CHAT", "one", "")
    assert listener.next() == ("CHAT", loud.name, "one", "public")
    loud.next()
    wlnet("mute", "add", "--name", loud.name, "--for", "1h", state_dir=server.state_dir)
    time.sleep(0.5)
    loud.send("CHAT", "two", "")
    loud.send("CHAT", "two", listener.name)
    assert chats(listener) == []
    told = chats(loud, 0.1)
    assert told, "he is told that he talks to the wall"
    assert all(packet[1] == "" and packet[3] == "system" for packet in told)
    assert loud.name in loud.names(), "he may stay and listen"
    listener.send("CHAT", "hear this", "")
    assert ("CHAT", listener.name, "hear this", "public") in chats(loud)


# -- signs of life -------------------------------------------------------------------------------------


def test_ping_comes_although_the_player_talks(start: Start, people: People) -> None:
    server: ServerProcess = start(
        {
            "lobby.ping_interval": 0.4,
            "lobby.silence_timeout": 1.0,
            "lobby.login_silence_timeout": 0.5,
            "lobby.lost_session_lifetime": 1.0,
            "lobby.leave_delay": 0.1,
        }
    )
    busy, silent, half = people.player(server), people.player(server), people.guest(server)
    silent.answers_pings = False
    began, pings = time.monotonic(), 0
    while time.monotonic() - began < 1.6:
        busy.send("GAMES")
        pings += sum(packet[0] == "PING" for packet in busy.until("GAMES"))
        time.sleep(0.05)
    assert 3 <= pings <= 5
    assert half.last_words(0.5) == [("DISCONNECT", "CLIENT_TIMEOUT")]
    assert silent.last_words(0.5) == [("DISCONNECT", "CLIENT_TIMEOUT")]
    assert silent.name not in busy.names()
    taken = people.player(server, name=silent.name, nonce="another")
    assert taken.name == silent.name + "1", "the name is kept for the lost one"
    time.sleep(1.2)
    assert people.player(server, name=silent.name, nonce="a third").name == silent.name, "and free in the end"


def test_bytes_of_one_player_do_not_count_as_packets(start: Start, people: People) -> None:
    """An unfinished packet dripping in is no sign of life."""
    server: ServerProcess = start(
        {"lobby.ping_interval": 0.2, "lobby.login_silence_timeout": 0.6, "lobby.login_deadline": 5}
    )
    guest = people.guest(server)
    guest.send_raw(b"\x00\x40LOGIN\0")
    began = time.monotonic()
    words: list[tuple[str, ...]] = []
    while not words and time.monotonic() - began < 2.0:
        guest.send_raw(b"x")
        words = guest.during(0.1)
    assert words == [("DISCONNECT", "CLIENT_TIMEOUT")]
    assert guest.last_words(1) == []
