"""One connection of a relay, as the lobby's end sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from wlnet.agenda import Agenda, Appointment
from wlnet.config.schema import Link
from wlnet.link.addresses import same_machine
from wlnet.link.channel import Channel, Ending
from wlnet.link.journal import Journal
from wlnet.link.linked_pairs import LinkedPairs
from wlnet.link.messages import (
    MAX_LATE,
    MAX_LISTED,
    FromLobby,
    FromRelay,
    Hello,
    MessageError,
    Observe,
    Observed,
    Opened,
    PairLoad,
    RefusalReason,
    Refused,
    RoomClosed,
    RoomHosted,
    Rooms,
    Welcome,
    sanction_parts,
)
from wlnet.link.relay_record import Connection, RelayRecord
from wlnet.moderation.sanctions import Sanctions
from wlnet.relay.control import RoomInfo

_REFUSALS = {
    RefusalReason.NAME_TAKEN: "another relay of that name is linked; give each its own relay.name",
    RefusalReason.TOO_MANY_RELAYS: "there are link.max_relays relays already",
}


class Registry(Protocol):
    """Who knows all relays (``wlnet.link.relays.Relays``)."""

    agenda: Agenda
    settings: Link
    journal: Journal
    sanctions: Sanctions
    pairs: LinkedPairs

    def add(self, link: Connection) -> None:
        """A connection has come; nothing about it is known yet."""

    def introduce(self, link: Connection, name: str, instance: str) -> RelayRecord | RefusalReason:
        """A relay has said its name: its record, or why it is not accepted."""

    def found(self, relay: RelayRecord, rooms: list[RoomInfo]) -> None:
        """All rooms of a relay are known now."""

    def hosted(self, relay: RelayRecord, room_id: str) -> None:
        """A host has reached its room."""

    def closed(self, relay: RelayRecord, room_id: str) -> None:
        """A room is gone."""

    def opened(self, relay: RelayRecord, request: int, ok: bool) -> None:
        """The answer to a request."""

    def ended(self, link: Connection, relay: RelayRecord | None, ending: Ending) -> None:
        """A link is over. *relay* is None if it never got as far as a name."""


class RelayLink:
    """Follows what a relay says from its hello on; a ``ChannelUser``.

    :param peer: the relay's address.
    :param local: this machine's address it reached.
    :param introduced: called once when the relay was accepted.
    """

    def __init__(
        self, relays: Registry, channel: Channel[FromRelay], peer: str, local: str,
        introduced: Callable[[], None],
    ) -> None:  # fmt: skip
        self.channel = channel
        self.peer = peer
        self.same_machine = same_machine(peer, local)
        self._relays = relays
        self._introduced = introduced
        self._relay: RelayRecord | None = None
        self._listed: list[RoomInfo] = []
        self._late: list[RoomHosted | RoomClosed] = []
        self._deadline: Appointment | None = None
        relays.add(self)

    def tell(self, message: FromLobby) -> None:
        """See :class:`wlnet.link.relay_record.Connection`."""
        if self._relay is not None:
            self.channel.send(message)

    def end(self, ending: Ending) -> None:
        """See :class:`wlnet.link.relay_record.Connection`."""
        self.channel.end(ending)

    def ready(self) -> None:
        """See :class:`wlnet.link.channel.ChannelUser`."""
        self._deadline = self._relays.agenda.after(
            self._relays.settings.handshake_timeout, lambda: self.channel.end(Ending.HANDSHAKE_TIME)
        )

    def received(self, message: FromRelay) -> None:
        """See :class:`wlnet.link.channel.ChannelUser`."""
        relay = self._relay
        if relay is None:
            if not isinstance(message, Hello):
                raise MessageError("the hello comes first")
            self._meet(message)
        elif isinstance(message, Rooms):
            self._listen(relay, message)
        elif isinstance(message, Opened):
            self._relays.opened(relay, message.request, message.ok)
        elif isinstance(message, PairLoad):
            self._relays.pairs.loaded(relay, message.pairs)
        elif isinstance(message, Observe):
            ok = self._relays.pairs.observer(message.ticket, message.address)
            self.channel.send(Observed(request=message.request, ok=ok))
        elif isinstance(message, RoomHosted | RoomClosed):
            if relay.found:
                self._happened(relay, message)
            elif len(self._late) >= MAX_LATE:
                raise MessageError("too much happened while the rooms were listed")
            else:
                self._late.append(message)
        else:
            raise MessageError("not here")

    def ended(self, ending: Ending) -> None:
        """See :class:`wlnet.link.channel.ChannelUser`."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._listed = []
        self._late = []
        self._relays.ended(self, self._relay, ending)

    def _meet(self, hello: Hello) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        answer = self._relays.introduce(self, hello.name, hello.instance)
        if isinstance(answer, RefusalReason):
            self._relays.journal.warn(
                "Relay {relay} from {address} was refused: {why}",
                relay=hello.name, address=self.peer, why=_REFUSALS[answer],
            )  # fmt: skip
            self.channel.send(Refused(reason=answer))
            self.channel.end(Ending.REFUSED)
            return
        self._relay = answer
        answer.introduced(hello, self)
        self._introduced()
        self.channel.send(Welcome())
        self.channel.send_stream(self._relays.pairs.linked(answer))
        self.channel.send_stream(sanction_parts(self._relays.sanctions.active()))

    def _listen(self, relay: RelayRecord, part: Rooms) -> None:
        if relay.found:
            raise MessageError("the rooms were listed already")
        if len(self._listed) + len(part.rooms) > MAX_LISTED:
            raise MessageError("too many rooms")
        self._listed += part.rooms
        if not part.last:
            return
        listed, self._listed = self._listed, []
        late, self._late = self._late, []
        self._relays.found(relay, listed)
        for message in late:
            self._happened(relay, message)

    def _happened(self, relay: RelayRecord, message: RoomHosted | RoomClosed) -> None:
        if isinstance(message, RoomHosted):
            self._relays.hosted(relay, message.room_id)
        else:
            self._relays.closed(relay, message.room_id)
