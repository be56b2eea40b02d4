"""What a player does, as clicks and keys on the real client, repeated until the client reacts."""

from __future__ import annotations

from tests.e2e import layout
from tests.e2e.client import Client
from tests.e2e.layout import Area
from tests.e2e.screen import resembles
from tests.e2e.waiting import pause, wait_for


def log_in(client: Client) -> None:
    """From the main menu to the lobby."""
    since = client.mark()
    client.insist(
        lambda: client.screen.key("j"),
        lambda: client.count(rf"InternetGaming: Client {client.who.name}\b.* logged in", since),
        "the login", patience=15,
    )  # fmt: skip
    client.screen.wait_text("Metaserver Lobby", layout.TITLE)


def say_in_lobby(client: Client, text: str) -> None:
    client.screen.click(layout.LOBBY_CHAT)
    client.screen.type(text)
    client.screen.key("Return")


def wait_lobby_chat(client: Client, text: str) -> None:
    client.screen.wait_text(text, layout.LOBBY_CHAT_LINES)


def rank(client: Client, name: str) -> str:
    """The rank the client's list shows for a player by the colour of an icon."""
    for row in range(layout.LOBBY_ROWS):
        if resembles(name, client.screen.read(layout.lobby_name(row))):
            red, green, blue = client.screen.colour(layout.lobby_rank(row))
            assert red > 100, f"no icon in row {row}: {red}, {green}, {blue}"
            assert blue < 80, f"neither yellow nor red in row {row}: {red}, {green}, {blue}"
            return "REGISTERED" if green > red / 2 else "UNREGISTERED"
    raise AssertionError(f"{name} is not in the list on {client.who.name}'s screen")


def open_game(client: Client, name: str) -> None:
    """From the lobby to a new game's setup screen."""
    since = client.mark()

    def action() -> None:
        client.screen.click(layout.LOBBY_SERVER_NAME)
        client.screen.key("End", *["BackSpace"] * 14)
        client.screen.type(name)
        client.screen.click(layout.LOBBY_OPEN_GAME)

    client.insist(
        action, lambda: client.count(f"Client opened a game with the name {name}", since), "opening a game"
    )
    client.wait_log(r"\[NetHostProxy\] Handshaking with relay server done", since)
    client.screen.wait_text("Launch Game", layout.TITLE)


def choose_crater(client: Client) -> None:
    """In the host's setup screen: take the map Crater (two players)."""
    _choose(client, layout.SETUP_CHANGE_MAP, "Choose Map")
    client.insist(
        lambda: client.screen.click(layout.MAPS_CRATER),
        lambda: client.screen.shows("Crater", layout.MAPS_DETAILS),
        "the choice of a map",
    )
    _accept(client)


def choose_save(client: Client) -> None:
    """In the host's setup screen: take the newest saved game."""
    _choose(client, layout.SETUP_CHANGE_SAVE, "Choose Game")
    client.insist(
        lambda: client.screen.click(layout.SAVES_FIRST),
        lambda: client.screen.shows("Map Name: Crater", layout.SAVES_DETAILS),
        "the choice of a saved game",
    )
    _accept(client)


def _choose(client: Client, button: layout.Point, title: str) -> None:
    client.insist(
        lambda: client.screen.click(button),
        lambda: client.screen.shows(title, layout.TITLE),
        f"the screen {title}",
    )


def _accept(client: Client) -> None:
    client.insist(
        lambda: client.screen.click(layout.CHOOSE_OK),
        lambda: client.screen.shows("Crater", layout.SETUP_MAP_NAME),
        "the map's name in the setup screen",
    )


def join_first_game(client: Client, host: Client) -> None:
    """From the lobby to the setup screen of the game at the top of the list."""
    since, host_since = client.mark(), host.mark()

    def action() -> None:
        client.screen.click(layout.LOBBY_FIRST_GAME)
        client.screen.click(layout.LOBBY_JOIN)

    client.insist(
        action, lambda: client.count("Received ips of the game to join", since), "joining", patience=12
    )
    host.wait_log(r"\[Host\]: Client \d+: welcome to usernum \d+", host_since)
    client.wait_log(r"\[Client\] SETTING_MAP 'Crater'", since)
    client.screen.wait_text("Launch Game", layout.TITLE)


def back_to_lobby(client: Client) -> None:
    """Leave a setup screen."""
    since = client.mark()
    client.insist(
        lambda: client.screen.click(layout.SETUP_BACK),
        lambda: client.count("Client announced the disconnect from the game", since),
        "leaving the setup screen",
    )
    client.wait_log("Received a client list update", since)
    pause(0.3)  # the list is drawn in the next frame


