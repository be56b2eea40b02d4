"""The relay as hosts and clients see it."""

from __future__ import annotations

import struct
import time

import pytest

from tests.integration.server.conftest import People, Start
from tests.support.server_process import ServerProcess
from tests.support.wire_client import Closed, hello, to_clients, to_host, wait_for

REQUEST = b"\x06"


def disconnect_client(number: int) -> bytes:
    return bytes([12, number])


def test_host_and_clients_play(server: ServerProcess, people: People) -> None:
    _, _, host, (two, three) = people.game(server, guests=2)
    two.send_raw(to_host(b"hello from two"))
    assert host.next() == ("FromClient", 2, b"hello from two")
    three.send_raw(to_host(b"") + to_host(b"\0\x0e" * 1000))
    assert host.next() == ("FromClient", 3, b"")
    assert host.next() == ("FromClient", 3, b"\0\x0e" * 1000)
    host.send_raw(to_clients([2, 3], b"to both"))
    assert two.next() == three.next() == ("FromHost", b"to both")
    host.send_raw(
        to_clients([3, 3], b"twice") + to_clients([], b"to nobody") + to_clients([1, 99, 2], b"skipping")
    )
    assert [three.next(), three.next()] == [("FromHost", b"twice")] * 2
    assert two.next() == ("FromHost", b"skipping")
    host.send_raw(to_clients([2], b"x" * 65533))
    assert two.next() == ("FromHost", b"x" * 65533)
    assert three.during(0.1) == []


def test_order_is_kept(server: ServerProcess, people: People) -> None:
    _, _, host, (two, three) = people.game(server, guests=2)
    host.send_raw(b"".join(to_clients([2 + n % 2], b"%d" % n) for n in range(2000)))
    for n in range(0, 2000, 2):
        assert two.next() == ("FromHost", b"%d" % n)
        assert three.next() == ("FromHost", b"%d" % (n + 1))
    two.send_raw(b"".join(to_host(b"%d" % n) for n in range(1000)))
    for n in range(1000):
        assert host.next() == ("FromClient", 2, b"%d" % n)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_bytes_in_pieces(server: ServerProcess, people: People, size: int) -> None:
    game = people.name("game")
    password, _ = people.player(server).open_game(game)
    host = people.peer(server)
    stream = hello(game, password)
    for at in range(0, len(stream), size):
        host.send_raw(stream[at : at + size])
    assert host.take() == ("Welcome", 1, game)
    two = people.peer(server).join(game)
    assert host.next() == ("ConnectClient", 2)
    stream = (
        to_clients([2], b"one")
        + to_clients([2], b"two" * 50)
        + disconnect_client(77)
        + to_clients([2], b"end")
    )
    for at in range(0, len(stream), size):
        host.send_raw(stream[at : at + size])
    assert [two.next() for _ in range(3)] == [
        ("FromHost", b"one"),
        ("FromHost", b"two" * 50),
        ("FromHost", b"end"),
    ]


# -- joining -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("twice", [False, True])
def test_the_password_of_a_version_1_host_once_or_twice(
    server: ServerProcess, people: People, twice: bool
) -> None:
    game = people.name("game")
    password, _ = people.player(server).open_game(game)
    host = people.peer(server).join(game, password, twice=twice)
    guest = people.peer(server).join(game)
    assert host.next() == ("ConnectClient", 2)
    host.send_raw(to_clients([2], b"play"))
    assert guest.next() == ("FromHost", b"play")


def test_the_second_password_may_come_late_and_in_pieces(server: ServerProcess, people: People) -> None:
    game = people.name("game")
    password, _ = people.player(server).open_game(game)
    host = people.peer(server).join(game, password)
    guest = people.peer(server).join(game)
    for piece in (password[:10].encode(), password[10:].encode(), b"\0"):
        host.send_raw(piece)
        time.sleep(0.02)
    host.send_raw(to_clients([2], b"play"))
    assert guest.next() == ("FromHost", b"play")


