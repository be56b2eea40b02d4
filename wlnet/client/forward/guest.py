"""Joining: the guest's game finds the other player's game on a port of this machine."""

from __future__ import annotations

import errno

from wlnet.client.forward.advice import advice
from wlnet.client.forward.forwarding import DONE, FAILED, Forwarding, Over
from wlnet.client.forward.guest_tcp import TcpDoor
from wlnet.client.forward.guest_udp import UdpDoor
from wlnet.client.forward.limits import ForwardLimits
from wlnet.client.forward.pipe import TunnelStream
from wlnet.client.forward.places import Place, Traffic
from wlnet.client.forward.players import TCP_PURPOSE, CannotError, StreamSide
from wlnet.client.forward.reports import Joining, Listening, PeerGone, PeerHere, Tell
from wlnet.client.forward.tally import Tally
from wlnet.client.lobby.words import shown
from wlnet.client.net.network import Network
from wlnet.client.peer.peer import Peer
from wlnet.client.peer.streams import PeerStream
from wlnet.client.tunnel.tunnel import TunnelError
from wlnet.protocols.stun.wire import Endpoint
from wlnet.rendezvous.events import ListedGame, Refusal

_REJOIN_PAUSE = 1.0
"""Who left politely is off the list by then."""
_LIST_TIME = 2.0
_NAMED = 10
_PORT_TRIES = 20


