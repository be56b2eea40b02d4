"""Hosting: a game of this machine is listed, and each guest's streams and flows are led to it."""

from __future__ import annotations

from dataclasses import dataclass

from wlnet.client.forward.advice import advice
from wlnet.client.forward.forwarding import DONE, FAILED, Forwarding, Over
from wlnet.client.forward.host_tcp import TcpCalls
from wlnet.client.forward.host_udp import UdpCalls
from wlnet.client.forward.limits import ForwardLimits
from wlnet.client.forward.places import Target, Traffic
from wlnet.client.forward.players import TCP_PURPOSE, StreamSide
from wlnet.client.forward.reports import Hosting, PeerGone, PeerHere, Tell
from wlnet.client.forward.tally import Tally
from wlnet.client.net.network import Network
from wlnet.client.peer.peer import Peer
from wlnet.client.peer.streams import PeerStream


@dataclass(slots=True, eq=False)
class Guest:
    """One guest: what is carried for him."""

    peer: Peer
    tally: Tally
    tcp: TcpCalls | None
    udp: UdpCalls | None

    def close(self) -> None:
        """He is gone."""
        if self.tcp is not None:
            self.tcp.close()
        if self.udp is not None:
            self.udp.close()


class Host(Forwarding):
    """Hosts *game*, which runs at *target*.

    :ivar guests: who is there, by peer.
    """

    def __init__(
        self,
        network: Network,
        game: str,
        target: Target,
        tell: Tell,
        over: Over,
        limits: ForwardLimits | None = None,
        *,
        verbose: bool = False,
    ) -> None:
        super().__init__(network, game, tell, over, limits, verbose=verbose)
        self.target = target
        self.guests: dict[Peer, Guest] = {}
        self._end_when_empty = ""

    def begun(self) -> None:
        """List it."""
        self.party.host(self.game, self.target.traffic.value)

    def shut(self) -> None:
        """Hang up on the game."""
        for guest in self.guests.values():
            guest.close()

    def party_published(self, game: str) -> None:
        """Others may join."""
        self.tell(Hosting(game=game, traffic=self.target.traffic.value))

    def party_unpublished(self, game: str) -> None:  # noqa: ARG002
        """Not by us: we say so only at the end."""
        self.finish(DONE, "The lobby ended the game.")

    def party_refused(self, of: str, text: str) -> None:
        """It is not listed, or not again after the lobby was away."""
        self._closed_to_others(f"{text} {advice(of, self.refusal)}".strip())

    def party_gone(self, text: str) -> None:
        """Nobody can join any more."""
        self._closed_to_others(text)

    def _closed_to_others(self, text: str) -> None:
        """Who plays goes on."""
        self._end_when_empty = text
        if self.guests:
            self.trouble(f"{text} Nobody new can join; the game goes on with those who are there.")
        else:
            self.finish(FAILED, text)

    def peer_ready(self, peer: Peer) -> None:
        """A guest is there."""
        tally = Tally()
        guest = self.guests[peer] = Guest(peer, tally, None, None)
        if self.target.traffic is Traffic.TCP:
            guest.tcp = TcpCalls(self.network, self.target, tally, self.grumbling, self.limits)
        else:
            send = self.datagrams_to(peer)
            guest.udp = UdpCalls(self.network, self.target, send, tally, self.grumbling, self.limits)
        self.tell(PeerHere(peer=peer.name, traffic=self.target.traffic.value))

    def peer_stream(self, peer: Peer, stream: PeerStream) -> StreamSide | None:
        """A connection of the guest's game."""
        guest = self.guests.get(peer)
        if guest is None or guest.tcp is None or stream.purpose != TCP_PURPOSE or self.ending:
            return None
        return guest.tcp.opened(stream)

    def peer_datagram(self, peer: Peer, data: bytes) -> None:
        """A datagram of the guest's game."""
        guest = self.guests.get(peer)
        if guest is not None and guest.udp is not None:
            guest.udp.from_peer(data)

    def peer_closed(self, peer: Peer, text: str) -> None:
        """He is gone."""
        guest = self.guests.pop(peer, None)
        tally = guest.tally if guest is not None else Tally()
        if guest is not None:
            guest.close()
        self.tell(PeerGone(peer=peer.name, reason=text, sent=tally.sent, received=tally.received))
        if self._end_when_empty and not self.guests:
            self.finish(FAILED, self._end_when_empty)