@pytest.mark.parametrize("role", ["host", "client"])
def test_a_second_password_without_end(server: ServerProcess, people: People, role: str) -> None:
    game = people.name("game")
    password, _ = people.player(server).open_game(game)
    host = people.peer(server).join(game, password)
    peer = host if role == "host" else people.peer(server).join(game)
    peer.send_raw(b"a" * 5000)
    assert peer.last_words()[-1][0] == "Disconnect"


def test_version_2(server: ServerProcess, people: People) -> None:
    game = people.name("game")
    password, _ = people.player(server).open_game(game)
    host = people.peer(server).join(game, password, version=2)
    other = people.peer(server)
    other.send_raw(hello(game, "client", 1))
    assert other.last_words() == [("Disconnect", "WRONG_VERSION")]
    guest = people.peer(server).join(game, version=2)
    assert host.next() == ("ConnectClient", 2)
    host.send_raw(to_clients([2], b"play"))
    assert guest.next() == ("FromHost", b"play")


@pytest.mark.parametrize("version", [0, 3, 255])
def test_other_versions(server: ServerProcess, people: People, version: int) -> None:
    game, _, _, _ = people.game(server)
    peer = people.peer(server)
    peer.send_raw(hello(game, "client", version))
    assert peer.last_words() == [("Disconnect", "WRONG_VERSION")]


def test_unknown_game_and_game_without_host(server: ServerProcess, people: People) -> None:
    peer = people.peer(server)
    peer.send_raw(hello("no such game", "client"))
    assert peer.last_words() == [("Disconnect", "GAME_UNKNOWN")]
    game = people.name("game")
    people.player(server).open_game(game)
    for password in ("client", "", "f" * 40):
        peer = people.peer(server)
        peer.send_raw(hello(game, password))
        assert peer.last_words() == [("Disconnect", "NO_HOST")]


def test_the_password_again_makes_a_client(server: ServerProcess, people: People) -> None:
    game = people.name("game")
    password, _ = people.player(server).open_game(game)
    host = people.peer(server).join(game, password)
    people.peer(server).join(game, password)
    assert host.next() == ("ConnectClient", 2)


@pytest.mark.parametrize(
    "data", [b"\x05\x01", b"\x15\x00\x03x", b"\x00", b"\xff" * 100, b"GET / HTTP/1.0\r\n\r\n", b"\x06"]
)
def test_first_of_all_hello(server: ServerProcess, people: People, data: bytes) -> None:
    peer = people.peer(server)
    peer.send_raw(data)
    assert peer.last_words() == [("Disconnect", "PROTOCOL_VIOLATION")]


def test_full_games(start: Start, people: People) -> None:
    server = start({"relay.max_clients_per_game": 2})
    game, _, _, _ = people.game(server, guests=2)
    peer = people.peer(server)
    peer.send_raw(hello(game, "client"))
    assert peer.last_words() == [("Disconnect", "NORMAL")]


def test_welcome_first_then_everything_else(server: ServerProcess, people: People) -> None:
    """A host that sends to an id the moment it hears of it does not overtake Welcome."""
    game, _, host, _ = people.game(server)
    for number in range(2, 42):
        host.send_raw(to_clients([number], b"early"))
        guest = people.peer(server)
        guest.send_raw(hello(game, "client"))
        assert host.next() == ("ConnectClient", number)
        host.send_raw(to_clients([number], b"welcome"))
        assert guest.take() == ("Welcome", 1, game)
        assert guest.next() == ("FromHost", b"welcome")


def test_no_ping_before_welcome(unchanged_server: ServerProcess, people: People) -> None:
    """Hello takes two seconds; the first Ping comes a second after Welcome."""
    game = people.name("game")
    password, _ = people.player(unchanged_server).open_game(game)
    host = people.peer(unchanged_server)
    stream = hello(game, password)
    for part in (stream[:1], stream[1:9], stream[9:]):
        time.sleep(0.67)
        host.send_raw(part)
    assert host.take() == ("Welcome", 1, game)
    began = time.monotonic()
    assert host.take() == ("Ping", 1)
    assert 0.8 <= time.monotonic() - began <= 1.5


