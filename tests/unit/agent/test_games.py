"""Games between machines with agents, and everything that comes in between."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from tests.unit.agent.hamlet import Hamlet, Machine, RelayLine
from wlnet.agent.news import Hosted, Joining, LeftGame, Note, Offline
from wlnet.agent.passage import Opened
from wlnet.protocols.widelands_relay import wire
from wlnet.steering.model import PathKind

GAME = "duel"


def duel(hamlet: Hamlet, **options: Any) -> tuple[Machine, Machine, RelayLine, RelayLine]:
    """A host and a guest in a game, on the best path."""
    ann, bob = hamlet.machine("ann", **options), hamlet.machine("bob", **options)
    host = ann.host_game(ann.lobby(), GAME)
    guest = bob.join(bob.lobby(), GAME)
    hamlet.until(lambda: bob.paths and bob.paths[-1] and bob.paths[-1].kind is PathKind.PUNCHED)
    hamlet.net.advance(2.0)
    assert host.frames[1:] == [("ConnectClient", 2)]
    return ann, bob, host, guest


def peers(machine: Machine) -> int:
    """Tunnels of its (only) game."""
    return len(machine.agent.players[0].peers)


def words_of(line: RelayLine) -> bytes:
    """All packets' contents."""
    return b"".join(frame[-1] for frame in line.frames if frame[0] in ("FromHost", "FromClient"))


def test_one_with_and_one_without_an_agent_in_one_game() -> None:
    hamlet = Hamlet()
    _, bob, host, guest = duel(hamlet)
    plain = hamlet.plain_guest(GAME)
    assert plain.frames == [("Welcome", 1, GAME)]
    hamlet.until(lambda: host.frames[-1] == ("ConnectClient", 3))
    guest.say(wire.to_host(b"bob"))
    plain.say(wire.to_host(b"carl"))
    hamlet.net.advance(1)
    assert {("FromClient", 2, b"bob"), ("FromClient", 3, b"carl")} <= set(host.frames)
    host.say(wire.to_clients([2, 3], b"all") + wire.to_clients([3], b"you"))
    hamlet.net.advance(1)
    assert guest.frames[1:] == [("FromHost", b"all")]
    assert plain.frames[1:] == [("FromHost", b"all"), ("FromHost", b"you")]
    # both kinds can be kicked, and hear of it
    host.say(wire.disconnect_client(2) + wire.disconnect_client(3))
    hamlet.until(lambda: guest.over and plain.over)
    assert guest.frames[-1] == plain.frames[-1] == ("Disconnect", "NORMAL")
    assert [one.game for one in bob.said(LeftGame)] == [GAME]
    assert not host.over
    hamlet.close()
    assert host.over


def test_a_guest_may_come_back_at_once_over_the_same_tunnel() -> None:
    hamlet = Hamlet()
    ann, bob = hamlet.machine("ann"), hamlet.machine("bob")
    host, lobby = ann.host_game(ann.lobby(), GAME), bob.lobby()
    for number in range(2, 6):
        guest = bob.join(lobby, GAME)
        guest.say(wire.to_host(b"hello"))
        hamlet.until(lambda number=number: host.frames[-1] == ("FromClient", number, b"hello"))  # type: ignore[misc]
        guest.stream.close()
        hamlet.until(lambda number=number: host.frames[-1] == ("DisconnectClient", number))  # type: ignore[misc]
        host.say(wire.disconnect_client(number))
    assert peers(bob) == 1
    hamlet.net.advance(10)
    assert peers(bob) == 0  # nobody keeps what nobody uses
    hamlet.close()


