"""Lobby and relay in one process: the lobby's relay port straight on the relay."""

from __future__ import annotations

from collections.abc import Callable

from wlnet.link.addresses import OwnAddress, RelayPlace, told_addresses
from wlnet.link.cards import card_text, report
from wlnet.lobby.ports import RelayEvents, RoomCard
from wlnet.relay.control import RelayControl


class LocalRelay:
    """A :class:`~wlnet.lobby.ports.RelayPort` for the lobby, a ``RelayObserver`` for the relay.

    Make it first, give it to both, then call :meth:`start`.

    :param name: ``relay.name``.
    :param place: where the relay listens.
    :param own: finds this machine's address of a family.
    """

    def __init__(self, name: str, place: RelayPlace, own: OwnAddress) -> None:
        self._name = name
        self._place = place
        self._own = own
        self._control: RelayControl | None = None
        self._events: RelayEvents | None = None
        self._rooms: set[str] = set()

    def start(self, control: RelayControl, events: RelayEvents) -> None:
        """Join relay and lobby; the lobby is told that the relay is there, and its rooms."""
        self._control = control
        self._events = events
        reports = [found for room in control.rooms() if (found := report(room)) is not None]
        self._rooms = {found.room_id for found in reports}
        events.relay_found(self._name, reports)

    # For the lobby.

    def addresses(self, reached_at: str) -> tuple[str, ...]:
        """See :meth:`wlnet.lobby.ports.RelayPort.addresses`."""
        return () if self._control is None else told_addresses(self._place, reached_at, self._own)

    def addresses_of_room(self, room_id: str, reached_at: str) -> tuple[str, ...]:
        """See :meth:`wlnet.lobby.ports.RelayPort.addresses_of_room`."""
        return self.addresses(reached_at) if room_id in self._rooms else ()

    def relay_of(self, room_id: str) -> str | None:
        """See :meth:`wlnet.lobby.ports.RelayPort.relay_of`."""
        return self._name if room_id in self._rooms else None

    def open_room(self, room_id: str, password: str, card: RoomCard, answer: Callable[[bool], None]) -> None:
        """See :meth:`wlnet.lobby.ports.RelayPort.open_room`; answers at once."""
        text = card_text(card)
        if self._control is None or text is None:
            answer(False)
            return
        opened = self._control.open_room(room_id, card.game, password, text)
        if opened:
            self._rooms.add(room_id)
        answer(opened)

    def update_card(self, room_id: str, card: RoomCard) -> None:
        """See :meth:`wlnet.lobby.ports.RelayPort.update_card`."""
        text = card_text(card)
        if self._control is not None and text is not None:
            self._control.update_card(room_id, text)

    def close_room(self, room_id: str) -> None:
        """See :meth:`wlnet.lobby.ports.RelayPort.close_room`; ``room_closed`` is called before it returns."""
        if self._control is not None:
            self._control.close_room(room_id)

    def drop_from_room(self, game: str, address: str) -> None:
        """See :meth:`wlnet.lobby.ports.RelayPort.drop_from_room`."""
        if self._control is not None:
            self._control.drop_from_room(game, address)

    # From the relay.

    def room_hosted(self, room_id: str) -> None:
        """See :meth:`wlnet.relay.control.RelayObserver.room_hosted`."""
        if self._events is not None:
            self._events.room_hosted(room_id)

    def room_closed(self, room_id: str) -> None:
        """See :meth:`wlnet.relay.control.RelayObserver.room_closed`."""
        self._rooms.discard(room_id)
        if self._events is not None:
            self._events.room_closed(room_id)
