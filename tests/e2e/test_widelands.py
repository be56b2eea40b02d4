"""Two real Widelands 1.1 clients, one server, one evening of playing. The steps depend on each other."""

from __future__ import annotations

from itertools import groupby

import pytest

from tests.e2e import actions, layout
from tests.e2e.observer import Chat
from tests.e2e.recorder import LOBBY_PORT, RELAY_PORT
from tests.e2e.sockets import connections, cut
from tests.e2e.waiting import wait_for
from tests.e2e.world import World

pytestmark = pytest.mark.e2e

ALICE, BOB = "alicenubu", "bobrakelo"
GAME, SECOND_GAME = "meadowgame", "riverbank"
NO_CUTTING = "this kernel cannot abort a connection (CONFIG_INET_DIAG_DESTROY)"


def test_01_both_log_in(world: World) -> None:
    """One player without and one with an account; both lists show who is who."""
    for client in (world.alice, world.bob):
        client.screen.wait_text("Exit Widelands", layout.MENU_EXIT, timeout=60)
    world.shoot("01-main-menu")
    actions.log_in(world.alice)
    actions.log_in(world.bob)
    world.observer.wait_client(ALICE, build="1.1", game="", permission="UNREGISTERED")
    world.observer.wait_client(BOB, build="1.1", game="", permission="REGISTERED")
    for client in (world.alice, world.bob):
        client.screen.wait_text(ALICE, layout.LOBBY_CLIENTS)
        client.screen.wait_text(BOB, layout.LOBBY_CLIENTS)
    world.shoot("02-lobby")
    assert actions.rank(world.alice, BOB) == "REGISTERED"
    assert actions.rank(world.alice, ALICE) == "UNREGISTERED"
    assert actions.rank(world.bob, BOB) == "REGISTERED"
    assert actions.rank(world.bob, ALICE) == "UNREGISTERED"


def test_02_each_is_connected_in_the_family_it_asked_for(world: World) -> None:
    """The kernel's view of the lobby connections: IPv4 for one, IPv6 for the other."""
    (alice,) = connections(world.alice.process.pid, LOBBY_PORT)
    (bob,) = connections(world.bob.process.pid, LOBBY_PORT)
    assert (alice.peer_host, bob.peer_host) == ("127.0.0.1", "::1")


def test_03_public_chat(world: World) -> None:
    actions.say_in_lobby(world.alice, "lovely weather tonight")
    world.observer.wait_chat(Chat(ALICE, "lovely weather tonight", "public"))
    actions.say_in_lobby(world.bob, "yes warm and dry")
    world.observer.wait_chat(Chat(BOB, "yes warm and dry", "public"))
    for client in (world.alice, world.bob):
        actions.wait_lobby_chat(client, "alicenubu: lovely weather tonight")
        actions.wait_lobby_chat(client, "bobrakelo: yes warm and dry")
    world.shoot("03-public-chat")


def test_04_private_chat(world: World) -> None:
    """Each whispers to the other; a third party sees nothing but its own."""
    actions.say_in_lobby(world.alice, "@bobrakelo come into the garden")
    actions.wait_lobby_chat(world.bob, "come into the garden")
    actions.say_in_lobby(world.bob, "@alicenubu gladly in a moment")
    actions.wait_lobby_chat(world.alice, "gladly in a moment")
    actions.say_in_lobby(world.bob, "@watcher sleep well")
    world.observer.wait_chat(Chat(BOB, "sleep well", "private"))
    world.observer.say("quiet please", BOB)
    actions.wait_lobby_chat(world.bob, "quiet please")
    world.shoot("04-private-chat")
    heard = " ".join(chat.text for chat in world.observer.chat)
    assert "garden" not in heard
    assert "moment" not in heard
    assert not world.alice.screen.shows("sleep well", layout.LOBBY_CHAT_LINES)


def test_05_hosting(world: World) -> None:
    """A new game is open for everybody once its host has reached the relay."""
    actions.open_game(world.alice, GAME)
    world.observer.wait_game(GAME, "SETUP")
    world.observer.wait_client(ALICE, game=GAME)
    world.bob.screen.wait_text(GAME, layout.LOBBY_GAMES)
    actions.choose_crater(world.alice)
    world.shoot("05-hosting")


