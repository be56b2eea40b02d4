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
        self._lost: OrderedDict[Player, None] = OrderedDict()
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
        self._lost.pop(player, None)

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
        elif not was_live:
            player.announced = False
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
        self._lost[player] = None
        self._bound_lost(player)
        if player.probe is not None:
            player.probe.settle(False)

    def leave(self, player: Player) -> None:
        """*player* leaves in good order: the name is free at once."""
        self._free(player)
        self._depart(player)

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
        if player.announced:
            _cancel(self._departing.pop(player.name, None))
            self._tell_departure(player.name)

    def _free(self, player: Player) -> None:
        if player.inbox is not None:
            self._hall.live_players -= 1
            player.inbox = None
        for appointment in (player.announcing, player.forgetting):
            _cancel(appointment)
        player.announcing = player.forgetting = None
        self._lost.pop(player, None)
        self._hosting.leave(player, quietly=True)
        self._hall.roster.remove(player)
        self._hosting.player_gone(player)
        if player.probe is not None:
            player.probe.settle(False)

    def _forget(self, player: Player) -> None:
        self._free(player)
        name = player.name
        if name not in self._departing:
            self._tell_departure(name)

    def _tell_departure(self, name: str) -> None:
        def tell() -> None:
            del self._departing[name]
            self._hall.players_changed()

        self._departing[name] = self._hall.agenda.after(self._hall.settings.leave_delay, tell)

    def _bound_lost(self, newest: Player) -> None:
        """Lost seats are cheap to make; the oldest go first, those of the same address before others."""
        if newest.address not in self._trusted:
            key = address_key(newest.address)
            same = [player for player in self._lost if address_key(player.address) == key]
            for player in same[: len(same) - self._hall.limits.lost_players_per_address]:
                self._forget(player)
        while len(self._lost) > self._hall.settings.max_lost_players:
            self._forget(next(iter(self._lost)))


def _cancel(appointment: Appointment | None) -> None:
    if appointment is not None:
        appointment.cancel()