# -- leaving -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["disconnect", "end", "reset", "half-close"])
def test_a_client_leaves(server: ServerProcess, people: People, way: str) -> None:
    _, _, host, (two, three) = people.game(server, guests=2)
    if way == "disconnect":
        two.send_raw(b"\x03bye\0")
        assert two.last_words() == [("Disconnect", "NORMAL")]
    elif way == "end":
        two.close()
    elif way == "reset":
        two.reset()
    else:
        two.shut_down_sending()
    assert host.next() == ("DisconnectClient", 2)
    host.send_raw(disconnect_client(2) + to_clients([2, 3], b"still here"))
    assert three.next() == ("FromHost", b"still here")


def test_the_last_packet_of_a_leaver_arrives(server: ServerProcess, people: People) -> None:
    for _ in range(10):
        game, owner, host, (two,) = people.game(server, guests=1)
        two.send_raw(to_host(b"\x04\x01CLIENT_LEFT_GAME\0"))
        two.close()
        assert host.next() == ("FromClient", 2, b"\x04\x01CLIENT_LEFT_GAME\0")
        assert host.next() == ("DisconnectClient", 2)
        host.close()
        wait_for(lambda game=game, owner=owner: owner.state_of(game) is None)  # type: ignore[misc]


@pytest.mark.parametrize("way", ["disconnect", "end", "reset"])
def test_the_host_leaves(server: ServerProcess, people: People, way: str) -> None:
    game, owner, host, guests = people.game(server, guests=3)
    if way == "disconnect":
        host.send_raw(b"\x03NORMAL\0")
        host.last_words()
    elif way == "end":
        host.close()
    else:
        host.reset()
    for guest in guests:
        assert guest.last_words() == [("Disconnect", "NORMAL")]
    wait_for(lambda: owner.state_of(game) is None)
    peer = people.peer(server)
    peer.send_raw(hello(game, "client"))
    assert peer.last_words() == [("Disconnect", "GAME_UNKNOWN")]


@pytest.mark.parametrize("way", ["host left", "kicked"])
def test_a_released_game_needs_a_moment_between_last_packet_and_end(
    unchanged_server: ServerProcess, people: People, way: str
) -> None:
    """Nobody hears what is said in that moment, and nobody is blamed for it."""
    game, owner, host, (two, three) = people.game(unchanged_server, guests=2)
    host.send_raw(to_clients([2], b"last words"))
    if way == "kicked":
        host.send_raw(disconnect_client(2))
    else:
        host.close()
    began = time.monotonic()
    assert two.next() == ("FromHost", b"last words")
    two.send_raw(to_host(b"is anybody there?"))
    assert two.last_words() == [("Disconnect", "NORMAL")]
    assert 0.8 <= time.monotonic() - began <= 2.0
    if way == "kicked":
        three.send_raw(to_host(b"three"))
        heard = [command for command in host.during(0.2) if command[0] == "FromClient"]
        assert heard == [("FromClient", 3, b"three")]
    else:
        wait_for(lambda: owner.state_of(game) is None)


def test_the_host_shuts_down_as_released_ones_do(server: ServerProcess, people: People) -> None:
    _, _, host, guests = people.game(server, guests=3)
    host.send_raw(to_clients([2, 3, 4], b"bye") + b"".join(disconnect_client(n) for n in (2, 3, 4)))
    host.close()
    for guest in guests:
        words = guest.last_words()
        assert words[0] == ("FromHost", b"bye")
        assert words[-1][0] == "Disconnect"
        assert len(words) == 2


@pytest.mark.parametrize("number", [2, 3, 5, 13])
def test_kick_by_the_host_hits_one_client(server: ServerProcess, people: People, number: int) -> None:
    """Ids 3, 5 and 13 are commands as well, which once ended or confused the game."""
    _, _, host, guests = people.game(server, guests=number)
    host.send_raw(
        to_clients([number], b"you are out") + disconnect_client(number) + to_clients([number - 1 or 2], b"")
    )
    kicked = guests[number - 2]
    words = kicked.last_words()
    assert words[0] == ("FromHost", b"you are out")
    assert words[1][0] == "Disconnect"
    for other, guest in enumerate(guests, start=2):
        if other != number:
            host.send_raw(to_clients([other], b"play on"))
            guest.send_raw(to_host(b"yes"))
    heard = [host.next() for _ in range(number - 1)]
    assert sorted(str(one) for one in heard if one[0] == "FromClient") == sorted(
        str(("FromClient", other, b"yes")) for other in range(2, number + 2) if other != number
    ), heard
    for other, guest in enumerate(guests, start=2):
        if other not in (number, number - 1):
            assert guest.next() == ("FromHost", b"play on")


