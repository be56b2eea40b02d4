"""A lobby without network: sessions fed with bytes, a clock turned by hand, a relay that notes its orders."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import msgspec
from twisted.internet.task import Clock

from wlnet.agenda import Agenda
from wlnet.config import schema
from wlnet.limits.addresses import TrustedNetworks
from wlnet.limits.buckets import KeyedBuckets
from wlnet.limits.failures import FailedLogins
from wlnet.lobby.lobby import Lobby
from wlnet.lobby.ports import (
    Account,
    AccountsUnavailableError,
    Permission,
    RelayEvents,
    RoomCard,
)
from wlnet.metrics import Front, Limit, Metrics
from wlnet.moderation.sanctions import Sanctions
from wlnet.protocols.metaserver.digest import sha1_hex
from wlnet.protocols.metaserver.lists import ListWriter
from wlnet.protocols.metaserver.session import Office, Session
from wlnet.protocols.metaserver.wire import encode

Packet = tuple[str, ...]
Found = Account | AccountsUnavailableError | None


class Accounts:
    """Accounts in a dict; ``hold`` keeps the answers back until :meth:`release`."""

    def __init__(self) -> None:
        self.by_name: dict[str, Account] = {}
        self.down = False
        self.hold = False
        self.asked: list[str] = []
        self.remembered: set[str] = set()
        self._held: list[Callable[[], None]] = []

    def add(self, name: str, password: str, permission: Permission = Permission.REGISTERED) -> None:
        self.by_name[name] = Account(name, permission, sha1_hex(password))

    def find(self, name: str, answer: Callable[[Found], None]) -> None:
        self.asked.append(name)

        def give() -> None:
            answer(AccountsUnavailableError("down") if self.down else self.by_name.get(name))

        if self.hold:
            self._held.append(give)
        else:
            give()

    def was_account(self, name: str) -> bool:
        return name in self.remembered

    def release(self) -> None:
        held, self._held = self._held, []
        for give in held:
            give()


class Relay:
    """Notes what it is told; rooms are opened unless ``refuse``."""

    def __init__(self) -> None:
        self.events: RelayEvents | None = None
        self.rooms: dict[str, tuple[str, RoomCard]] = {}
        self.closed: list[str] = []
        self.dropped: list[tuple[str, str]] = []
        self.refuse = False
        self.away = False
        self.hold = False
        self.held: list[Callable[[], None]] = []

    def addresses(self, reached_at: str) -> tuple[str, ...]:
        if self.away:
            return ()
        return ("::1", "127.0.0.1") if ":" in reached_at else ("127.0.0.1", "::1")

    def addresses_of_room(self, room_id: str, reached_at: str) -> tuple[str, ...]:
        return self.addresses(reached_at) if room_id in self.rooms else ()

    def relay_of(self, room_id: str) -> str | None:
        return "relay" if room_id in self.rooms else None

    def open_room(self, room_id: str, password: str, card: RoomCard, answer: Callable[[bool], None]) -> None:
        def give() -> None:
            if not self.refuse:
                self.rooms[room_id] = (password, card)
            answer(not self.refuse)

        if self.hold:
            self.held.append(give)
        else:
            give()

    def update_card(self, room_id: str, card: RoomCard) -> None:
        if room_id in self.rooms:
            self.rooms[room_id] = (self.rooms[room_id][0], card)

    def close_room(self, room_id: str) -> None:
        self.closed.append(room_id)
        self.end(room_id)

    def end(self, room_id: str) -> None:
        """The room ends, for whatever reason; the lobby is told at once."""
        if self.rooms.pop(room_id, None) is not None and self.events is not None:
            self.events.room_closed(room_id)

    def answer(self) -> None:
        """Answer what was held back."""
        held, self.held = self.held, []
        for give in held:
            give()

    def password(self, game: str) -> str:
        return self.rooms[self.room_of(game)][0]

    def drop_from_room(self, game: str, address: str) -> None:
        self.dropped.append((game, address))

    def room_of(self, game: str) -> str:
        return next(room for room, (_, card) in self.rooms.items() if card.game == game)


class Prober:
    """Answers probes when told."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, float, Callable[[bool], None]]] = []

    def probe(self, address: str, timeout: float, answer: Callable[[bool], None]) -> None:
        self.asked.append((address, timeout, answer))

    def answer(self, reachable: bool) -> None:
        self.asked.pop(0)[2](reachable)


