"""Between the game and the lobby: questions, outages, dismissals, sides that do not read."""

from __future__ import annotations

import pytest

from tests.unit.agent.hamlet import LobbyLine
from tests.unit.agent.lobbies import ADDRESS, GREETING, PORT, Caller, Place
from wlnet.agent.news import LobbyKnown, Note, Offline, Online
from wlnet.client.net.network import StreamEnd
from wlnet.protocols.metaserver.wire import encode
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Family


def notes(place: Place) -> list[str]:
    return [one.text for one in place.news if isinstance(one, Note)]


def known(place: Place) -> list[bool]:
    return [one.exchange for one in place.news if isinstance(one, LobbyKnown)]


def test_the_lobby_is_asked_once_for_many_games() -> None:
    place = Place()
    place.start()
    for number in range(5):
        place.game(f"ann{number}")
    assert place.lobby.questions == 1
    assert known(place) == [True]
    place.net.advance(700)
    place.game("late")
    assert place.lobby.questions == 2
    assert known(place) == [True]
    place.close()


def test_games_that_come_before_the_answer_wait_for_it() -> None:
    place = Place()
    place.agent.start()
    games = [place.game(f"ann{number}", waits=False) for number in range(6)]
    gone = games.pop()
    gone.stream.abort()
    place.net.advance(4)
    assert [game.packets for game in games] == [
        [("LOGIN", f"ann{number}", "UNREGISTERED")] for number in range(5)
    ]
    assert place.lobby.questions == 1
    place.close()


def test_a_lobby_of_old_is_recognised() -> None:
    place = Place()
    place.lobby.script = place.lobby.old
    place.start()
    assert known(place) == [False]
    game = place.game()
    game.say("CHAT", "hello", "")
    place.net.advance(1)
    assert b"WLNET" not in place.lobby.callers[-1].got
    assert place.lobby.callers[-1].got.endswith(encode("CHAT", "hello", ""))
    place.close()


def test_a_lobby_that_was_replaced_by_an_older_one() -> None:
    """One login fails, since it was asked what it does not know; the next one does not."""
    place = Place()
    place.start()
    place.lobby.script = place.lobby.old
    first = place.game()
    assert first.over
    again = place.game()
    place.net.advance(5)
    assert not again.over
    assert known(place) == [True, False]
    place.close()


def test_a_silent_lobby_is_asked_again_soon() -> None:
    place = Place()
    place.lobby.script = place.lobby.silent
    place.start()
    assert known(place) == [False]
    place.lobby.script = place.lobby.usual
    place.game()
    assert known(place) == [False, True]
    place.close()


def test_names_without_address() -> None:
    place = Place()
    del place.net.names["lobby.example.org"]
    place.agent.start()
    game = place.game(waits=False)
    place.net.advance(2)
    assert game.over
    assert "has no address" in notes(place)[-1]
    place.net.names["lobby.example.org"] = (ADDRESS,)
    assert place.game().packets
    place.close()


def test_the_agent_may_be_closed_while_it_asks() -> None:
    place = Place()
    place.lobby.script = place.lobby.silent
    place.agent.start()
    place.net.advance(1)
    place.close()
    assert known(place) == []


def test_the_game_stays_connected_while_the_lobby_is_away() -> None:
    place = Place()
    place.start()
    game = place.game()
    place.lobby.down()
    place.net.advance(60)
    assert not game.over
    assert game.data.count(encode("PING")) > 10  # or it would log in anew after some minutes
    assert [one.left for one in place.news if isinstance(one, Offline)] == [False]
    # it is back at another address: the game's connection breaks, it logs in by itself
    place.lobby.host.addresses = ("203.0.113.9",)
    place.net.names["lobby.example.org"] = ("203.0.113.9",)
    place.lobby.up()
    place.net.run_until(lambda: game.over, 15)
    assert place.game().packets
    assert len([one for one in place.news if isinstance(one, Online)]) == 2
    place.close()


def test_a_lobby_that_does_not_come_back() -> None:
    place = Place(lobby_grace=30.0)
    place.start()
    game = place.game()
    place.lobby.down()
    assert 30 <= place.net.run_until(lambda: game.over, 60) < 50
    assert notes(place)[-1] == "The lobby did not come back."
    place.close()


def test_who_is_kicked_is_told() -> None:
    place = Place()
    place.start()
    game = place.game()
    place.lobby.callers[-1].say("DISCONNECT", "KICKED")
    place.lobby.callers[-1].stream.close()
    place.net.run_until(lambda: game.over, 5)
    assert game.packets[-1] == ("DISCONNECT", "KICKED")
    place.close()


def test_the_last_words_of_a_game_reach_the_lobby() -> None:
    place = Place()
    place.start()
    game = place.game()
    game.say("DISCONNECT", "CONNECTION_CLOSED")
    game.stream.close()
    place.net.run_until(lambda: place.lobby.callers[-1].is_over, 5)
    assert place.lobby.callers[-1].got.endswith(encode("DISCONNECT", "CONNECTION_CLOSED"))
    assert [one.left for one in place.news if isinstance(one, Offline)] == [True]
    place.close()


def test_our_words_never_cut_one_of_the_game_in_two() -> None:
    place = Place()
    place.start()
    game = place.game()
    packet = encode("CHAT", "x" * 100, "")
    game.stream.write(packet[:50])
    place.net.advance(1)
    (player,) = place.agent.players
    assert player.connection is not None
    player.connection.negotiate()
    place.net.advance(1)
    game.stream.write(packet[50:])
    place.net.advance(1)
    assert place.lobby.callers[-1].got.endswith(encode("WLNET", "1") * 2 + packet)
    place.close()


