"""Which seat a newcomer gets: the old one of the same person, the name wanted, or one with a number.

docs/protocols/metaserver.md, "Names and reclaiming", has the rules in words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum

from wlnet.lobby.events import Removed
from wlnet.lobby.hall import Hall
from wlnet.lobby.names import numbered
from wlnet.lobby.player import Player
from wlnet.lobby.ports import Account, AccountsPort, AccountsUnavailableError, Permission
from wlnet.lobby.presence import Credentials, Presence
from wlnet.lobby.probe import LivenessProbe
from wlnet.metrics import Limit

REPLACED = "CLIENT_TIMEOUT"
"""What an old connection is told that did not answer while its seat was claimed."""


class ArrivalRefusal(StrEnum):
    """Why nobody was seated."""

    FULL = "full"
    NO_NAME = "no free name"


class Arrival:
    """Finds a seat for one newcomer; calls *seated* exactly once unless cancelled before.

    :param wanted: the name asked for.
    :param rekey: the reclaim secret that goes with another name than the wanted one, if *who* has an
        account (the client computes the same); None if the secret does not depend on the name.
    """

    def __init__(
        self,
        hall: Hall,
        presence: Presence,
        accounts: AccountsPort,
        wanted: str,
        who: Credentials,
        rekey: Callable[[str], str] | None,
        seated: Callable[[Player | ArrivalRefusal], None],
    ) -> None:
        self._hall = hall
        self._presence = presence
        self._accounts = accounts
        self._wanted = wanted
        self._who = who
        self._rekey = rekey
        self._seated: Callable[[Player | ArrivalRefusal], None] | None = seated
        self._probe: LivenessProbe | None = None
        self._tried: set[Player] = set()
        self._numbers = numbered(wanted, hall.limits.name_length)
        self._left = hall.settings.max_players
        self._next_name: str | None = None
        self._searching = False
        self._reclaim()

    @property
    def settled(self) -> bool:
        """The newcomer has an answer, or needs none any more."""
        return self._seated is None

    def cancel(self) -> None:
        """The newcomer's connection is gone."""
        self._seated = None
        if self._probe is not None:
            self._probe.abandon()
            self._probe = None

    # -- the old seat ----------------------------------------------------------------------------

    def _reclaim(self) -> None:
        candidate = self._next_candidate()
        if candidate is None:
            self._search(self._wanted)
        elif not candidate.live:
            self._take_over(candidate)
        else:
            self._tried.add(candidate)

            def answer(alive: bool) -> None:
                self._probe = None
                if alive:
                    self._reclaim()
                elif self._hall.roster.get(candidate.name) is candidate:
                    self._take_over(candidate)
                else:
                    self._reclaim()

            self._probe = LivenessProbe(
                candidate, self._hall.agenda, self._hall.settings.reclaim_probe, answer
            )
            self._probe.ask()

    def _next_candidate(self) -> Player | None:
        """The one of the wanted name, then the lost ones, then the live ones nobody else asks."""
        if len(self._tried) >= self._hall.settings.reclaim_candidates:
            return None
        same = [
            player
            for player in self._hall.roster.with_key(self._who.key)
            if player.probe is None and player not in self._tried
        ]
        return min(same, key=lambda player: (player.name != self._wanted, player.live), default=None)

    def _take_over(self, player: Player) -> None:
        if player.inbox is not None:
            player.inbox.deliver(Removed(REPLACED))
        self._presence.reseat(player, self._as(player.name))
        self._done(player)

    # -- a new seat ------------------------------------------------------------------------------

    def _search(self, name: str) -> None:
        """Try *name* and, as long as answers come at once, what is to be tried after it."""
        self._next_name = name
        if self._searching:
            return
        self._searching = True
        while self._next_name is not None:
            name, self._next_name = self._next_name, None
            self._try_name(name)
        self._searching = False

    def _try_name(self, name: str) -> None:
        """Seat the newcomer as *name*, or see about the next number if it is taken."""
        if self._full:
            self._hall.limited(Limit.PLAYERS)
            self._done(ArrivalRefusal.FULL)
            return
        while self._hall.roster.get(name) is not None:
            name = next(self._numbers)
        if name == self._who.account:
            self._seat(name)
            return
        if self._left <= 0:
            self._done(ArrivalRefusal.NO_NAME)
            return
        self._left -= 1

        def answer(account: Account | AccountsUnavailableError | None) -> None:
            if self._seated is None:
                return
            unsure = isinstance(account, AccountsUnavailableError)
            if isinstance(account, Account) or (unsure and self._accounts.was_account(name)):
                self._search(next(self._numbers))
            elif self._hall.roster.get(name) is not None or self._full:
                self._search(name)
            else:
                # Nobody is kept out because the accounts cannot be asked: he is unregistered anyway.
                self._seat(name)

        self._accounts.find(name, answer)

    @property
    def _full(self) -> bool:
        return self._hall.live_players >= self._hall.settings.max_players

    def _seat(self, name: str) -> None:
        self._done(self._presence.seat(name, self._as(name)))

    # -- both ------------------------------------------------------------------------------------

    def _as(self, name: str) -> Credentials:
        """What the newcomer is under the name he gets: an account is worth something under its own only."""
        if name == self._wanted or self._who.account is None:
            return self._who
        key = self._rekey(name) if self._rekey is not None else self._who.key
        return replace(self._who, permission=Permission.UNREGISTERED, account=None, key=key)

    def _done(self, result: Player | ArrivalRefusal) -> None:
        seated, self._seated = self._seated, None
        if seated is not None:
            seated(result)
