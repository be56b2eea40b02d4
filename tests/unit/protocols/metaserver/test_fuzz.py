"""Anything in any state: nothing raises, nothing is sent after the end, neighbours are served."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.support.lobby import Client, Rig, words
from wlnet.limits.buckets import TokenBucket
from wlnet.lobby.game import GameState, owner_key
from wlnet.lobby.ports import Permission, RoomCard, RoomReport
from wlnet.moderation.sanctions import Kind, Target
from wlnet.protocols.metaserver.digest import sha1_hex
from wlnet.protocols.metaserver.wire import encode

NAMES = ["alice", "bob", "otto", "boss", "alice1"]
GAMES = ["one", "two", "three"]
ADDRESSES = ["203.0.113.1", "203.0.113.2", "2001:db8::1", "127.0.0.1"]

BANNED = [(Target.ADDRESS, ADDRESSES[0]), (Target.NAME, "bob"), (Target.ACCOUNT, "otto")]

names = st.sampled_from(NAMES)
nonces = st.sampled_from(["", "n", "m"])
versions = st.sampled_from(["0", "5", "6"])
texts = st.one_of(
    names,
    st.sampled_from(GAMES),
    st.sampled_from(["", "0", "1", "true", "6", "x" * 2000]),
    st.text(max_size=8),
).filter(lambda text: all(not 0xD800 <= ord(character) < 0xE000 for character in text))

sensible = st.one_of(
    st.tuples(st.just("LOGIN"), versions, names, st.just("1.1"), st.just("false"), nonces),
    st.tuples(st.just("LOGIN"), versions, names, st.just("1.1"), st.just("true"), st.just("secret")),
    st.tuples(
        st.just("RELOGIN"), versions, names, st.just("1.1"), st.sampled_from(["true", "false"]), nonces
    ),
    st.tuples(st.just("CHECK_PWD"), versions, names, st.just("1.1")),
    st.tuples(st.just("CHAT"), texts, st.one_of(st.just(""), names)),
    st.tuples(st.just("GAME_OPEN"), st.sampled_from(GAMES), st.just("4")),
    st.tuples(st.just("GAME_CONNECT"), st.sampled_from(GAMES)),
    st.tuples(st.sampled_from(["GAME_START", "GAME_DISCONNECT", "CLIENTS", "GAMES", "PONG"])),
    st.tuples(
        st.just("CMD"), st.sampled_from(["kick", "ban", "warn"]), st.one_of(names, st.sampled_from(GAMES))
    ),
    st.tuples(st.sampled_from(["MOTD", "ANNOUNCEMENT", "DISCONNECT", "PWD_CHALLENGE"]), texts),
)
commands = st.sampled_from(
    ["LOGIN", "RELOGIN", "CHECK_PWD", "PWD_CHALLENGE", "CLIENTS", "GAMES", "CHAT", "GAME_OPEN",
     "GAME_CONNECT", "GAME_START", "GAME_DISCONNECT", "MOTD", "ANNOUNCEMENT", "CMD", "PONG", "PING",
     "DISCONNECT", ""]
)  # fmt: skip
anything = st.tuples(commands, st.lists(texts, max_size=6)).map(lambda made: (made[0], *made[1]))


class Metaserver(RuleBasedStateMachine):
    """Clients, a relay, accounts and an operator, all doing what they like."""

    def __init__(self) -> None:
        super().__init__()
        self.rig = Rig(
            {"max_players": 8, "max_lost_players": 4, "max_games": 3, "max_probes": 2},
            {"lobby_packet": 4096, "lost_players_per_address": 2, "command_burst": 10},
        )
        self.rig.accounts.add("otto", "secret")
        self.rig.accounts.add("boss", "secret", Permission.SUPERUSER)
        self.rig.accounts.add("watcher", "secret", Permission.SUPERUSER)
        self.clients: list[Client] = []
        self.watcher = self.rig.connect()
        self._log_watcher_in()

    def _log_watcher_in(self) -> None:
        self.watcher = self.rig.connect("192.0.2.1")
        self.watcher.session._bucket = TokenBucket(0, 1, 0)  # he looks more often than a player may
        assert self.watcher.login_account("watcher", "secret")[0][1] == "watcher"

    def _one(self, number: int) -> Client:
        return self.clients[number % len(self.clients)]

    @precondition(lambda self: len(self.clients) < 6)
    @rule(address=st.sampled_from(ADDRESSES))
    def connect(self, address: str) -> None:
        self.clients.append(self.rig.connect(address))

    @precondition(lambda self: self.clients)
    @rule(number=st.integers(0, 5), packets=st.lists(sensible, min_size=1, max_size=4))
    def says(self, number: int, packets: list[tuple[str, ...]]) -> None:
        self._give(number, b"".join(encode(*packet) for packet in packets))

    @precondition(lambda self: self.clients)
    @rule(number=st.integers(0, 5), packet=anything)
    def says_anything(self, number: int, packet: tuple[str, ...]) -> None:
        self._give(number, encode(*packet))

    @precondition(lambda self: self.clients)
    @rule(number=st.integers(0, 5), data=st.binary(max_size=40))
    def babbles(self, number: int, data: bytes) -> None:
        self._give(number, data)

    @precondition(lambda self: self.clients)
    @rule(number=st.integers(0, 5), name=st.sampled_from(["otto", "boss"]), right=st.booleans())
    def proves(self, number: int, name: str, right: bool) -> None:
        client = self._one(number)
        client.got()
        self._give(number, encode("LOGIN", "6", name, "1.1", "true", ""))
        for packet in client.got():
            if packet[0] == "PWD_CHALLENGE":
                password = sha1_hex("secret" if right else "guess")
                self._give(number, encode("PWD_CHALLENGE", sha1_hex(packet[1] + password)))

    def _give(self, number: int, data: bytes) -> None:
        client = self._one(number)
        if not client.paused:
            client.session.receive(data)
            client.notes.clear()

    @precondition(lambda self: self.clients)
    @rule(number=st.integers(0, 5))
    def breaks(self, number: int) -> None:
        client = self._one(number)
        self.clients.remove(client)
        client.cut()
        client.got()

    @precondition(lambda self: self.clients)
    @rule(number=st.integers(0, 5), stuffed=st.booleans())
    def stops_or_goes_on_reading(self, number: int, stuffed: bool) -> None:
        client = self._one(number)
        client.stuffed = stuffed
        if not stuffed:
            client.session.drained()

    @rule(seconds=st.sampled_from([0.1, 1.0, 3.0, 5.0, 16.0, 31.0, 301.0]))
    def time_passes(self, seconds: float) -> None:
        while seconds > 0:
            self.rig.wait(min(10.0, seconds))
            seconds -= 10.0
            self.watcher.say("PONG")

    @rule(down=st.booleans(), hold=st.booleans())
    def accounts(self, down: bool, hold: bool) -> None:
        self.rig.accounts.down = down
        self.rig.accounts.hold = hold
        if not hold:
            self.rig.accounts.release()

    @rule(refuse=st.booleans(), away=st.booleans(), hold=st.booleans())
    def relay(self, refuse: bool, away: bool, hold: bool) -> None:
        self.rig.relay.refuse, self.rig.relay.away, self.rig.relay.hold = refuse, away, hold
        if not hold:
            self.rig.relay.answer()

    @rule(number=st.integers(0, 3), hosted=st.booleans())
    def a_room_is_hosted_or_ends(self, number: int, hosted: bool) -> None:
        rooms = list(self.rig.relay.rooms)
        if not rooms:
            return
        room = rooms[number % len(rooms)]
        if hosted:
            self.rig.lobby.hosting.room_hosted(room)
        else:
            self.rig.relay.end(room)

    @rule(
        game=st.sampled_from([*GAMES, "bad\n"]),
        host=names,
        nonce=nonces,
        hosted=st.booleans(),
        known=st.booleans(),
    )
    def the_relay_is_found(self, game: str, host: str, nonce: str, hosted: bool, known: bool) -> None:
        reports = [
            RoomReport(room_id=room, hosted=hosted, card=card)
            for room, (_, card) in self.rig.relay.rooms.items()
            if known
        ]
        card = RoomCard(game=game, host=host, build="1.1", owner_key=owner_key(nonce), running=not hosted)
        reports.append(RoomReport(room_id=f"old {game} {host}", hosted=hosted, card=card))
        self.rig.lobby.hosting.relay_found("relay", reports)

    @rule()
    def the_relay_is_lost(self) -> None:
        self.rig.lobby.hosting.relay_lost("relay")

    @precondition(lambda self: self.rig.prober.asked)
    @rule(reachable=st.booleans())
    def a_probe_ends(self, reachable: bool) -> None:
        self.rig.prober.answer(reachable)

    @rule(hit=st.sampled_from(BANNED), kind=st.sampled_from(Kind))
    def an_operator_acts(self, hit: tuple[Target, str], kind: Kind) -> None:
        self.rig.sanctions.impose(kind, *hit, reason="r", by="op", duration=5)

    # -- what holds at any time --------------------------------------------------------------------

    @invariant()
    def a_neighbour_is_served(self) -> None:
        if self.watcher.closed:  # the operators' own orders can hit him
            self._log_watcher_in()
        assert self.watcher.clients()[0][0]
        self.watcher.games()
        self.watcher.got()

    @invariant()
    def seats_and_connections_agree(self) -> None:
        hall = self.rig.lobby.hall
        live = [player for player in hall.roster if player.live]
        assert hall.live_players == len(live)
        seated = {client.session._player for client in [*self.clients, self.watcher]} - {None}
        assert seated == set(live)
        for player in hall.roster:
            assert hall.roster.get(player.name) is player
            assert player.live == (player.forgetting is None)
            assert not (player.announced and not player.live)
            assert player.probe is None or player.live

    @invariant()
    def games_and_hosts_agree(self) -> None:
        hosting, hall = self.rig.lobby.hosting, self.rig.lobby.hall
        hosted = [game for games in hosting._hosted.values() for game in games]
        waiting = [game for games in hosting._ownerless.values() for game in games]
        board = list(hall.board)
        assert all(game in board and not game.ended for game in [*hosted, *waiting])
        for game in board:
            assert (game in hosted) == (game.host is not None)
            assert game.host is None or hall.roster.get(game.host.name) is game.host
            assert game.state is not GameState.RUNNING or game.started
        assert all(player in set(hall.roster) for player in hosting._hosted)

    @invariant()
    def memory_is_bounded(self) -> None:
        rig = self.rig
        players = len(rig.lobby.hall.roster)
        assert players <= 8 + 4
        assert len(rig.lobby.hall.board) <= 3
        assert len(rig.lobby.presence._departing) <= 60
        assert len(rig.lobby.direct._under_way) <= 2
        assert len(rig.agenda) <= 3 * players + 2 * len(self.clients) + 80
        for client in self.clients:
            assert len(client.session._buffer) <= 4 * 4096
            client.got()


TestMetaserver = Metaserver.TestCase
TestMetaserver.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.binary(max_size=100), max_size=20), st.booleans())
def test_random_bytes_cost_nobody_but_their_sender(pieces: list[bytes], logged_in: bool) -> None:
    rig = Rig()
    bob, eve = rig.player("bob"), rig.connect()
    if logged_in:
        eve.login("eve")
    for piece in pieces:
        if not eve.closed:
            eve.session.receive(piece)
    rig.wait(5)
    assert words(bob.say("CLIENTS"))[-1] == "CLIENTS"
    assert not bob.closed


@pytest.mark.parametrize("logged_in", [False, True])
@settings(max_examples=150, deadline=None)
@given(packets=st.lists(st.one_of(anything, sensible), max_size=20))
def test_random_packets_cost_nobody_but_their_sender(logged_in: bool, packets: list[tuple[str, ...]]) -> None:
    rig = Rig()
    bob, eve = rig.player("bob"), rig.connect("203.0.113.9")
    if logged_in:
        eve.login("eve")
    eve.session.receive(b"".join(encode(*packet) for packet in packets))
    rig.wait(5)
    assert words(bob.say("CLIENTS"))[-1] == "CLIENTS"
    assert not bob.closed
