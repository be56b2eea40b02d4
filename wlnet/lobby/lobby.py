"""The lobby as its front ends see it."""

from __future__ import annotations

from collections.abc import Callable

from wlnet.agenda import Agenda
from wlnet.config import schema
from wlnet.lobby.arrival import Arrival, ArrivalRefusal
from wlnet.lobby.chat import ChatRoom
from wlnet.lobby.direct import DirectHosting
from wlnet.lobby.discipline import Discipline
from wlnet.lobby.hall import Hall
from wlnet.lobby.hosting import Hosting
from wlnet.lobby.player import Player
from wlnet.lobby.ports import AccountsPort, ProberPort, RelayPort
from wlnet.lobby.presence import Credentials, Presence
from wlnet.metrics import Metrics
from wlnet.moderation.sanctions import Sanctions


class Lobby:
    """Puts the parts together.

    :ivar hall: who is here and what is played.
    :ivar presence: coming and going.
    :ivar hosting: games on the relay; to be told what the relay reports.
    :ivar direct: build 19 games.
    :ivar chat: chat and message of the day.
    :ivar discipline: kicks, bans, mutes.
    """

    def __init__(
        self,
        *,
        settings: schema.Lobby,
        limits: schema.Limits,
        moderation: schema.Moderation,
        agenda: Agenda,
        metrics: Metrics,
        accounts: AccountsPort,
        relay: RelayPort,
        prober: ProberPort,
        sanctions: Sanctions,
        new_room_id: Callable[[], str],
    ) -> None:
        self.settings = settings
        self.limits = limits
        self.moderation = moderation
        self.agenda = agenda
        self.accounts = accounts
        self.relay = relay
        self.hall = Hall(settings, limits, agenda, metrics)
        self.hosting = Hosting(self.hall, relay, new_room_id)
        self.presence = Presence(self.hall, self.hosting)
        self.direct = DirectHosting(self.hall, self.hosting, prober, new_room_id)
        self.chat = ChatRoom(self.hall, self.presence, sanctions)
        self.discipline = Discipline(self.hall, self.presence, self.hosting, sanctions)

    def arrive(
        self,
        wanted: str,
        who: Credentials,
        rekey: Callable[[str], str] | None,
        seated: Callable[[Player | ArrivalRefusal], None],
    ) -> Arrival:
        """Find a seat for a newcomer, see :class:`wlnet.lobby.arrival.Arrival`."""
        return Arrival(self.hall, self.presence, self.accounts, wanted, who, rekey, seated)

    def heard(self, player: Player) -> None:
        """*player*'s connection brought something: he is alive."""
        if player.probe is not None:
            player.probe.settle(True)