def test_disconnect_of_ids_already_gone_or_never_there(server: ServerProcess, people: People) -> None:
    _, _, host, (two, three) = people.game(server, guests=2)
    two.close()
    assert host.next() == ("DisconnectClient", 2)
    host.send_raw(b"".join(disconnect_client(n) for n in (2, 2, 0, 1, 200, 255)) + to_clients([3], b"here"))
    assert three.next() == ("FromHost", b"here")


def test_the_reason_comes_before_the_end(server: ServerProcess, people: People) -> None:
    for _ in range(40):
        peer = people.peer(server)
        peer.send_raw(hello("nowhere", "client"))
        assert peer.last_words() == [("Disconnect", "GAME_UNKNOWN")]


@pytest.mark.parametrize(
    "data",
    [b"\x15\x00\x00", b"\x15\x00\x01", b"\x0d\x02\x00\x00\x03x", b"\x20", b"\xee", b"\x00", b"\x02\x01x\0"],
)
def test_violations_of_a_client_hurt_nobody_else(server: ServerProcess, people: People, data: bytes) -> None:
    _, _, host, (two, three) = people.game(server, guests=2)
    two.send_raw(to_host(b"fine"))
    assert host.next() == ("FromClient", 2, b"fine")
    two.send_raw(data)
    assert two.last_words() == [("Disconnect", "PROTOCOL_VIOLATION")]
    assert host.next() == ("DisconnectClient", 2)
    host.send_raw(to_clients([3], b"here"))
    assert three.next() == ("FromHost", b"here")


@pytest.mark.parametrize("data", [b"\x0d\x02\x00\x00\x00", b"\x0d\x02\x00\x00\x01", b"\x0e\x02\x00\x03x"])
def test_violations_of_a_host_end_the_game(server: ServerProcess, people: People, data: bytes) -> None:
    game, owner, host, (two,) = people.game(server, guests=1)
    host.send_raw(data)
    assert host.last_words() == [("Disconnect", "PROTOCOL_VIOLATION")]
    assert two.last_words() == [("Disconnect", "NORMAL")]
    wait_for(lambda: owner.state_of(game) is None)


# -- pings, ids ----------------------------------------------------------------------------------------


def test_pings_and_round_trip_times(start: Start, people: People) -> None:
    server = start({"relay.first_ping": 0.1, "relay.ping_interval": 0.2, "relay.ping_timeout": 0.9})
    game, _, host, (two, three) = people.game(server, guests=2)
    three.answers_pings = False
    numbers = [command[1] for command in host.during(0.7) if command[0] == "Ping"]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 3
    two.during(0.05)
    two.send_raw(b"\x05\xc8")
    two.send_raw(REQUEST)
    answer = two.next()
    assert answer[0] == "RoundTripTimeResponse"
    rows = answer[1]
    assert isinstance(rows, tuple)
    assert [row[0] for row in rows] == [1, 2, 3], "the host first, then by order of joining"
    assert all(row[1] <= 255 and row[2] <= 1 for row in rows)
    host.send_raw(REQUEST)
    assert host.next()[0] == "RoundTripTimeResponse"
    deadline = time.monotonic() + 2
    heard: list[tuple[object, ...]] = []
    while ("DisconnectClient", 3) not in heard and time.monotonic() < deadline:
        heard += host.during(0.1) + two.during(0.01)
    assert ("DisconnectClient", 3) in heard, "the silent one is gone, the others are not"
    assert three.last_words()[-1] == ("Disconnect", "TIMEOUT")
    assert game


