"""The lobby's end of the link: any number of relays as one relay port (docs/protocols/link.md section 5)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from wlnet.agenda import Agenda
from wlnet.config.schema import Link
from wlnet.limits.buckets import KeyedBuckets
from wlnet.link.addresses import OwnAddress
from wlnet.link.cards import card_text, report
from wlnet.link.channel import Ending
from wlnet.link.journal import Journal
from wlnet.link.linked_pairs import LinkedPairs
from wlnet.link.messages import (
    CloseRoom,
    DropFromRoom,
    FromLobby,
    Imposed,
    Lifted,
    OpenRoom,
    RefusalReason,
    UnsendableError,
    UpdateCard,
    fits_a_room,
)
from wlnet.link.relay_record import Connection, Pending, RelayRecord
from wlnet.lobby.ports import RelayEvents, RoomCard, RoomReport
from wlnet.metrics import Front, Limit, Metrics
from wlnet.moderation.sanctions import Sanction, Sanctions
from wlnet.relay.control import RoomInfo

_LIMITS = {
    Ending.NOT_A_LINK: Limit.MALFORMED,
    Ending.VERSION: Limit.MALFORMED,
    Ending.REFLECTED: Limit.MALFORMED,
    Ending.IMPATIENT: Limit.MALFORMED,
    Ending.MALFORMED: Limit.MALFORMED,
    Ending.WRONG_SECRET: Limit.FAILED_PROOFS,
    Ending.HANDSHAKE_TIME: Limit.HANDSHAKE_TIME,
    Ending.SILENCE: Limit.SILENCE,
    Ending.QUEUE: Limit.QUEUE,
}


class Relays:
    """All relays linked to this lobby; a :class:`~wlnet.lobby.ports.RelayPort`.

    Make it first, give it to the lobby, then call :meth:`start`.

    :param grace: seconds the lobby keeps the games of a lost relay (``lobby.relay_grace``).
    :param own: finds this machine's address of a family, for relays on this machine.
    :param sanctions: what the relays are told about who may not come in.
    :param log_lines: a bucket an address, for lines about links that failed.
    :param pairs: told which relays there are.
    """

    def __init__(
        self, agenda: Agenda, settings: Link, grace: float, own: OwnAddress, sanctions: Sanctions,
        metrics: Metrics, journal: Journal, log_lines: KeyedBuckets, pairs: LinkedPairs,
    ) -> None:  # fmt: skip
        self.agenda = agenda
        self.settings = settings
        self.journal = journal
        self.sanctions = sanctions
        self.pairs = pairs
        self._grace = grace
        self._own = own
        self._metrics = metrics
        self._log_lines = log_lines
        self._events: RelayEvents | None = None
        self._unsubscribe: Callable[[], None] = lambda: None
        self._relays: dict[str, RelayRecord] = {}
        self._by_room: dict[str, RelayRecord] = {}
        self._links: set[Connection] = set()
        self._numbers = count(1)

    def start(self, events: RelayEvents) -> None:
        """Tell *events* of relays and rooms from now on."""
        self._events = events
        self._unsubscribe = self.sanctions.subscribe(self)

    def stop(self) -> None:
        """End all links. The relays go on, and dial until there is a lobby again."""
        self._unsubscribe()
        self._events = None
        for link in tuple(self._links):
            link.end(Ending.STOPPED)
        for relay in self._relays.values():
            if relay.forgetting is not None:
                relay.forgetting.cancel()

    def linked(self) -> list[str]:
        """The names of the relays that are there now."""
        return [name for name, relay in self._relays.items() if relay.found]

    # For the lobby.

    def addresses(self, reached_at: str) -> tuple[str, ...]:
        """See :meth:`wlnet.lobby.ports.RelayPort.addresses`; of the relay that has the fewest rooms."""
        relay = self._least_used()
        return () if relay is None else relay.addresses(reached_at, self._own)

    def addresses_of_room(self, room_id: str, reached_at: str) -> tuple[str, ...]:
        """See :meth:`wlnet.lobby.ports.RelayPort.addresses_of_room`."""
        relay = self._by_room.get(room_id)
        return () if relay is None or not relay.found else relay.addresses(reached_at, self._own)

    def relay_of(self, room_id: str) -> str | None:
        """See :meth:`wlnet.lobby.ports.RelayPort.relay_of`."""
        relay = self._by_room.get(room_id)
        return None if relay is None else relay.name

    def open_room(self, room_id: str, password: str, card: RoomCard, answer: Callable[[bool], None]) -> None:
        """See :meth:`wlnet.lobby.ports.RelayPort.open_room`.

        Refused: no relay with room is there, it says no, does not answer within ``link.open_timeout``, or
        the card is too long. A room that a relay opened after all is closed as soon as it is heard of.
        """
        relay = self._least_used()
        request = next(self._numbers)
        text = card_text(card)
        if relay is None or relay.link is None or text is None:
            answer(False)
            return
        message = OpenRoom(request=request, room_id=room_id, game=card.game, password=password, card=text)
        if not fits_a_room(message):
            answer(False)
            return
        timer = self.agenda.after(self.settings.open_timeout, lambda: self._too_late(relay, request))
        relay.pending[request] = Pending(room_id=room_id, answer=answer, timer=timer)
        relay.link.tell(message)

    def update_card(self, room_id: str, card: RoomCard) -> None:
        """See :meth:`wlnet.lobby.ports.RelayPort.update_card`; nothing while the link is down."""
        relay = self._by_room.get(room_id)
        text = card_text(card)
        if relay is None or relay.link is None or text is None:
            return
        message = UpdateCard(room_id=room_id, card=text)
        if fits_a_room(message):
            relay.link.tell(message)

    def close_room(self, room_id: str) -> None:
        """See :meth:`wlnet.lobby.ports.RelayPort.close_room`.

        If the link is down it is done when the relay is back, and that room is not reported any more.
        """
        relay = self._by_room.get(room_id)
        if relay is None:
            return
        if relay.link is not None and relay.found:
            relay.link.tell(CloseRoom(room_id=room_id))
        else:
            relay.unwanted.add(room_id)
            self._forget_room(relay, room_id)

    def drop_from_room(self, game: str, address: str) -> None:
        """See :meth:`wlnet.lobby.ports.RelayPort.drop_from_room`; all relays are told, one has the game."""
        try:
            self._tell_all(DropFromRoom(game=game, address=address))
        except UnsendableError:
            pass  # then no relay can have such a game

    # For the sanctions.

    def imposed(self, sanction: Sanction) -> None:
        """See :meth:`wlnet.moderation.sanctions.SanctionListener.imposed`."""
        self._tell_all(Imposed(sanction=sanction))

    def lifted(self, sanction: Sanction) -> None:
        """See :meth:`wlnet.moderation.sanctions.SanctionListener.lifted`."""
        self._tell_all(Lifted(sanction=sanction))

    # For the links.

    def add(self, link: Connection) -> None:
        """A connection has come; nothing about it is known yet."""
        self._links.add(link)

    def introduce(self, link: Connection, name: str, instance: str) -> RelayRecord | RefusalReason:
        """A relay has said its name: its record, or why it is not accepted."""
        relay = self._relays.get(name)
        if relay is not None and relay.link is not None:
            if relay.instance != instance:
                return RefusalReason.NAME_TAKEN
            relay.link.end(Ending.REPLACED)
        if sum(other.link is not None for other in self._relays.values()) >= self.settings.max_relays:
            self._metrics.limited(Front.LINK, Limit.RELAYS)
            return RefusalReason.TOO_MANY_RELAYS
        relay = self._relays.pop(name, None) or RelayRecord(name)
        if len(self._relays) >= self.settings.max_relays:
            self._forget(next(other for other in self._relays.values() if other.link is None))
        self._relays[name] = relay  # at the end: the first one without a link is the one lost longest ago
        relay.instance = instance
        relay.link = link
        if relay.forgetting is not None:
            relay.forgetting.cancel()
        return relay

    def found(self, relay: RelayRecord, rooms: list[RoomInfo]) -> None:
        """All rooms of a relay are known now."""
        unwanted, relay.unwanted = relay.unwanted, set()
        for room_id in tuple(relay.rooms):
            self._forget_room(relay, room_id)
        relay.found = True
        reports: list[RoomReport] = []
        for room in rooms:
            found = None if room.room_id in unwanted else report(room)
            if found is not None:
                reports.append(found)
                self._keep_room(relay, room.room_id)
            elif relay.link is not None:
                if room.room_id not in unwanted:
                    self.journal.warn("A room of {relay} has an unreadable card: closed", relay=relay.name)
                relay.link.tell(CloseRoom(room_id=room.room_id))
        if relay.link is None:  # sending broke it
            return
        self.journal.info(
            "Relay {relay} is linked, {rooms} games run on it", relay=relay.name, rooms=len(reports)
        )
        if self._events is not None:
            self._events.relay_found(relay.name, reports)

    def hosted(self, relay: RelayRecord, room_id: str) -> None:
        """A host has reached its room."""
        if room_id in relay.rooms and self._events is not None:
            self._events.room_hosted(room_id)

    def closed(self, relay: RelayRecord, room_id: str) -> None:
        """A room is gone."""
        if room_id in relay.rooms:
            self._forget_room(relay, room_id)
            if self._events is not None:
                self._events.room_closed(room_id)

    def opened(self, relay: RelayRecord, request: int, ok: bool) -> None:
        """The answer to a request; one that was given up meanwhile is ignored."""
        pending = relay.pending.pop(request, None)
        if pending is None:
            return
        pending.timer.cancel()
        if ok:
            self._keep_room(relay, pending.room_id)
        pending.answer(ok)

    def ended(self, link: Connection, relay: RelayRecord | None, ending: Ending) -> None:
        """A link is over. *relay* is None if it never got as far as a name."""
        self._links.discard(link)
        if ending in _LIMITS:
            self._metrics.limited(Front.LINK, _LIMITS[ending])
        if relay is None or relay.link is not link:
            self._tell_of_failure(link.peer, ending)
            return
        relay.link = None
        was_found, relay.found = relay.found, False
        pending, relay.pending = relay.pending, {}
        # It may have opened these; nobody waits for them any more.
        relay.unwanted.update(request.room_id for request in pending.values())
        relay.forgetting = self.agenda.after(
            self._grace + self.settings.dead_after, lambda: self._forget(relay)
        )
        if ending is not Ending.STOPPED:
            self.journal.warn("The link to relay {relay} is gone: {why}", relay=relay.name, why=ending.value)
        if was_found and self._events is not None:
            self._events.relay_lost(relay.name)
        for request in pending.values():
            request.timer.cancel()
            request.answer(False)

    def _least_used(self) -> RelayRecord | None:
        best: RelayRecord | None = None
        crowded = False
        for relay in self._relays.values():
            if not relay.found or relay.load >= relay.capacity:
                continue
            if len(relay.pending) >= self.settings.max_pending:
                crowded = True
            elif best is None or (relay.load, relay.name) < (best.load, best.name):
                best = relay
        if best is None and crowded:
            self._metrics.limited(Front.LINK, Limit.PENDING)
        return best

    def _too_late(self, relay: RelayRecord, request: int) -> None:
        pending = relay.pending.pop(request, None)
        if pending is None:
            return
        self.journal.warn("Relay {relay} did not open a room in time", relay=relay.name)
        if relay.link is not None:  # comes after the request, so it undoes it
            relay.link.tell(CloseRoom(room_id=pending.room_id))
        pending.answer(False)

    def _tell_all(self, message: FromLobby) -> None:
        for relay in tuple(self._relays.values()):
            if relay.link is not None:
                relay.link.tell(message)

    def _keep_room(self, relay: RelayRecord, room_id: str) -> None:
        other = self._by_room.get(room_id)
        if other is not None:
            other.rooms.discard(room_id)
        relay.rooms.add(room_id)
        self._by_room[room_id] = relay

    def _forget_room(self, relay: RelayRecord, room_id: str) -> None:
        relay.rooms.discard(room_id)
        if self._by_room.get(room_id) is relay:
            del self._by_room[room_id]

    def _forget(self, relay: RelayRecord) -> None:
        """A relay stays away."""
        for room_id in tuple(relay.rooms):
            self._forget_room(relay, room_id)
        self.pairs.forget(relay)
        if self._relays.get(relay.name) is relay and (
            not relay.unwanted or len(self._relays) >= self.settings.max_relays
        ):
            del self._relays[relay.name]

    def _tell_of_failure(self, peer: str, ending: Ending) -> None:
        if ending in (Ending.CONNECTION, Ending.STOPPED, Ending.REFUSED):
            return
        if not self._log_lines.take(peer):
            self._metrics.limited(Front.LINK, Limit.LOG_LINES)
            return
        self.journal.warn("A link from {address} failed: {why}", address=peer, why=ending.value)