def test_an_outage_of_half_a_minute_loses_nothing() -> None:
    hamlet = Hamlet()
    ann, bob, host, guest = duel(hamlet)
    down, up = Random(1).randbytes(700_000), Random(2).randbytes(700_000)
    before = hamlet.net.time
    for one in (bob.host,):
        one.unplugged = True
    for at in range(0, len(down), 1000):
        if at < 350_000:
            host.say(wire.to_clients([2], down[at : at + 1000]))
        guest.say(wire.to_host(up[at : at + 1000]))
    hamlet.net.advance(30)
    assert words_of(guest) == b""
    assert not guest.over
    bob.host.unplugged = False
    for at in range(350_000, len(down), 1000):
        host.say(wire.to_clients([2], down[at : at + 1000]))
        hamlet.net.advance(0.02)
    hamlet.until(lambda: words_of(guest) == down and words_of(host) == up, 60)
    assert hamlet.net.time - before < 90
    assert not guest.over
    assert not host.over
    assert ann.said(Hosted) == []
    hamlet.close()


@pytest.mark.parametrize("grace", [20.0, 60.0])
def test_an_outage_past_the_grace_ends_with_a_reason(grace: float) -> None:
    hamlet = Hamlet()
    _, bob, host, guest = duel(hamlet, grace=grace)
    before = hamlet.net.time
    bob.host.unplugged = True
    hamlet.until(lambda: guest.over, 2 * grace)
    assert grace - 15 <= hamlet.net.time - before <= grace + 15
    assert f"for {grace:g} seconds" in bob.said(LeftGame)[-1].reason
    hamlet.until(lambda: host.frames[-1] == ("DisconnectClient", 2), 30)
    assert not host.over


def test_a_guest_who_is_too_far_behind_is_dropped_alone() -> None:
    hamlet = Hamlet()
    _, bob, host, guest = duel(hamlet, stream_waiting=8192, room_waiting=100_000)
    plain = hamlet.plain_guest(GAME)
    hamlet.until(lambda: ("ConnectClient", 3) in host.frames)
    bob.host.unplugged = True
    for _ in range(200):
        host.say(wire.to_clients([2, 3], b"x" * 1000))
    hamlet.until(lambda: ("DisconnectClient", 2) in host.frames, 5)
    hamlet.until(lambda: len(words_of(plain)) == 200_000, 5)
    assert not guest.over  # it cannot know yet
    bob.host.unplugged = False
    hamlet.until(lambda: guest.over, 70)


def test_the_public_relay_dies_and_guests_over_paths_play_on() -> None:
    hamlet = Hamlet()
    ann, _, host, guest = duel(hamlet)
    plain = hamlet.plain_guest(GAME)
    hamlet.until(lambda: ("ConnectClient", 3) in host.frames)
    hamlet.relay_dies()
    hamlet.until(lambda: plain.over and ("DisconnectClient", 3) in host.frames)
    assert "public relay has gone" in ann.said(Note)[-1].text
    host.say(wire.to_clients([2], b"still here"))
    hamlet.until(lambda: guest.frames[-1] == ("FromHost", b"still here"))
    hamlet.close()


def test_a_public_relay_that_falls_silent_is_given_up() -> None:
    hamlet = Hamlet()
    ann, _, host, _guest = duel(hamlet)
    plain = hamlet.plain_guest(GAME)
    hamlet.until(lambda: ("ConnectClient", 3) in host.frames)
    hamlet.net.advance(20)
    hamlet.net.link(ann.host, hamlet.server.host, cut=True)
    hamlet.until(lambda: ("DisconnectClient", 3) in host.frames, 120)
    assert not host.over
    assert plain is not None


@pytest.mark.parametrize("moves", [True, False], ids=["another address", "only the lobby was away"])
def test_a_host_who_is_back_in_the_lobby_sees_whether_the_public_relay_is_there(*, moves: bool) -> None:
    """The game waits for all its guests: those it cannot reach any more must not hold up the others."""
    hamlet = Hamlet()
    ann, _, host, guest = duel(hamlet)
    hamlet.plain_guest(GAME)
    hamlet.until(lambda: ("ConnectClient", 3) in host.frames)
    nat = ann.host.nat
    assert nat is not None
    before = hamlet.net.time
    if moves:
        nat.public = "192.0.2.77"  # all mappings are gone, and nobody is told
        nat.forget()
        hamlet.until(lambda: ann.said(Offline))
    ann.lobby()
    hamlet.net.advance(12)
    if moves:
        hamlet.until(lambda: ("DisconnectClient", 3) in host.frames)
        assert hamlet.net.time - before < 30
        assert "public relay has gone" in ann.said(Note)[-1].text
    else:
        assert ("DisconnectClient", 3) not in host.frames
    host.say(wire.to_clients([2], b"on we go"))
    hamlet.until(lambda: words_of(guest) == b"on we go", 5)
    hamlet.close()


