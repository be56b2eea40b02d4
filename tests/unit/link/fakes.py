"""Stand-ins for what surrounds the link: a relay, a lobby, a log, a pipe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from twisted.internet.task import Clock

from wlnet.agenda import Agenda
from wlnet.config.schema import Link
from wlnet.limits.buckets import KeyedBuckets
from wlnet.link.linked_pairs import LinkedPairs
from wlnet.link.relays import Relays
from wlnet.lobby.ports import RoomCard, RoomReport
from wlnet.metrics import Metrics
from wlnet.moderation.sanctions import Sanctions
from wlnet.relay.control import RelayObserver, RoomInfo
from wlnet.tickets.keys import TicketKeys

KEYS = TicketKeys(b"k" * 32)
SECRET = b"0123456789abcdef0123456789abcdef0123456789a"


@dataclass
class FakeRelay:
    """A relay without players."""

    observer: RelayObserver
    by_id: dict[str, RoomInfo] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    dropped: list[tuple[str, ...]] = field(default_factory=list)
    refuses: bool = False

    def open_room(self, room_id: str, game: str, password: str, card: str) -> bool:
        if self.refuses or room_id in self.by_id:
            return False
        self.by_id[room_id] = RoomInfo(room_id=room_id, game=game, hosted=False, card=card)
        self.passwords[room_id] = password
        return True

    def update_card(self, room_id: str, card: str) -> None:
        if room_id in self.by_id:
            old = self.by_id[room_id]
            self.by_id[room_id] = RoomInfo(room_id=room_id, game=old.game, hosted=old.hosted, card=card)

    def close_room(self, room_id: str) -> None:
        if self.by_id.pop(room_id, None) is not None:
            self.observer.room_closed(room_id)

    def drop_from_room(self, game: str, address: str) -> None:
        self.dropped.append((game, address))

    def drop_address(self, address: str) -> None:
        self.dropped.append((address,))

    def drop_network(self, network: str) -> None:
        self.dropped.append((network,))

    def rooms(self) -> list[RoomInfo]:
        return list(self.by_id.values())

    def host_arrives(self, room_id: str) -> None:
        old = self.by_id[room_id]
        self.by_id[room_id] = RoomInfo(room_id=room_id, game=old.game, hosted=True, card=old.card)
        self.observer.room_hosted(room_id)


@dataclass
class FakeLobby:
    """Writes down what it is told."""

    told: list[tuple[str, str]] = field(default_factory=list)
    reports: dict[str, list[RoomReport]] = field(default_factory=dict)

    def room_hosted(self, room_id: str) -> None:
        self.told.append(("hosted", room_id))

    def room_closed(self, room_id: str) -> None:
        self.told.append(("closed", room_id))

    def relay_found(self, relay: str, rooms: list[RoomReport]) -> None:
        self.told.append(("found", relay))
        self.reports[relay] = rooms

    def relay_lost(self, relay: str) -> None:
        self.told.append(("lost", relay))

    def rooms_of(self, relay: str) -> set[str]:
        return {room.room_id for room in self.reports[relay]}


class FakeJournal:
    """Keeps the lines, formatted."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, format: str | None = None, **values: object) -> None:  # noqa: A002
        self.lines.append((format or "").format(**values))

    def warn(self, format: str | None = None, **values: object) -> None:  # noqa: A002
        self.lines.append("WARN " + (format or "").format(**values))


class FakePipe:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.sent = bytearray()
        self.stuck = 0
        self.blocked = False
        self.closed = False
        self.aborted = False

    def write(self, data: bytes) -> None:
        self.sent += data
        if self.blocked:
            self.stuck += len(data)

    def waiting(self) -> int:
        return self.stuck

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True

    def take(self) -> bytes:
        data = bytes(self.sent)
        self.sent.clear()
        return data


class Answers:
    """Collects the answers to open_room."""

    def __init__(self) -> None:
        self.given: list[bool] = []

    def __call__(self, ok: bool) -> None:
        self.given.append(ok)


def card(game: str = "a game", **changes: object) -> RoomCard:
    values: dict[str, object] = {"game": game, "host": "ann", "build": "1.3.1", "owner_key": "k" * 64}
    return RoomCard(**(values | changes))  # type: ignore[arg-type]


def sanctions(clock: Clock | None = None, max_entries: int = 100_000) -> Sanctions:
    numbers = count(1)
    wall: Callable[[], float] = (lambda: 1_000_000.0) if clock is None else clock.seconds
    return Sanctions(wall, lambda: f"s{next(numbers)}", max_entries)


def own(family: int) -> str:
    """This machine's addresses."""
    return {4: "198.51.100.4", 6: "2001:db8::4"}[family]


def linked_pairs(memory: int = 100) -> LinkedPairs:
    return LinkedPairs(lambda: KEYS, own, memory)


def relays(
    agenda: Agenda,
    settings: Link,
    *,
    bans: Sanctions | None = None,
    metrics: Metrics | None = None,
    journal: FakeJournal | None = None,
    grace: float = 30.0,
    pairs: LinkedPairs | None = None,
) -> Relays:
    return Relays(
        agenda=agenda,
        settings=settings,
        grace=grace,
        own=own,
        sanctions=sanctions() if bans is None else bans,
        metrics=metrics or Metrics(),
        journal=journal or FakeJournal(),
        log_lines=KeyedBuckets(agenda.now, 1.0, 30.0),
        pairs=pairs or linked_pairs(),
    )
