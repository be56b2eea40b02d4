"""The relay's end of the link: does what the lobby asks, reports what happens (docs/protocols/link.md)."""

from __future__ import annotations

from collections.abc import Callable

from wlnet.link.channel import Channel, Ending
from wlnet.link.journal import Journal
from wlnet.link.messages import (
    MAX_LATE,
    MAX_LISTED,
    CloseRoom,
    DropFromRoom,
    FromLobby,
    FromRelay,
    Hello,
    Imposed,
    Lifted,
    MessageError,
    Observed,
    Opened,
    OpenRoom,
    RefusalReason,
    Refused,
    RevokePairs,
    RoomClosed,
    RoomHosted,
    UpdateCard,
    Welcome,
    room_parts,
)
from wlnet.link.messages import Sanctions as SanctionsPart
from wlnet.link.pair_end import PairEnd
from wlnet.moderation.sanctions import Sanction, Sanctions
from wlnet.relay.control import RelayControl


class RelayEnd:
    """The lobby as the relay sees it, linked or not; a ``RelayObserver``.

    Make it first, give it to the relay, then call :meth:`start`. What happens without a link needs no
    memory here: the list of rooms sent after each connect says it.

    :param hello: makes the first message of each connection.
    :param pairs: what it has to do with pairs, if anything.
    :param sanctions: kept the same as the lobby's; the last known ones stay in force without a link.
    """

    def __init__(
        self,
        hello: Callable[[], Hello],
        sanctions: Sanctions,
        journal: Journal,
        pairs: PairEnd | None = None,
    ) -> None:
        self.hello = hello
        self.sanctions = sanctions
        self.journal = journal
        self.pairs = pairs
        self.control: RelayControl | None = None
        self.link: LobbyLink | None = None

    def start(self, control: RelayControl) -> None:
        """Steer *control* from now on."""
        self.control = control

    @property
    def linked(self) -> bool:
        """True while the lobby is there."""
        return self.link is not None

    def room_hosted(self, room_id: str) -> None:
        """See :meth:`wlnet.relay.control.RelayObserver.room_hosted`."""
        self._tell(RoomHosted(room_id=room_id))

    def room_closed(self, room_id: str) -> None:
        """See :meth:`wlnet.relay.control.RelayObserver.room_closed`."""
        self._tell(RoomClosed(room_id=room_id))

    def _tell(self, message: FromRelay) -> None:
        if self.link is not None:
            self.link.channel.send(message)


class LobbyLink:
    """One connection to the lobby; a ``ChannelUser``.

    :param welcomed: called when the lobby has accepted this relay.
    :param over: called once at the end, with the reason and, if the lobby refused, why.
    """

    def __init__(
        self, end: RelayEnd, channel: Channel[FromLobby], welcomed: Callable[[], None],
        over: Callable[[Ending, RefusalReason | None], None],
    ) -> None:  # fmt: skip
        self.channel = channel
        self._end = end
        self._welcomed = welcomed
        self._over = over
        self._refusal: RefusalReason | None = None
        self._listed: list[Sanction] = []
        self._late: list[Sanction] = []
        self._complete = False

    def ready(self) -> None:
        """See :class:`wlnet.link.channel.ChannelUser`."""
        self.channel.send(self._end.hello())

    def received(self, message: FromLobby) -> None:
        """See :class:`wlnet.link.channel.ChannelUser`."""
        control = self._end.control
        if self._end.link is not self or control is None:
            self._answered(message)
        elif isinstance(message, SanctionsPart | Imposed | Lifted):
            self._sanction(message)
        elif isinstance(message, OpenRoom):
            ok = control.open_room(message.room_id, message.game, message.password, message.card)
            self.channel.send(Opened(request=message.request, ok=ok))
        elif isinstance(message, UpdateCard):
            control.update_card(message.room_id, message.card)
        elif isinstance(message, CloseRoom):
            control.close_room(message.room_id)
        elif isinstance(message, DropFromRoom):
            control.drop_from_room(message.game, message.address)
        elif isinstance(message, RevokePairs | Observed):
            self._about_pairs(message)
        else:
            raise MessageError("not here")

    def ended(self, ending: Ending) -> None:
        """See :class:`wlnet.link.channel.ChannelUser`."""
        if self._end.link is self:
            self._end.link = None
            if self._end.pairs is not None:
                self._end.pairs.lost()
        self._listed = []
        self._late = []
        self._over(ending, self._refusal)

    def _answered(self, message: FromLobby) -> None:
        if isinstance(message, Refused):
            self._refusal = message.reason
            self.channel.end(Ending.REFUSED)
        elif isinstance(message, Welcome) and self._end.link is None and self._end.control is not None:
            self._end.link = self
            self._welcomed()
            if self._end.pairs is not None:
                self._end.pairs.linked(self.channel.send)
            # From now on every change is told; the lobby puts those that overtake the list after it.
            self.channel.send_stream(room_parts(self._end.control.rooms()))
        else:
            raise MessageError("the answer to the hello comes first")

    def _about_pairs(self, message: RevokePairs | Observed) -> None:
        if self._end.pairs is None:
            raise MessageError("there are no pairs here")
        if isinstance(message, RevokePairs):
            self._end.pairs.revoke(message.pairs)
        else:
            self._end.pairs.observed(message.request, message.ok)

    def _sanction(self, message: SanctionsPart | Imposed | Lifted) -> None:
        if not isinstance(message, SanctionsPart):
            if self._complete:
                self._adopt(message.sanction)
            elif len(self._late) >= MAX_LATE:
                raise MessageError("too much happened while the sanctions were listed")
            else:
                self._late.append(message.sanction)
            return
        if self._complete or len(self._listed) + len(message.sanctions) > MAX_LISTED:
            raise MessageError("too many sanctions")
        self._listed += message.sanctions
        if not message.last:
            return
        self._complete = True
        listed, self._listed = self._listed, []
        late, self._late = self._late, []
        missed = self._end.sanctions.merge(listed)
        if missed:
            self._complain(missed)
        for sanction in late:
            self._adopt(sanction)

    def _adopt(self, sanction: Sanction) -> None:
        if not self._end.sanctions.adopt(sanction):
            self._complain(1)

    def _complain(self, missed: int) -> None:
        self._end.journal.warn(
            "{missed} bans or mutes of the lobby do not fit here: set moderation.max_entries as in the lobby",
            missed=missed,
        )