def test_without_other_guests_the_end_of_the_relay_is_the_end() -> None:
    hamlet = Hamlet()
    ann = hamlet.machine("ann")
    host = ann.host_game(ann.lobby(), GAME)
    hamlet.relay_dies()
    hamlet.until(lambda: host.over)
    assert "CONNECTION_LOST" in ann.said(Hosted)[-1].reason
    hamlet.close()


@pytest.mark.parametrize("name", ["second", GAME])
def test_a_host_opens_a_second_game(name: str) -> None:
    hamlet = Hamlet()
    ann, bob = hamlet.machine("ann"), hamlet.machine("bob")
    ann_lobby, bob_lobby = ann.lobby(), bob.lobby()
    host = ann.host_game(ann_lobby, GAME)
    guest = bob.join(bob_lobby, GAME)
    host.stream.close()
    hamlet.until(lambda: guest.over)
    guest.stream.close()
    second = ann.host_game(ann_lobby, name)
    guest = bob.join(bob_lobby, name)
    guest.say(wire.to_host(b"here too"))
    hamlet.until(lambda: second.frames[-1] == ("FromClient", 2, b"here too"))
    hamlet.net.advance(10)
    assert not guest.over
    assert len(ann.agent.relay.rooms()) == 1
    hamlet.close()


def test_a_room_that_is_opened_again_without_leaving_the_first() -> None:
    """The lobby would not allow it; the agent does not rely on that."""
    hamlet = Hamlet()
    ann, _bob, host, guest = duel(hamlet)
    hosting = ann.agent.players[0]
    assert hosting.connection is not None
    hosting.event(hosting.connection, Opened(game="second", relays=("203.0.113.1",)))
    hamlet.until(lambda: host.over and guest.over)
    assert host.frames[-1] == guest.frames[-1] == ("Disconnect", "NORMAL")
    assert ann.agent.relay.rooms() == []
    hamlet.close()


def test_two_games_of_one_machine_with_the_same_secret() -> None:
    """One profile, started twice: the lobby gives the second one a name of its own."""
    hamlet = Hamlet()
    ann, bob = hamlet.machine("ann"), hamlet.machine("bob")
    host = ann.host_game(ann.lobby(), GAME)
    others = bob.host_game(bob.lobby(), "other")
    second = ann.lobby()
    assert second.packets[0] == ("LOGIN", "ann1", "UNREGISTERED")
    guest = ann.join(second, "other")
    guest.say(wire.to_host(b"from the same machine"))
    hamlet.until(lambda: others.frames[-1] == ("FromClient", 2, b"from the same machine"))
    assert not host.over
    # and even with each other
    own = ann.join(second, GAME)
    own.say(wire.to_host(b"myself"))
    hamlet.until(lambda: host.frames[-1] == ("FromClient", 2, b"myself"))
    assert len(ann.agent.players) == 2
    hamlet.close()


def test_a_host_without_an_agent_is_joined_as_ever() -> None:
    hamlet = Hamlet()
    bob = hamlet.machine("bob")
    lobby = bob.lobby()
    plain = hamlet.server.rig.connect()
    plain.login("carl")
    plain.say("GAME_OPEN", "plain")
    hamlet.server.sync()
    hamlet.room_hosted(hamlet.server.rig.relay.room_of("plain"))
    before = hamlet.net.time
    assert bob.asked(lobby, "plain")[1] == "203.0.113.1"
    assert hamlet.net.time - before < 1
    assert bob.said(Joining)[-1].reason == "its host has no agent"
    lobby.say("GAME_DISCONNECT")
    hamlet.net.advance(1)
    assert [one.game for one in bob.said(LeftGame)] == ["plain"]
    hamlet.close()


