"""Games being joined: what the lobby was asked, when it is asked again, and when that is given up."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from wlnet.client.peer.calls import Call, Calls
from wlnet.client.peer.options import PartyOptions
from wlnet.client.peer.peer import Peer
from wlnet.client.tunnel.identity import Identity
from wlnet.protocols.exchange.messages import Join, Said
from wlnet.rendezvous.events import Refusal, Refused

_PAUSE = 1.0
_PASSING = frozenset({Refusal.TOO_FAST, Refusal.HOST_AWAY, Refusal.HOST_BUSY, Refusal.SERVER_FULL})
"""Refusals another try may not meet."""
_HOPELESS = frozenset({Refusal.NO_SUCH_GAME, Refusal.OWN_GAME})
"""Refusals that end the search for a better path: the game is not listed any more."""


class Ask(NamedTuple):
    """A join the lobby has not answered.

    :ivar identity: ours in it.
    :ivar peer: whose tunnel the new paths are for; None: a new tunnel.
    """

    game: str
    identity: Identity
    peer: Peer | None


class JoinsOwner(Protocol):
    """What joins need of their party."""

    def say(self, said: Said) -> bool:
        """To the lobby; False: it is not there."""

    def doubt_link(self) -> bool:
        """The lobby should have answered."""

    def join_failed(self, game: str, text: str) -> None:
        """It is given up."""


class _Joining:
    """A game that is to be joined."""

    def __init__(self) -> None:
        self.timeout: Call | None = None
        self._retry: Call | None = None

    def retry(self, call: Call | None) -> None:
        """The next try, in place of the one before."""
        if self._retry is not None:
            self._retry.cancel()
        self._retry = call

    def cancel(self) -> None:
        self.retry(None)
        if self.timeout is not None:
            self.timeout.cancel()


class Joins:
    """All games being joined.

    Each try is under an identity of its own, since the tunnel of an earlier one may be known to the host
    under another session secret. Once a tunnel is there, its identity brings new paths under it.
    """

    def __init__(
        self, owner: JoinsOwner, calls: Calls, options: PartyOptions, identity: Callable[[], Identity]
    ) -> None:
        self._owner = owner
        self._calls = calls
        self._options = options
        self._identity = identity
        self._joins: dict[str, _Joining] = {}
        self._asked: list[Ask] = []  # the lobby answers in the order it is asked

    def __contains__(self, game: str) -> bool:
        return game in self._joins

    @property
    def games(self) -> tuple[str, ...]:
        """Those without a tunnel yet."""
        return tuple(self._joins)

    def join(self, game: str) -> None:
        """Try until there is a tunnel, or too long."""
        if game not in self._joins:
            joining = self._joins[game] = _Joining()
            joining.timeout = self._calls.later(
                self._options.join_timeout,
                lambda: self._give_up(game, "No connection to the host came about in time."),
            )
            self._ask(game)

    def again(self, peer: Peer) -> bool:
        """New paths for a tunnel that is there. False: the lobby is not."""
        if not self._owner.say(Join(game=peer.game, fingerprint=peer.identity.fingerprint)):
            return False
        self._asked.append(Ask(peer.game, peer.identity, peer))
        self._owner.doubt_link()
        return True

    def began(self, game: str) -> Ask | None:
        """What the lobby answered by beginning an attempt; None: nothing was asked."""
        for ask in self._asked:
            if ask.game == game:
                self._asked.remove(ask)
                joining = self._joins.get(game)
                if joining is not None and ask.peer is None:
                    joining.retry(None)
                return ask
        return None

    def refused(self, refused: Refused) -> None:
        """What the lobby answered otherwise."""
        if not self._asked:
            return
        ask = self._asked.pop(0)
        if ask.peer is not None:
            ask.peer.refused(final=refused.code in _HOPELESS)
            return
        joining = self._joins.get(ask.game)
        if joining is None:
            return
        if refused.code in _PASSING:
            joining.retry(self._calls.later(_PAUSE, lambda: self._ask(ask.game)))
        else:
            self._give_up(ask.game, refused.text)

    def done(self, game: str) -> None:
        """There is a tunnel."""
        joining = self._joins.pop(game, None)
        if joining is not None:
            joining.cancel()

    def failed(self, game: str) -> bool:
        """A try came to nothing; True: there will be another one."""
        joining = self._joins.get(game)
        if joining is not None:
            joining.retry(self._calls.later(_PAUSE, lambda: self._ask(game)))
        return joining is not None

    def lobby_lost(self) -> None:
        """It will not answer."""
        self._asked.clear()
        for joining in self._joins.values():
            joining.retry(None)

    def lobby_back(self) -> None:
        """Ask it."""
        for game in list(self._joins):
            self._ask(game)

    def clear(self) -> None:
        """Join nothing any more."""
        for joining in self._joins.values():
            joining.cancel()
        self._joins.clear()

    def _ask(self, game: str) -> None:
        joining = self._joins.get(game)
        if joining is None:
            return
        identity = self._identity()
        if self._owner.say(Join(game=game, fingerprint=identity.fingerprint)):
            self._asked.append(Ask(game, identity, None))
            joining.retry(self._calls.later(self._options.join_answer, lambda: self._unanswered(game)))

    def _unanswered(self, game: str) -> None:
        self._owner.doubt_link()
        self._ask(game)

    def _give_up(self, game: str, text: str) -> None:
        self.done(game)
        self._owner.join_failed(game, text)