def test_06_joining_through_the_relay(world: World) -> None:
    actions.join_first_game(world.bob, world.alice)
    world.observer.wait_client(BOB, game=GAME)
    world.alice.screen.wait_text(BOB, layout.SETUP_CLIENTS)
    world.bob.screen.wait_text(ALICE, layout.SETUP_CLIENTS)
    (alice,) = connections(world.alice.process.pid, RELAY_PORT)
    (bob,) = connections(world.bob.process.pid, RELAY_PORT)
    assert (alice.peer_host, bob.peer_host) == ("127.0.0.1", "::1")
    assert world.recorder.told_host() == [("ConnectClient", 2)]
    world.shoot("06-joined")


def test_07_leaving_and_rejoining_the_setup(world: World) -> None:
    """The guest goes back to the lobby and returns; it gets a new id at the relay."""
    actions.back_to_lobby(world.bob)
    world.observer.wait_client(BOB, game="")
    wait_for(lambda: not connections(world.bob.process.pid, RELAY_PORT), "the relay connection's end")
    actions.wait_not_shown(world.alice, BOB, layout.SETUP_CLIENTS)
    world.bob.screen.wait_text(GAME, layout.LOBBY_GAMES)
    world.shoot("07-guest-left-setup")
    assert world.recorder.told_host() == [("ConnectClient", 2), ("DisconnectClient", 2)]

    actions.join_first_game(world.bob, world.alice)
    world.observer.wait_client(BOB, game=GAME)
    world.alice.screen.wait_text(BOB, layout.SETUP_CLIENTS)
    world.shoot("08-guest-rejoined-setup")
    assert world.recorder.told_host()[2:] == [("ConnectClient", 3)]


def test_08_a_guests_relay_connection_breaks(world: World) -> None:
    """The game outlives it (and its host's confirmation, DisconnectClient); the guest can return."""
    (before,) = connections(world.bob.process.pid, RELAY_PORT)
    cut(before)
    if before in connections(world.bob.process.pid, RELAY_PORT):
        pytest.skip(NO_CUTTING)
    wait_for(lambda: world.recorder.host_dropped() == [3], "the host confirming the end of guest 3")
    actions.wait_not_shown(world.alice, BOB, layout.SETUP_CLIENTS)
    world.shoot("09-guest-lost-relay")
    actions.accept_disconnection(world.bob)
    world.observer.wait_client(BOB, game="")
    world.observer.wait_game(GAME, "SETUP")
    actions.join_first_game(world.bob, world.alice)
    world.observer.wait_client(BOB, game=GAME)
    assert world.recorder.told_host()[3:] == [("DisconnectClient", 3), ("ConnectClient", 4)]


def test_09_the_game_runs(world: World) -> None:
    actions.take_player_two(world.alice)
    world.shoot("10-ready")
    actions.start(world.alice, world.bob)
    world.observer.wait_game(GAME, "RUNNING")
    world.shoot("11-running")
    for direction in ("ToClients", "FromHost", "ToHost", "FromClient"):
        assert world.recorder.game_packets(direction) > 0, direction


@pytest.mark.parametrize("who", ["bob", "alice"], ids=["guest", "host"])
def test_10_a_cut_lobby_connection_comes_back(world: World, who: str) -> None:
    """One TCP connection to the lobby breaks while playing: name, rank and game stay, play goes on."""
    client = world.alice if who == "alice" else world.bob
    permission = "UNREGISTERED" if who == "alice" else "REGISTERED"
    names_before = set(world.observer.names_seen)
    (before,) = connections(client.process.pid, LOBBY_PORT)
    relayed_before = connections(client.process.pid, RELAY_PORT)
    since, host_since, guest_since = client.mark(), world.alice.mark(), world.bob.mark()

    cut(before)
    if before in connections(client.process.pid, LOBBY_PORT):
        pytest.skip(NO_CUTTING)
    client.wait_log("The connection to the metaserver was lost", since)
    client.wait_log("Reconnected to metaserver", since)

    (after,) = connections(client.process.pid, LOBBY_PORT)
    assert after.port != before.port
    world.observer.refresh()
    world.observer.wait_client(client.who.name, game=GAME, permission=permission)
    assert world.observer.names_seen == names_before, "somebody got another name"
    assert world.observer.games[GAME].state == "RUNNING"
    actions.wait_running(world.alice, world.bob, host_since, guest_since)
    assert connections(client.process.pid, RELAY_PORT) == relayed_before
    world.shoot("12-guest-was-cut-off" if who == "bob" else "13-host-was-cut-off")