def test_a_host_who_cannot_be_reached_in_time() -> None:
    hamlet = Hamlet()
    ann, bob = hamlet.machine("ann"), hamlet.machine("bob")
    ann.host_game(ann.lobby(), GAME)
    lobby = bob.lobby()
    hamlet.server.relay_up = False
    hamlet.net.link(ann.host, bob.host, cut=True)
    before = hamlet.net.time
    assert bob.asked(lobby, GAME)[1] == "203.0.113.1"
    assert 5 < hamlet.net.time - before < 8
    assert "in time" in bob.said(Joining)[-1].reason
    # the late path is not kept
    hamlet.net.link(ann.host, bob.host, cut=False)
    hamlet.server.relay_up = True
    hamlet.net.advance(60)
    assert peers(bob) == 0
    hamlet.close()


def test_a_game_that_leaves_before_it_came() -> None:
    hamlet = Hamlet()
    ann, bob = hamlet.machine("ann"), hamlet.machine("bob")
    ann.host_game(ann.lobby(), GAME)
    lobby = bob.lobby()
    assert bob.asked(lobby, GAME)[1] == "127.0.0.1"
    lobby.say("GAME_DISCONNECT")
    hamlet.net.advance(5)
    assert peers(bob) == 0
    late = bob.relay(wire.hello(1, GAME.encode(), b"client"))
    hamlet.until(lambda: late.over)
    assert late.frames == [("Disconnect", "GAME_UNKNOWN")]
    # a host the same
    bob.opened(lobby, "mine")
    lobby.say("GAME_DISCONNECT")
    hamlet.net.advance(1)
    assert [one.game for one in bob.said(Hosted)] == ["mine"]
    assert bob.agent.players[0].room is None
    hamlet.close()


def test_games_that_never_come_are_given_up() -> None:
    hamlet = Hamlet()
    ann, bob = hamlet.machine("ann", come=20.0), hamlet.machine("bob", come=20.0)
    ann.host_game(ann.lobby(), GAME)
    lobby = bob.lobby()
    assert bob.asked(lobby, GAME)[1] == "127.0.0.1"
    bob.opened(lobby, "mine")
    assert peers(bob) == 1
    hamlet.net.advance(30)
    assert peers(bob) == 0
    assert bob.agent.players[0].room is None
    assert bob.said(Hosted)[-1].reason == "The game did not come."
    hamlet.close()


def test_who_opens_many_streams_gets_few_seats() -> None:
    hamlet = Hamlet()
    ann, bob, host, _ = duel(hamlet)
    (peer,) = bob.agent.players[0].peers
    broken = []

    class Stranger:
        def received(self, data: bytes) -> None: ...
        def ended(self) -> None: ...
        def writable(self) -> None: ...
        def closed(self, text: str) -> None:
            broken.append(text)

    streams = [peer.open_stream(1, Stranger()) for _ in range(50)]
    other = peer.open_stream(7, Stranger())
    for stream in streams:
        stream.write(wire.hello(1, GAME.encode(), b"client"))
    other.write(b"not ours")
    hamlet.net.advance(2)
    assert len(broken) == 48
    assert [frame for frame in host.frames if frame[0] == "ConnectClient"] == [
        ("ConnectClient", number) for number in (2, 3, 4, 5)
    ]
    room = ann.agent.players[0].room
    assert room is not None
    assert room.guests == (4, 0)
    hamlet.close()


def test_players_who_went_are_forgotten() -> None:
    hamlet = Hamlet()
    bob = hamlet.machine("bob", forget=30.0)
    for number in range(3):
        lobby = bob.lobby(secret=f"secret {number}")
        lobby.say("DISCONNECT", "CONNECTION_CLOSED")
        lobby.stream.close()
        hamlet.net.advance(1)
    assert bob.agent.players
    hamlet.net.advance(40)
    assert bob.agent.players == ()
    hamlet.net.advance(5)
    assert bob.host.open == 4  # two ports at two addresses
    hamlet.close()