class Guest(Forwarding):
    """Joins *game* and listens at *place*, from the moment it is made.

    :param rejoin: seconds to try to get back to a host who was lost.
    :raises OSError: *place* cannot be bound.
    """

    def __init__(
        self,
        network: Network,
        game: str,
        place: Place,
        tell: Tell,
        over: Over,
        limits: ForwardLimits | None = None,
        *,
        rejoin: float = 120.0,
        verbose: bool = False,
    ) -> None:
        super().__init__(network, game, tell, over, limits, verbose=verbose)
        self.tally = Tally()
        self.peer: Peer | None = None
        self.played = False
        self._rejoin = rejoin
        self._give_up_at: float | None = None
        self._asked = False
        self._lobby_gone = ""
        self._refused = ""
        self._lobby_trouble = ""
        self.tcp: TcpDoor | None = None
        self.udp: UdpDoor | None = None
        self._open_doors(place)
        local = self.local
        traffic = place.traffic.value if place.traffic is not None else "any"
        self.tell(Listening(traffic=traffic, address=local.host, port=local.port))

    @property
    def local(self) -> Endpoint:
        """Where the game finds the other player."""
        door = self.tcp or self.udp
        if door is None:
            raise RuntimeError("all doors are closed")
        return door.local

    def begun(self) -> None:
        """Ask for the host."""
        self.party.join(self.game)

    def shut(self) -> None:
        """Close the doors."""
        for door in (self.tcp, self.udp):
            if door is not None:
                door.close()

    # -- doors -----------------------------------------------------------------------------------

    def _open_doors(self, place: Place) -> None:
        if place.traffic is not Traffic.UDP:
            self.tcp = self._tcp(place)
        if place.traffic is not Traffic.TCP:
            for tries in range(_PORT_TRIES):
                try:
                    self.udp = self._udp(place if self.tcp is None else _at(place, self.tcp.local.port))
                    return
                except OSError as error:
                    free = place.traffic is None and not place.port and error.errno == errno.EADDRINUSE
                    if self.tcp is not None:
                        self.tcp.close()
                    if not free or tries + 1 == _PORT_TRIES:
                        raise
                    self.tcp = self._tcp(place)

    def _tcp(self, place: Place) -> TcpDoor:
        return TcpDoor(self.network, place, self.tally, self.grumbling, self.limits)

    def _udp(self, place: Place) -> UdpDoor:
        return UdpDoor(self.network, place, self.tally, self.grumbling, self.limits)

    def _settle(self, traffic: str) -> bool:
        """The host's game speaks that: only its door stays open. False: we have none for it."""
        if traffic == Traffic.UDP:
            if self.udp is not None and self.tcp is not None:
                self.tcp.close()
                self.tcp = None
            return self.udp is not None
        if self.tcp is not None and self.udp is not None:
            self.udp.close()
            self.udp = None
        return self.tcp is not None

    # -- the lobby -------------------------------------------------------------------------------

    def party_ready(self, name: str) -> None:
        """The wish to join is said now."""
        super().party_ready(name)
        if not self._asked:
            self._asked = True
            self.tell(Joining(game=self.game))

    def party_lost(self, text: str, again: float) -> None:
        """It may be why nothing comes of joining."""
        super().party_lost(text, again)
        self._lobby_trouble = text

    def party_games(self, games: tuple[ListedGame, ...]) -> None:
        """Asked for because there is none of the wanted name."""
        if self._refused:
            self._refuse(games)

    def party_published(self, game: str) -> None:
        """Not of ours."""

    def party_unpublished(self, game: str) -> None:
        """Not of ours."""

    def party_refused(self, of: str, text: str) -> None:
        """There is no way to the host."""
        if self.played:
            if self.refusal is Refusal.NO_SUCH_GAME:
                self.finish(DONE, "The game is over: its host has closed it.")
            else:
                self._try_again(text)
            return
        if not self._asked and self._lobby_trouble:
            text = self._lobby_trouble
        self._refused = f"{text} {advice(of, self.refusal)}".strip()
        if self.refusal is Refusal.NO_SUCH_GAME and self.party.list_games():
            self.network.call_later(_LIST_TIME, lambda: self._refuse(None))
        else:
            self._refuse(None)

    def _refuse(self, games: tuple[ListedGame, ...] | None) -> None:
        text = self._refused
        if games is not None:
            names = [repr(shown(one.game)) for one in games[:_NAMED]]
            more = " and others" if len(games) > _NAMED else ""
            text += (
                f" Games there are now: {', '.join(names)}{more}." if names else " There are no games now."
            )
        self.finish(FAILED, text)

    def party_gone(self, text: str) -> None:
        """A game goes on without the lobby."""
        self._lobby_gone = text
        if self.peer is not None:
            self.trouble(f"{text} The game goes on, but a lost connection cannot be mended any more.")
        else:
            self.finish(FAILED, text)

    # -- the host --------------------------------------------------------------------------------

    def peer_ready(self, peer: Peer) -> None:
        """The game can be played."""
        if self.ending:
            return
        if not self._settle(peer.traffic):
            self.finish(
                FAILED,
                f"The host's game speaks {peer.traffic.upper()}; "
                f"leave {_other(peer.traffic)}: out of what you listen at.",
            )
            return
        self.peer, self.played, self._give_up_at = peer, True, None
        self.tell(PeerHere(peer=peer.name, traffic=peer.traffic))
        if self.tcp is not None:
            self.tcp.begin(lambda side: _open(peer, side))
        if self.udp is not None:
            self.udp.begin(self.datagrams_to(peer))

    def peer_stream(self, peer: Peer, stream: PeerStream) -> StreamSide | None:  # noqa: ARG002
        """Hosts open none."""
        return None

    def peer_datagram(self, peer: Peer, data: bytes) -> None:
        """For the game."""
        if peer is self.peer and self.udp is not None and not self.ending:
            self.udp.from_peer(data)

    def peer_closed(self, peer: Peer, text: str) -> None:
        """Lost, or over: ask again, then we know."""
        if peer is not self.peer:
            return
        self.peer = None
        self.tell(PeerGone(peer=peer.name, reason=text, sent=self.tally.sent, received=self.tally.received))
        for door in (self.tcp, self.udp):
            if door is not None:
                door.interrupt()
        self._try_again(text)

    def _try_again(self, text: str) -> None:
        now = self.network.now()
        if self._give_up_at is None:
            self._give_up_at = now + self._rejoin
        if self.ending:
            return
        if self._lobby_gone or now >= self._give_up_at:
            self.finish(FAILED, f"The host is gone. {text}")
            return
        self.network.call_later(_REJOIN_PAUSE, self._join_again)

    def _join_again(self) -> None:
        if not self.ending and self.peer is None:
            self.refusal = None
            self.party.join(self.game)


def _open(peer: Peer, side: StreamSide) -> TunnelStream:
    try:
        return peer.open_stream(TCP_PURPOSE, side)
    except TunnelError as error:
        raise CannotError(str(error)) from error


def _at(place: Place, port: int) -> Place:
    return Place(place.traffic, place.address, port)


def _other(traffic: str) -> str:
    return "tcp" if traffic == Traffic.UDP else "udp"