def test_11_a_guest_leaves_the_running_game(world: World) -> None:
    """It comes back to the lobby; the host goes on alone. (1.1 offers running games to nobody.)"""
    _, guest_id = world.recorder.told_host()[-1]
    actions.leave_running_game(world.bob)
    world.observer.wait_no_client(BOB)
    assert world.recorder.told_host()[-1] == ("DisconnectClient", guest_id)
    world.shoot("14-guest-left-game")
    actions.log_in(world.bob)
    world.observer.wait_client(BOB, game="", permission="REGISTERED")
    world.bob.screen.wait_text(GAME, layout.LOBBY_CLIENTS)
    assert not world.bob.screen.shows(GAME, layout.LOBBY_GAMES)
    actions.continue_without(world.alice)
    actions.wait_sync(world.alice, world.alice.mark())
    assert world.observer.games[GAME].state == "RUNNING"
    world.shoot("15-guest-in-lobby")


def test_12_the_host_leaves_and_the_game_is_gone(world: World) -> None:
    actions.leave_running_game(world.alice)
    world.observer.wait_no_game(GAME)
    world.observer.wait_no_client(ALICE)
    states = [state for state, _ in groupby(world.observer.states_of(GAME))]
    assert states in (["CLOSED", "SETUP", "RUNNING"], ["SETUP", "RUNNING"])
    actions.wait_lobby_chat(world.bob, f"The game {GAME} has been closed")
    actions.wait_not_shown(world.bob, GAME, layout.LOBBY_CLIENTS)
    actions.wait_not_shown(world.bob, GAME, layout.LOBBY_GAMES)
    world.shoot("16-host-left")


def test_13_the_guest_rejoins_its_game(world: World) -> None:
    """How players of 1.1 come back: the host opens the game saved when the guest was lost."""
    actions.log_in(world.alice)
    world.observer.wait_client(ALICE, game="", permission="UNREGISTERED")
    actions.open_game(world.alice, SECOND_GAME)
    actions.choose_save(world.alice)
    world.bob.screen.wait_text(SECOND_GAME, layout.LOBBY_GAMES)
    actions.join_first_game(world.bob, world.alice)
    assert world.recorder.told_host()[-1] == ("ConnectClient", 2)
    world.bob.screen.wait_text("Completed transfer of file", layout.SETUP_CHAT_LINES)
    # The save knows the guest as "bobrakelo1" (it had rejoined the setup), so it is a spectator now.
    actions.take_saved_player_one(world.bob, world.alice)
    world.shoot("17-saved-game")
    since = world.bob.mark()
    actions.start(world.alice, world.bob)
    world.observer.wait_game(SECOND_GAME, "RUNNING")
    world.observer.wait_client(BOB, game=SECOND_GAME)
    world.shoot("18-resumed")
    old_times = world.alice.numbers(r"comparing syncreports for time (\d+)")
    assert min(world.bob.numbers(r"sending timestamp: (\d+)", since)) > min(old_times), "it began anew"


def test_14_the_host_leaves_its_guest(world: World) -> None:
    """With a guest in the game: its player is told, and the game is gone for everybody."""
    actions.leave_running_game(world.alice)
    world.observer.wait_no_game(SECOND_GAME)
    wait_for(lambda: actions.told_host_left(world.bob), "the guest being told")
    wait_for(lambda: not connections(world.bob.process.pid, RELAY_PORT), "the relay connection's end")
    world.shoot("19-host-left-guest")
    actions.leave_ended_game(world.bob)
    world.observer.wait_no_client(BOB)
    world.shoot("20-end")


def test_15_the_server_stops_cleanly(world: World) -> None:
    world.observer.refresh()
    assert world.observer.games == {}
    assert world.server.stop() == 0
    log = world.server.log()
    assert "Traceback" not in log
    assert "Unhandled" not in log
