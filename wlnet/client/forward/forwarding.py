"""What hosting and joining have in common: the party, what is told of it, and the end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import msgspec

from wlnet.client.forward.grumbling import Grumbling
from wlnet.client.forward.limits import ForwardLimits
from wlnet.client.forward.players import CannotError
from wlnet.client.forward.reports import (
    Closed,
    Detail,
    Lobby,
    LobbyLost,
    Note,
    PathLost,
    PathTaken,
    SteeringEnded,
    Tell,
    Trouble,
)
from wlnet.client.lobby.words import shown
from wlnet.client.net.network import Network
from wlnet.client.peer.party import Party, PartyUser
from wlnet.client.peer.peer import Peer
from wlnet.client.peer.words import PathGone, PathNews
from wlnet.client.tunnel.tunnel import TunnelError
from wlnet.rendezvous.events import Begin, Ended, ListedGame, Refusal, Refused, Told

DONE, FAILED = 0, 1
"""Exit codes: closed by the user or the end of the game; could not connect."""

_REMEMBERED = 64

Over = Callable[[int], None]


class Forwarding(PartyUser, ABC):
    """A party's user. Make it, make a :class:`WatchedParty` of it, then :meth:`begin`.

    :param tell: gets the reports; the last one is ``Closed``.
    :param over: called after that, with the exit code.
    :param verbose: messages of the lobby are reported too.
    """

    def __init__(
        self,
        network: Network,
        game: str,
        tell: Tell,
        over: Over,
        limits: ForwardLimits | None = None,
        *,
        verbose: bool = False,
    ) -> None:
        self.network = network
        self.game = game
        self.tell = tell
        self.limits = limits or ForwardLimits()
        self.grumbling = Grumbling(tell, self.limits.report_pause)
        self.refusal: Refusal | None = None
        self._on_over = over
        self._verbose = verbose
        self._party: Party | None = None
        self._names: dict[int, str] = {}
        self._ending: Closed | None = None

    @property
    def party(self) -> Party:
        """Ours."""
        if self._party is None:
            raise RuntimeError("it has not begun")
        return self._party

    @property
    def ending(self) -> bool:
        """It is about to be over."""
        return self._ending is not None

    def begin(self, party: Party) -> None:
        """To be called once, with the party this is the user of."""
        self._party = party
        self.begun()

    def close(self, reason: str) -> None:
        """The user wants no more."""
        self.finish(DONE, reason)

    def finish(self, code: int, reason: str) -> None:
        """End it politely; ``over`` is called within two seconds."""
        if self._ending is not None:
            return
        self._ending = Closed(reason=reason, code=code)
        self.shut()
        if self._party is None:
            self.network.call_later(0.0, self._done)
        else:
            self._party.close(self._done)

    def _done(self) -> None:
        if self._ending is not None:
            self.tell(self._ending)
            self._on_over(self._ending.code)

    # -- for hosts and guests --------------------------------------------------------------------

    @abstractmethod
    def begun(self) -> None:
        """The party is there."""

    @abstractmethod
    def shut(self) -> None:
        """Close what belongs to the game on this machine."""

    def watched(self, told: Told) -> None:
        """The lobby told that."""
        match told:
            case Begin():
                self._names[told.attempt] = told.peer
                while len(self._names) > _REMEMBERED:
                    del self._names[next(iter(self._names))]
            case Refused():
                self.refusal = told.code
            case Ended():
                self.tell(
                    SteeringEnded(
                        peer=self._names.pop(told.attempt, ""),
                        attempt=told.attempt,
                        reason=told.reason.value,
                        kind=told.kind.value if told.kind is not None else None,
                        text=told.text,
                    )
                )
            case _:
                pass
        if self._verbose:
            self.tell(Detail(direction="told", message=_public(told)))

    @staticmethod
    def datagrams_to(peer: Peer) -> Callable[[bytes], None]:
        """Sends datagrams to *peer*; raises :class:`CannotError` if there is no tunnel."""

        def send(data: bytes) -> None:
            try:
                peer.send_datagram(data)
            except TunnelError as error:
                raise CannotError(str(error)) from error

        return send

    # -- the party's user ------------------------------------------------------------------------

    def party_ready(self, name: str) -> None:
        """See :class:`PartyUser`."""
        self.tell(Lobby(name=shown(name)))

    def party_lost(self, text: str, again: float) -> None:
        """See :class:`PartyUser`."""
        self.tell(LobbyLost(reason=text, again=round(again, 1)))

    def party_line(self, text: str) -> None:
        """See :class:`PartyUser`."""
        self.tell(Note(text=text))

    def party_games(self, games: tuple[ListedGame, ...]) -> None:
        """Nobody asked."""

    def peer_path(self, peer: Peer, news: PathNews | PathGone) -> None:
        """See :class:`PartyUser`."""
        if isinstance(news, PathGone):
            self.tell(PathLost(peer=peer.name, reason=news.reason))
            return
        self.tell(
            PathTaken(
                peer=peer.name,
                kind=news.kind.value,
                technique=news.technique.value,
                transport=news.transport.value,
                family=news.family.value if news.family is not None else None,
                rtt_ms=round(news.rtt * 1000, 3),
                setup_ms=round(news.setup * 1000, 3),
                moved=news.moved.value,
                reason=news.reason,
            )
        )

    def trouble(self, text: str) -> None:
        """Tell of something that did not work."""
        self.tell(Trouble(text=text))


class WatchedParty(Party):
    """A party whose user also hears what the lobby tells."""

    watcher: Forwarding | None = None

    def lobby_told(self, told: Told) -> None:
        """Tell the watcher first."""
        if self.watcher is not None:
            self.watcher.watched(told)
        super().lobby_told(told)


def _public(told: Told) -> object:
    """*told* without what would let a reader of the log into the game."""
    message = msgspec.to_builtins(told)
    message.pop("secret", None)
    relay = message.get("relay")
    if isinstance(relay, dict):
        relay.pop("ticket", None)
    return message