class Client:
    """The other end of a session: what it got, as packets."""

    def __init__(self, rig: Rig, address: str, reached_at: str) -> None:
        self._rig = rig
        self._raw = b""
        self.closed = False
        self.paused = False
        self.stuffed = False
        self.notes: list[str] = []
        self.session = Session(
            rig.office, self, address=address, reached_at=reached_at, session_id=f"s{next(rig.numbers)}"
        )

    # Output
    def send(self, packet: bytes) -> None:
        assert not self.closed, f"sent after close: {packet!r}"
        self._raw += packet

    @property
    def congested(self) -> bool:
        return self.stuffed

    def close(self) -> None:
        assert not self.closed
        self.closed = True

    def pause(self) -> None:
        assert not self.paused
        self.paused = True

    def resume(self) -> None:
        assert self.paused
        self.paused = False

    def note(self, what: str, **values: object) -> None:
        self.notes.append(what.format(**values))

    # what a test does
    def say(self, *fields: str) -> list[Packet]:
        """Send one packet; gives what comes back (and whatever was not looked at before)."""
        self.session.receive(encode(*fields))
        return self.got()

    def raw(self, data: bytes) -> list[Packet]:
        self.session.receive(data)
        return self.got()

    def got(self) -> list[Packet]:
        packets: list[Packet] = []
        while self._raw:
            length = int.from_bytes(self._raw[:2], "big")
            body, self._raw = self._raw[2:length], self._raw[length:]
            packets.append(tuple(f.decode("utf-8", "surrogateescape") for f in body.split(b"\0")[:-1]))
        return packets

    def cut(self) -> None:
        """The connection breaks."""
        self.closed = True
        self.session.connection_lost()

    def login(
        self, name: str, *, nonce: str | None = None, version: int = 6, build: str = "1.1"
    ) -> list[Packet]:
        nonce = nonce if nonce is not None else f"nonce of {name}"
        return self.say("LOGIN", str(version), name, build, "false", *([nonce] if version else []))

    def login_account(self, name: str, password: str, *, version: int = 6) -> list[Packet]:
        first = self.say("LOGIN", str(version), name, "1.1", "true", "")
        if [p[0] for p in first] != ["PWD_CHALLENGE"]:
            return first
        return self.say("PWD_CHALLENGE", sha1_hex(first[0][1] + sha1_hex(password)))

    def clients(self) -> list[Packet]:
        """The list of players, one tuple each."""
        return self._list("CLIENTS", 4)

    def clients5(self) -> list[Packet]:
        """The same as build 19 gets it: with a fifth field."""
        return self._list("CLIENTS", 5)

    def games(self) -> dict[str, str]:
        """Name and state of each game."""
        return {entry[0]: entry[2] for entry in self._list("GAMES", 3)}

    def _list(self, command: str, width: int) -> list[Packet]:
        packet = next(p for p in self.say(command) if p[0] == command)
        entries = packet[2:]
        assert len(entries) == int(packet[1]) * width
        return [entries[i : i + width] for i in range(0, len(entries), width)]


class Rig:
    """One lobby and its surroundings."""

    def __init__(
        self, lobby: dict[str, object] | None = None, limits: dict[str, object] | None = None
    ) -> None:
        self.clock = Clock()
        self.agenda = Agenda(self.clock.seconds)
        self.metrics = Metrics()
        self.accounts = Accounts()
        self.relay = Relay()
        self.prober = Prober()
        self.numbers = count(1)
        ids = count(1)
        self.sanctions = Sanctions(self.clock.seconds, lambda: f"b{next(ids)}", 1000)
        self.settings = msgspec.convert(lobby or {}, schema.Lobby)
        self.limits = msgspec.convert(limits or {}, schema.Limits)
        rooms = count(1)
        self.lobby = Lobby(
            settings=self.settings,
            limits=self.limits,
            moderation=schema.Moderation(),
            agenda=self.agenda,
            metrics=self.metrics,
            accounts=self.accounts,
            relay=self.relay,
            prober=self.prober,
            sanctions=self.sanctions,
            new_room_id=lambda: f"room{next(rooms)}",
        )
        self.relay.events = self.lobby.hosting
        buckets = KeyedBuckets(
            self.clock.seconds, self.limits.failed_login_rate, self.limits.failed_login_burst
        )
        challenges = count(1)
        self.office = Office(
            lobby=self.lobby,
            lists=ListWriter(self.lobby.hall),
            failed_logins=FailedLogins(buckets, TrustedNetworks(self.limits.trusted_networks)),
            challenge=lambda: f"{next(challenges):032x}",
            wall=lambda: 1_700_000_000.5,
        )

    def connect(self, address: str = "127.0.0.1", reached_at: str = "127.0.0.1") -> Client:
        return Client(self, address, reached_at)

    def player(
        self, name: str, *, announced: bool = True, address: str = "127.0.0.1", **how: object
    ) -> Client:
        """A client that is logged in, and (unless told otherwise) announced; nothing is left to look at."""
        client = self.connect(address)
        reply = client.login(name, **how)  # type: ignore[arg-type]
        assert reply[0][:2] == ("LOGIN", name), reply
        if announced:
            self.wait(3.1)
        client.got()
        return client

    def host(self, client: Client, game: str) -> str:
        """Open a game and let its host reach the relay; gives the room's id."""
        assert any(p[0] == "GAME_OPEN" for p in client.say("GAME_OPEN", game))
        room = self.relay.room_of(game)
        self.lobby.hosting.room_hosted(room)
        client.got()
        return room

    def wait(self, seconds: float) -> None:
        """Let time pass, in steps small enough that everything happens when it is due."""
        end = self.clock.seconds() + seconds
        while self.clock.seconds() < end:
            deadline = self.agenda.next_deadline()
            step = end if deadline is None else min(end, max(deadline, self.clock.seconds()))
            self.clock.advance(step - self.clock.seconds())
            self.agenda.run_due()

    def limited(self, limit: Limit) -> int:
        return self.metrics.times_limited(Front.METASERVER, limit)


def words(packets: list[Packet]) -> list[str]:
    """Just the commands."""
    return [packet[0] for packet in packets]
