"""Coming, going, and being cut off: what the others see of it, and how long a seat is kept."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from wlnet.agenda import Appointment
from wlnet.limits.addresses import TrustedNetworks, address_key
from wlnet.lobby.events import Inbox, Removed
from wlnet.lobby.hall import Hall
from wlnet.lobby.hosting import Hosting
from wlnet.lobby.player import Player
from wlnet.lobby.ports import Permission
from wlnet.metrics import Limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Who a connection has shown to be, before it has a seat; see :class:`Player` for the fields."""

    key: str
    build: str
    dialect: int
    permission: Permission
    account: str | None
    address: str
    session: str
    inbox: Inbox


class Presence:
    """Gives, keeps and frees seats."""

    def __init__(self, hall: Hall, hosting: Hosting) -> None:
        self._hall = hall
        self._hosting = hosting
        self._departing: dict[str, Appointment] = {}
        self._lost: OrderedDict[Player, str] = OrderedDict()
        self._lost_by_address: dict[str, OrderedDict[Player, None]] = {}
        self._trusted = TrustedNetworks(hall.limits.trusted_networks)

    # -- seats -----------------------------------------------------------------------------------

    def seat(self, name: str, who: Credentials) -> Player:
        """A new seat; *name* must be free."""
        player = Player(
            name=name,
            key=who.key,
            build=who.build,
            dialect=who.dialect,
            permission=who.permission,
            account=who.account,
            address=who.address,
            session=who.session,
            inbox=who.inbox,
        )
        self._hall.roster.add(player)
        self._hall.live_players += 1
        self._hosting.player_seated(player)
        departure = self._departing.pop(name, None)
        if departure is not None:
            # Back before anybody was told of the leave: nothing happened.
            departure.cancel()
            player.announced = True
            self._hall.player_news.changed_quietly()
        else:
            self._announce_later(player)
        return player

    def reseat(self, player: Player, who: Credentials) -> None:
        """Give the seat of *player* to the connection *who*; it keeps name and game."""
        was_live = player.live
        if was_live:
            self._hall.live_players -= 1
        if player.probe is not None:
            player.probe.abandon()
        _cancel(player.announcing)
        _cancel(player.forgetting)
        player.forgetting = None
        self._not_lost(player)

        def change(player: Player) -> None:
            player.key = who.key
            player.build = who.build
            player.dialect = who.dialect
            player.permission = who.permission
            player.account = who.account
            player.address = who.address
            player.session = who.session
            player.inbox = who.inbox

        self._hall.roster.reseat(player, change)
        self._hall.live_players += 1
        self._hosting.player_seated(player)
        departure = self._departing.pop(player.name, None)
        if departure is not None:
            departure.cancel()
            player.announced = True
        if player.announced:
            self._hall.player_news.changed_quietly()
        else:
            self._announce_later(player)

    def announce(self, player: Player) -> None:
        """The others see *player* from now on, if they do not yet."""
        _cancel(player.announcing)
        player.announcing = None
        if not player.announced:
            player.announced = True
            self._hall.players_changed()

    def lost(self, player: Player) -> None:
        """The connection broke; name and game are kept for a while."""
        if player.inbox is None:
            return
        player.inbox = None
        self._hall.live_players -= 1
        _cancel(player.announcing)
        player.announcing = None
        self._depart(player)
        player.forgetting = self._hall.agenda.after(
            self._hall.settings.lost_session_lifetime, lambda: self._forget(player)
        )
        self._bound_lost(player)
        _settle(player)

    def leave(self, player: Player) -> None:
        """*player* leaves in good order: the name is free at once."""
        self._free(player)
        self._depart(player)
        _settle(player)

    def remove(self, player: Player, reason: str) -> None:
        """Throw *player* out and tell him why."""
        if player.inbox is not None:
            player.inbox.deliver(Removed(reason))
        self.leave(player)

    # -- parts of it -----------------------------------------------------------------------------

    def _announce_later(self, player: Player) -> None:
        player.announcing = self._hall.agenda.after(
            self._hall.settings.announce_delay, lambda: self.announce(player)
        )

    def _depart(self, player: Player) -> None:
        """*player* cannot be seen any more; the others are told in a moment, unless he is back by then."""
        self._hall.player_news.changed_quietly()
        if not player.announced:
            return
        player.announced = False
        name = player.name

        def tell() -> None:
            del self._departing[name]
            self._hall.players_changed()

        self._departing[name] = self._hall.agenda.after(self._hall.settings.leave_delay, tell)

    def _free(self, player: Player) -> None:
        if player.inbox is not None:
            self._hall.live_players -= 1
            player.inbox = None
        for appointment in (player.announcing, player.forgetting):
            _cancel(appointment)
        player.announcing = player.forgetting = None
        self._not_lost(player)
        self._hosting.leave(player, quietly=True)
        self._hall.roster.remove(player)
        self._hosting.player_gone(player)

    def _forget(self, player: Player) -> None:
        """Time is up for a lost seat. It is off the list since it was lost: nobody sees a difference."""
        self._free(player)
        _settle(player)

    def _bound_lost(self, newest: Player) -> None:
        """Lost seats are cheap to make; the oldest go first, those of the same address before others."""
        key = address_key(newest.address)
        self._lost[newest] = key
        same = self._lost_by_address.setdefault(key, OrderedDict())
        same[newest] = None
        if newest.address not in self._trusted:
            while len(same) > self._hall.limits.lost_players_per_address:
                self._hall.limited(Limit.LOST_PLAYERS)
                self._forget(next(iter(same)))
        while len(self._lost) > self._hall.settings.max_lost_players:
            self._hall.limited(Limit.LOST_PLAYERS)
            self._forget(next(iter(self._lost)))

    def _not_lost(self, player: Player) -> None:
        key = self._lost.pop(player, None)
        if key is not None:
            same = self._lost_by_address[key]
            del same[player]
            if not same:
                del self._lost_by_address[key]


def _settle(player: Player) -> None:
    """Whoever claims *player*'s seat need not wait for an answer any more; called when all is in order."""
    if player.probe is not None:
        player.probe.settle(False)


def _cancel(appointment: Appointment | None) -> None:
    if appointment is not None:
        appointment.cancel()