def accept_disconnection(client: Client) -> None:
    """In a setup screen: answer the notice that the host's connection is lost; back to the lobby."""
    client.screen.wait_text("The connection with the host was lost", layout.SETUP_LOST_NOTICE)
    since = client.mark()
    client.insist(
        lambda: client.screen.click(layout.SETUP_LOST_OK),
        lambda: client.count("Client announced the disconnect from the game", since),
        "the end of the notice",
    )
    client.wait_log("Received a client list update", since)
    pause(0.3)


def take_player_two(host: Client) -> None:
    """The host, a spectator at first, takes the second player; then everybody is ready."""

    def action() -> None:
        host.screen.click(layout.SETUP_HOST_ROLE)
        pause(0.3)
        host.screen.click(layout.SETUP_HOST_PLAYER_TWO)

    host.insist(action, lambda: can_start(host), "an enabled start button")


def take_saved_player_one(guest: Client, host: Client) -> None:
    """The guest takes the first player of a saved game though he had another name in it."""

    def action() -> None:
        guest.screen.click(layout.SETUP_GUEST_ROLE)
        pause(0.3)
        guest.screen.click(layout.SETUP_GUEST_PLAYER_ONE)
        pause(0.5)
        guest.screen.click(layout.SETUP_OTHER_NAME_OK)

    guest.insist(action, lambda: can_start(host), "an enabled start button")


def can_start(host: Client) -> bool:
    """Yellow (not grey) text on the start button."""
    red, _, blue = host.screen.colour(layout.SETUP_START_TEXT)
    return red > blue + 40


def start(host: Client, guest: Client) -> None:
    """From the setup screen into the game, until both play."""
    since, guest_since = host.mark(), guest.mark()
    host.insist(
        lambda: host.screen.click(layout.SETUP_START),
        lambda: host.count(r"\[Host\]: Requesting sync reports", since),
        "the start of the game", patience=30,
    )  # fmt: skip
    wait_running(host, guest, since, guest_since)


def wait_running(host: Client, guest: Client, since: int, guest_since: int) -> None:
    """Time passes in the game of both, and their states were compared."""
    host.wait_log(r"\[Host\]: comparing syncreports", since, timeout=60, times=2)
    guest.wait_log(r"\[Client\]: sending timestamp", guest_since, timeout=30, times=3)
    host_times = host.numbers(r"comparing syncreports for time (\d+)", since)
    guest_times = guest.numbers(r"sending timestamp: (\d+)", guest_since)
    assert host_times == sorted(set(host_times)), host_times
    assert guest_times[0] < guest_times[-1], guest_times
    assert not host.count("lost synchronization"), "the host found the states of the two to differ"


def wait_sync(host: Client, since: int, times: int = 2) -> None:
    """Time passes in the host's game."""
    host.wait_log(r"\[Host\]: Requesting sync reports for time", since, times=times)


def _exit_game(client: Client) -> None:
    client.screen.key("Escape")
    pause(0.8)
    client.screen.click(layout.GAME_EXIT)
    pause(0.8)
    client.screen.click(layout.GAME_EXIT_OK)


def leave_running_game(client: Client) -> None:
    """From a running game to the main menu: Escape, Exit Game, OK."""
    since = client.mark()
    client.insist(
        lambda: _exit_game(client),
        lambda: client.count(r"InternetGaming: logout\(", since),
        "leaving the game", patience=12,
    )  # fmt: skip
    pause(1)  # the main menu is drawn


def told_host_left(client: Client) -> bool:
    """Whether the notice says that the host has left."""
    return client.screen.shows("Server has left the game", layout.GAME_ENDED_NOTICE)


def leave_ended_game(client: Client) -> None:
    """To the main menu after the host has left, from the notice or (without one) from the game."""
    since = client.mark()

    def action() -> None:
        if told_host_left(client):
            client.screen.click(layout.GAME_ENDED_CANCEL)
        else:
            _exit_game(client)

    client.insist(
        action, lambda: client.count(r"InternetGaming: logout\(", since), "leaving the game", patience=12
    )
    pause(1)


def continue_without(host: Client) -> None:
    """Answer the host's notice that a player got lost: go on (with a computer player)."""
    host.screen.wait_text("A player disconnected from", layout.GAME_NOTICE)
    since = host.mark()
    host.insist(
        lambda: host.screen.click(layout.GAME_CONTINUE),
        lambda: host.count("Requesting sync reports", since),
        "the game going on",
    )


def wait_not_shown(client: Client, text: str, area: Area) -> None:
    wait_for(lambda: not client.screen.shows(text, area), f"{text} gone from the screen", 30, interval=0.5)