def test_a_game_that_does_not_read_holds_up_nobody_but_itself() -> None:
    place = Place()
    place.start()
    game, other = place.game(), place.game("bob")
    caller = place.lobby.callers[-2]
    game.stream.pause()
    words = encode("CHAT", "ann", "x" * 900, "public")
    for _ in range(3000):
        caller.stream.write(words)
    place.net.advance(5)
    waiting = sum(stream.waiting for stream in place.host.streams)
    assert 0 < waiting < 256 * 1024
    assert caller.stream.waiting > 1_000_000  # the rest waits where it came from
    place.lobby.callers[-1].say("MOTD", "hi")
    place.net.advance(1)
    assert other.packets[-1] == ("MOTD", "hi")
    game.stream.resume()
    place.net.run_until(lambda: game.data.count(words) == 3000, 60)
    place.close()


def test_a_lobby_that_does_not_read_holds_up_the_game() -> None:
    place = Place()
    place.start()
    game = place.game()
    caller = place.lobby.callers[-1]
    caller.stream.pause()
    words = encode("CHAT", "x" * 900, "")
    for _ in range(3000):
        game.stream.write(words)
    place.net.advance(5)
    assert game.stream.waiting > 1_000_000
    caller.stream.resume()
    place.net.run_until(lambda: caller.got.count(words) == 3000, 60)
    # and if it dies meanwhile, the game's end is noticed
    caller.stream.pause()
    for _ in range(3000):
        game.stream.write(words)
    place.net.advance(5)
    place.lobby.down()
    place.net.advance(5)
    game.stream.close()
    place.net.advance(20)
    assert place.agent.players[0].connection is None
    place.close()


def test_no_more_games_than_there_may_be() -> None:
    place = Place(connections=3)
    place.start()
    lines = [LobbyLine(place.host, PORT) for _ in range(10)]
    place.net.advance(1)
    assert sum(line.over for line in lines) == 7
    for line in lines:
        line.stream.close()
    place.net.advance(10)
    assert place.game().packets
    place.close()


def test_a_lobby_that_logs_a_game_in_again_and_again() -> None:
    place = Place()
    place.start()
    game = place.game()
    for number in range(100):
        place.lobby.callers[-1].say("LOGIN", f"ann{number}", "UNREGISTERED")
    place.net.advance(2)
    assert len(place.agent.players) == 1
    assert len(game.packets) == 101
    assert place.lobby.callers[-1].got.count(b"WLNET") == 1
    place.close()


def test_accounts_keep_their_player() -> None:
    """The challenge goes through; the same name is the same player."""
    place = Place()

    def script(caller: Caller, data: bytes) -> None:
        if b"LOGIN\0" in data:
            caller.say("PWD_CHALLENGE", "c0ffee")
        elif b"PWD_CHALLENGE" in data:
            caller.say("LOGIN", "otto", "REGISTERED")
        else:
            place.lobby.usual(caller, data)

    place.lobby.script = script
    place.start()
    for _ in range(3):
        line = LobbyLine(place.host, PORT)
        line.say("LOGIN", "6", "otto", "1.1", "true", "")
        place.net.run_until(lambda line=line: line.packets)  # type: ignore[misc]
        assert line.packets == [("PWD_CHALLENGE", "c0ffee")]
        line.say("PWD_CHALLENGE", "answer")
        place.net.advance(1)
        assert line.packets[-1] == ("LOGIN", "otto", "REGISTERED")
        assert place.lobby.callers[-1].got.endswith(encode("PWD_CHALLENGE", "answer") + encode("WLNET", "1"))
        line.stream.abort()
        place.net.advance(1)
    assert len(place.agent.players) == 1
    place.close()


@pytest.mark.parametrize("version", ["0", "5"])
def test_older_games_come_through(version: str) -> None:
    place = Place()
    place.start()
    line = LobbyLine(place.host, PORT)
    words = ("LOGIN", version, "old", "build-20", "false", *(["nonce"] if version == "5" else []))
    line.say(*words)
    place.net.advance(2)
    assert line.packets == [("LOGIN", "old", "UNREGISTERED")]
    expected = encode(*words) + (encode("WLNET", "1") if version == "5" else b"")
    assert place.lobby.callers[-1].got == expected
    place.close()


def test_a_port_that_is_taken() -> None:
    place = Place()
    taken = place.host.listen(Family.V4, lambda stream: None, address="127.0.0.1", port=7397)
    # at the other address both can be had: games are told of that one only
    place.start()
    line = LobbyLine.__new__(LobbyLine)
    line.data, line.end, line.is_ended = b"", None, False
    line.stream = place.host.connect(Endpoint("::1", PORT), line)
    line.say("LOGIN", "6", "ann", "1.1", "false", "secret")
    place.net.advance(2)
    line.say("GAME_OPEN", "duel")
    place.net.advance(1)
    place.lobby.callers[-1].say("GAME_OPEN", "c0de", ADDRESS, "false")
    place.net.advance(1)
    assert line.packets[-1] == ("GAME_OPEN", "c0de", "::1", "false")
    with pytest.raises(OSError, match="Address already in use"):
        type(place.agent)(place.host, place.options, place.news.append).start()
    taken.close()
    place.close()


def test_a_game_that_was_cut_off_while_the_lobby_greets() -> None:
    place = Place()
    place.start()
    game = place.game()
    caller = place.lobby.callers[-1]
    caller.stream.write(GREETING * 50)
    game.stream.abort()
    place.net.advance(5)
    assert game.end is None or isinstance(game.end, StreamEnd)
    assert place.agent.players[0].connection is None
    place.close()
