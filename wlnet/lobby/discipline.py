"""Kicks, bans and mutes as they are felt in the lobby."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from ipaddress import ip_network

from wlnet.limits.addresses import address_key, parse_address
from wlnet.lobby.events import system
from wlnet.lobby.game import Game
from wlnet.lobby.hall import Hall
from wlnet.lobby.hosting import Hosting
from wlnet.lobby.player import Player
from wlnet.lobby.ports import Permission
from wlnet.lobby.presence import Presence
from wlnet.metrics import Limit
from wlnet.moderation.sanctions import MAX_TEXT, Kind, Sanction, Sanctions, SanctionsFullError, Target


class Outcome(Enum):
    """What became of an order to remove somebody."""

    REMOVED = auto()
    NOT_KEPT_OUT = auto()
    """Removed, but he may come back at once: there are too many bans, or they last no time."""
    GAME_ENDED = auto()
    IS_SUPERUSER = auto()
    IS_IRC = auto()
    NOBODY = auto()


class Discipline:
    """Removes people, keeps them out, and does at once what a ban from elsewhere demands."""

    def __init__(self, hall: Hall, presence: Presence, hosting: Hosting, sanctions: Sanctions) -> None:
        self._hall = hall
        self._presence = presence
        self._hosting = hosting
        self._sanctions = sanctions
        self.on_expel: Callable[[Player], None] = lambda _: None
        """Told of each player who is thrown out, before he is."""
        self.on_game_closed: Callable[[Game], None] = lambda _: None
        """Told of each game that is ended by order, before it is."""
        sanctions.subscribe(self)

    def ban(self, address: str, account: str | None = None, name: str | None = None) -> Sanction | None:
        """The ban that keeps somebody out, if there is one; counted."""
        ban = self._sanctions.banned(address=address, account=account, name=name)
        if ban is not None:
            self._hall.limited(Limit.BANNED)
        return ban

    def remove(self, name: str, by: str, reason: str, duration: float, word: str) -> Outcome:
        """Throw the player called *name* out and keep him out for *duration* seconds.

        His address is banned, and his account if he has one; the game he hosts ends, and he is taken off
        the relay. Others behind the same address stay until they leave: they may be a whole campus.

        :param word: what the player's client is told, KICKED or BANNED.
        """
        player = self._hall.roster.get(name)
        if player is None:
            return Outcome.NOBODY
        if player.is_superuser:
            return Outcome.IS_SUPERUSER
        if player.permission is Permission.IRC:
            return Outcome.IS_IRC
        kept_out = self._impose(Target.ADDRESS, player.address, reason, by, duration)
        if player.account is not None:
            kept_out = self._impose(Target.ACCOUNT, player.account, reason, by, duration) or kept_out
        self._expel(player, word, reason)
        return Outcome.REMOVED if kept_out else Outcome.NOT_KEPT_OUT

    def end_game(self, name: str) -> Outcome:
        """End the game called *name* for everybody."""
        game = self._hall.board.get(name)
        if game is None:
            return Outcome.NOBODY
        self.on_game_closed(game)
        self._hosting.end(game)
        return Outcome.GAME_ENDED

    # -- bans from anywhere ----------------------------------------------------------------------

    def imposed(self, sanction: Sanction) -> None:
        """A ban takes effect on those who are here already, a mute is told to them."""
        if not sanction.sweeps:
            return
        matches = _matcher(sanction)
        for player in [player for player in self._hall.roster if matches(player)]:
            if self._hall.roster.get(player.name) is not player or not matches(player):
                continue  # removing another one has changed that
            if sanction.kind is Kind.BAN:
                self._expel(player, "BANNED", sanction.reason)
            elif player.inbox is not None:
                player.inbox.deliver(system(mute_text(sanction)))

    def lifted(self, sanction: Sanction) -> None:
        """Nobody is here whom a lifted ban concerns; a lifted mute shows at the next line."""

    # -- parts of it -----------------------------------------------------------------------------

    def _impose(self, target: Target, value: str, reason: str, by: str, duration: float) -> bool:
        """A removal never fails for want of a ban: too many bans, or an address that is none."""
        shown = "".join(character if character.isprintable() else " " for character in reason[:MAX_TEXT])
        try:
            self._sanctions.impose(
                Kind.BAN, target, value, reason=shown, by=by, duration=duration, sweeps=False
            )
        except (ValueError, SanctionsFullError):
            return False
        return True

    def _expel(self, player: Player, word: str, reason: str) -> None:
        self.on_expel(player)
        for game in self._hosting.hosted_by(player):
            self._hosting.end(game)
        if player.game is not None and not player.game.ended:
            self._hosting.drop_from_room(player.game, player.address)
        if player.inbox is not None:
            what = "kicked" if word == "KICKED" else "banned"
            player.inbox.deliver(system(f"You have been {what}" + (f": {reason}" if reason else ".")))
        self._presence.remove(player, word)


def mute_text(mute: Sanction) -> str:
    """What a muted player is told."""
    return "You have been muted" + (f": {mute.reason}" if mute.reason else ".")


def _matcher(sanction: Sanction) -> Callable[[Player], bool]:
    value = sanction.value
    if sanction.target is Target.ADDRESS:
        key = address_key(value)
        return lambda player: address_key(player.address) == key
    if sanction.target is Target.ACCOUNT:
        return lambda player: player.account == value
    if sanction.target is Target.NAME:
        return lambda player: player.name == value
    network = ip_network(value)

    def inside(player: Player) -> bool:
        try:
            return parse_address(player.address) in network
        except ValueError:
            return False

    return inside