def test_more_players_than_are_remembered() -> None:
    hamlet = Hamlet()
    bob = hamlet.machine("bob")
    for number in range(20):
        bob.name = f"bob{number}"
        lobby = bob.lobby()
        lobby.stream.close()
        hamlet.net.advance(0.5)
    assert len(bob.agent.players) == 16
    hamlet.close()


def test_a_host_who_is_lost_before_the_guests_game_came() -> None:
    hamlet = Hamlet()
    ann, bob = hamlet.machine("ann"), hamlet.machine("bob")
    ann.host_game(ann.lobby(), GAME)
    lobby = bob.lobby()
    assert bob.asked(lobby, GAME)[1] == "127.0.0.1"
    ann.close()
    hamlet.until(lambda: peers(bob) == 0, 5)
    late = bob.relay(wire.hello(1, GAME.encode(), b"client"))
    hamlet.until(lambda: late.over)
    assert late.frames == [("Disconnect", "GAME_UNKNOWN")]
    hamlet.net.advance(20)
    assert ann.closed == 1
    assert ann.host.open == 0
    bob.close()
    hamlet.until(lambda: bob.closed == 1, 6)


@pytest.mark.parametrize("patient", ["ann", "bob"])
def test_the_less_patient_side_counts(patient: str) -> None:
    hamlet = Hamlet()
    ann = hamlet.machine("ann", grace=200.0 if patient == "ann" else 20.0)
    bob = hamlet.machine("bob", grace=200.0 if patient == "bob" else 20.0)
    host = ann.host_game(ann.lobby(), GAME)
    guest = bob.join(bob.lobby(), GAME)
    hamlet.net.advance(5)
    bob.host.unplugged = True
    hamlet.net.advance(50)
    bob.host.unplugged = False
    hamlet.until(lambda: guest.over and host.frames[-1] == ("DisconnectClient", 2), 30)
    assert not host.over
    hamlet.close()


def test_the_lobby_restarts_and_a_game_can_be_joined_again() -> None:
    hamlet = Hamlet()
    ann, bob = hamlet.machine("ann"), hamlet.machine("bob")
    ann_lobby, bob_lobby = ann.lobby(), bob.lobby()
    host = ann.host_game(ann_lobby, GAME)
    guest = bob.join(bob_lobby, GAME)
    hamlet.server.lobby_down()
    hamlet.net.advance(20)
    assert not ann_lobby.over
    guest.say(wire.to_host(b"meanwhile"))
    hamlet.until(lambda: host.frames[-1] == ("FromClient", 2, b"meanwhile"))
    hamlet.server.lobby_up()
    hamlet.until(lambda: ann_lobby.over and bob_lobby.over, 15)
    ann.lobby()
    again = bob.lobby()
    guest.stream.close()
    hamlet.until(lambda: host.frames[-1] == ("DisconnectClient", 2))
    hamlet.net.advance(10)
    assert peers(bob) == 0
    guest = bob.join(again, GAME)  # met anew, by way of the lobby
    guest.say(wire.to_host(b"back"))
    hamlet.until(lambda: host.frames[-1] == ("FromClient", 3, b"back"))
    hamlet.close()


def test_a_game_that_logs_in_again_before_its_old_connection_is_gone() -> None:
    """It hangs, is started again, and the lobby gives it its seat: the agent does the same."""
    hamlet = Hamlet()
    ann, bob = hamlet.machine("ann"), hamlet.machine("bob")
    old = ann.lobby()
    host = ann.host_game(old, GAME)
    bob_lobby = bob.lobby()
    old.stream.pause()  # answers no ping any more
    again = ann.lobby()
    assert again.packets[0] == ("LOGIN", "ann", "UNREGISTERED")
    old.stream.resume()
    hamlet.until(lambda: old.over, 5)
    assert [one.name for one in ann.agent.players] == ["ann"]
    hamlet.net.advance(5)
    assert not again.over
    guest = bob.join(bob_lobby, GAME)
    guest.say(wire.to_host(b"found you"))
    hamlet.until(lambda: host.frames[-1] == ("FromClient", 2, b"found you"))
    hamlet.close()