def test_a_connection_without_hello_is_closed(start: Start, people: People) -> None:
    server = start({"relay.handshake_timeout": 0.5})
    idle, dripping = people.peer(server), people.peer(server)
    dripping.send_raw(b"\x01\x01")
    began = time.monotonic()
    while time.monotonic() - began < 0.9:
        try:
            dripping.send_raw(b"x")
        except Closed:
            break
        time.sleep(0.1)
    for peer in (idle, dripping):
        words = peer.last_words(1.0)
        assert all(word[0] == "Disconnect" for word in words), words


def test_ids_are_not_used_again_early(server: ServerProcess, people: People) -> None:
    """All ids up to 249 come before any second use."""
    game, _, host, _ = people.game(server)
    seen = []
    for _ in range(248):
        with server.relay() as guest:
            guest.join(game)
            answer = host.next()
            assert answer[0] == "ConnectClient"
            seen.append(answer[1])
            guest.reset()
        gone = host.next()
        assert gone == ("DisconnectClient", answer[1])
        if isinstance(gone[1], int) and gone[1] not in (10, 20):
            host.send_raw(disconnect_client(gone[1]))
    assert seen == list(range(2, 250))
    again = people.peer(server).join(game)
    assert host.next() == ("ConnectClient", 2), "free for the longest time, and the host knows"
    host.send_raw(to_clients([2], b"hi"))
    assert again.next() == ("FromHost", b"hi")
    later = []
    for _ in range(30):
        with server.relay() as guest:
            guest.join(game)
            answer = host.next()
            later.append(answer[1])
        assert host.next()[0] == "DisconnectClient"
    assert 10 not in later, "the host has not said that it is done with it"
    assert 20 not in later
    assert 3 in later


# -- one does not hurt the others ----------------------------------------------------------------------


def test_a_client_that_does_not_read_delays_nobody(server: ServerProcess, people: People) -> None:
    game, _, host, (two,) = people.game(server, guests=1)
    stuck = people.peer(server, window=4096)
    stuck.join(game)
    assert host.next() == ("ConnectClient", 3)
    packet = b"y" * 30000
    worst = 0.0
    for number in range(200):
        host.send_raw(to_clients([3], packet) + to_clients([2], b"%d" % number))
        began = time.monotonic()
        assert two.next() == ("FromHost", b"%d" % number)
        worst = max(worst, time.monotonic() - began)
    assert worst < 0.5
    assert host.next() == ("DisconnectClient", 3), "6 MB behind, it is dropped, alone"
    two.send_raw(to_host(b"fine"))
    assert host.next() == ("FromClient", 2, b"fine")
    assert server.memory < 300 * 2**20


def test_a_host_that_does_not_read_loses_only_his_game(server: ServerProcess, people: People) -> None:
    _, _, other_host, (other,) = people.game(server, guests=1)
    game = people.name("game")
    owner = people.player(server)
    password, _ = owner.open_game(game)
    host = people.peer(server, window=4096)
    host.join(game, password)
    guest = people.peer(server).join(game)
    stream = to_host(b"z" * 60000)
    sent, worst = 0, 0.0
    words: list[tuple[object, ...]] = []
    deadline = time.monotonic() + 5
    while not words and time.monotonic() < deadline:
        sent += guest.try_send(stream[sent % len(stream) :])
        began = time.monotonic()
        other.send_raw(to_host(b"ping"))
        assert other_host.next() == ("FromClient", 2, b"ping")
        worst = max(worst, time.monotonic() - began)
        words = guest.during(0.001)
    assert words == [("Disconnect", "NORMAL")], "his game is over, and soon"
    assert worst < 0.5
    wait_for(lambda: owner.state_of(game) is None)


def test_a_bigger_download_arrives_whole(server: ServerProcess, people: People) -> None:
    """A map through the relay to a client that reads a little slowly: nothing lost, nobody dropped."""
    _, _, host, (two,) = people.game(server, guests=1)
    total = 0
    for number in range(60):
        host.send_raw(to_clients([2], struct.pack(">I", number) + b"m" * 60000))
        command = two.next()
        assert isinstance(command[1], bytes)
        assert command[1][:4] == struct.pack(">I", number)
        total += len(command[1])
    assert total == 60 * 60004
