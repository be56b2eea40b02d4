"""Another player: one tunnel, over the paths of one attempt after the other."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Protocol

from msgspec.structs import replace

from wlnet.client.net.network import Network, Timer
from wlnet.client.paths.path import Path
from wlnet.client.paths.words import Event as PathEvent
from wlnet.client.paths.words import MoveReason, PathChanged, PathLost
from wlnet.client.peer import sentences
from wlnet.client.peer.attempt import Attempt
from wlnet.client.peer.options import PartyOptions
from wlnet.client.peer.rejoin import Footing, Rejoin
from wlnet.client.peer.routes import Routes
from wlnet.client.peer.streams import PeerStream, StreamUser
from wlnet.client.peer.talk import Talk, TalkOwner
from wlnet.client.peer.words import PathGone, PathNews
from wlnet.client.tunnel.events import Closed, CloseReason
from wlnet.client.tunnel.identity import Identity
from wlnet.client.tunnel.tunnel import Tunnel
from wlnet.rendezvous.events import Ended, Granted, PlanPart
from wlnet.steering.model import PathKind, Side
from wlnet.steering.trace import EndReason

_HOPELESS = {
    Side.GUEST: frozenset(
        {EndReason.HOST_LEFT, EndReason.GUEST_LEFT, EndReason.NO_PATH, EndReason.GAME_ENDED}
    ),
    Side.HOST: frozenset({EndReason.GUEST_LEFT, EndReason.NO_PATH, EndReason.REPLACED, EndReason.GAME_ENDED}),
}
"""After these a tunnel that is not ready yet will not come about; a guest tries again with a new one."""
_TURNS = 8
"""Rounds of receiving and sending before others have their turn."""


class PeerUser(Protocol):
    """Who plays with a peer hears of it here."""

    def peer_ready(self, peer: Peer) -> None:
        """Both proved who they are: streams and datagrams may be sent. Said once."""

    def peer_path(self, peer: Peer, news: PathNews | PathGone) -> None:
        """Another path carries the game, or none does for now."""

    def peer_stream(self, peer: Peer, stream: PeerStream) -> StreamUser | None:
        """The other side opened a stream; None: it is broken off."""

    def peer_datagram(self, peer: Peer, data: bytes) -> None:
        """A datagram of the game, whole, once."""

    def peer_closed(self, peer: Peer, text: str) -> None:
        """It is over; said once, last."""


class _Life(Enum):
    LIVING = "living"
    LEAVING = "leaving"
    """The goodbye is under way."""
    OVER = "over"


class Peer(TalkOwner):
    """One other player.

    :param rejoin: asks the rendezvous for a new attempt; only for guests.
    :param over: called once everything is closed.
    :ivar name: of the other player, as the lobby says.
    :ivar game: what is played.
    :ivar side: ours.
    :ivar fingerprint: of the other's certificate.
    :ivar ready: streams and datagrams may be sent.
    :ivar was_ready: they could be sent at some time.
    :ivar path: what carries the game, if anything does.
    """

    def __init__(
        self,
        first: Attempt,
        identity: Identity,
        network: Network,
        options: PartyOptions,
        user: PeerUser,
        rejoin: Callable[[Peer], bool] | None,
        over: Callable[[Peer], None],
    ) -> None:
        begin = first.begin
        self.name = begin.peer
        self.game = begin.game
        self.traffic = begin.traffic
        self.side = begin.side
        self.fingerprint = begin.fingerprint
        self.identity = identity
        self.ready = False
        self.was_ready = False
        self.path: PathNews | None = None
        self.replaced_at: float | None = None
        self._network = network
        self._options = options
        self._user = user
        self._ask = rejoin
        self._over = over
        self._life = _Life.LIVING
        self._begun = network.now()
        self._routes = Routes(first)
        self._tunnel = Tunnel(
            begin.side, identity, begin.fingerprint, first.secret, self._begun, options.tunnel
        )
        self._rejoin = Rejoin(options.rejoin, self._begun)
        self._talk = Talk(self._tunnel, begin.side, self, self.touched)
        self._timer: Timer | None = None
        self._timer_at = 0.0
        self._flush_due: Timer | None = None
        self._flushing = False
        self._gone_at = 0.0
        self._playing = False
        self.touched()

    # -- for the user ----------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """It is over, or about to be."""
        return self._life is not _Life.LIVING

    @property
    def _is_over(self) -> bool:
        return self._life is _Life.OVER

    @property
    def datagrams_dropped(self) -> int:
        """Of ours, because too many waited."""
        return self._tunnel.datagrams_dropped

    def open_stream(self, purpose: int, user: StreamUser) -> PeerStream:
        """Open a stream.

        :param purpose: 0 to 254, told to the other side.
        :raises TunnelError: the tunnel is not ready, or too many are open.
        :raises ValueError: that is no purpose.
        """
        return self._talk.open_stream(purpose, user)

    def send_datagram(self, data: bytes) -> None:
        """Send a datagram of the game: it arrives once, in no order.

        :raises TunnelError: the tunnel is not ready.
        :raises ValueError: it is longer than 64 KiB.
        """
        self._tunnel.send_datagram(data)
        self.touched()

    def close(self, text: str = "") -> None:
        """Say goodbye and close; ``peer_closed`` follows."""
        if self._life is _Life.LIVING:
            self._tunnel.close(text, self._network.now())
            self.touched()

    # -- for the party ---------------------------------------------------------------------------

    @property
    def attempts(self) -> tuple[int, ...]:
        """Their numbers."""
        return tuple(attempt.number for attempt in self._routes)

    @property
    def known_attempts(self) -> tuple[int, ...]:
        """Those the lobby remembers."""
        return tuple(attempt.number for attempt in self._routes if attempt.known)

    def add(self, attempt: Attempt) -> None:
        """A new attempt with the same player: its paths come under the same tunnel."""
        self._routes.add(attempt)
        if self._playing:
            attempt.playing()
        self.replaced_at = None
        self.touched()

    def planned(self, part: PlanPart) -> None:
        """See :meth:`Attempt.plan`."""
        attempt = self._routes.find(part.attempt)
        if attempt is not None:
            attempt.plan(part)

    def granted(self, granted: Granted) -> None:
        """A new ticket for the relay."""
        attempt = self._routes.find(granted.attempt)
        if attempt is not None:
            attempt.granted(granted.relay)

    def ended(self, ended: Ended) -> None:
        """The lobby steers an attempt no more; paths go on, except with players who were removed."""
        attempt = self._routes.find(ended.attempt)
        if attempt is None:
            return
        reason = ended.reason
        attempt.ended(forgotten=reason in (EndReason.REPLACED, EndReason.REMOVED))
        if reason is EndReason.REPLACED:
            self.replaced_at = self._network.now()
        if reason is EndReason.REMOVED:
            self._rejoin.possible = False
            self.close("one of us was removed from the lobby")
        elif not self.was_ready and reason in _HOPELESS[self.side]:
            self.stop(ended.text)
        elif attempt is self._routes.newest and reason is EndReason.CONNECTED:
            self._rejoin.tried()
        elif attempt is self._routes.newest and reason is not EndReason.REPLACED:  # the next one begins
            self._rejoin.failed(self._network.now())
        self.touched()

    def refused(self, *, final: bool) -> None:
        """A join was refused. *final*: the game is not there; it may come back with its host."""
        if final:
            self._rejoin.tried()
        self._rejoin.failed(self._network.now())
        self.touched()

    def link_lost(self) -> None:
        """The lobby is gone, and with it its memory of our attempts."""
        self._rejoin.lobby_lost(self._network.now(), under_way=self._routes.newest.steered)
        for attempt in self._routes:
            attempt.ended(forgotten=True)

    def link_back(self) -> None:
        """There is a lobby again."""
        self._rejoin.lobby_back()
        for attempt in self._routes:
            attempt.link_back()
        self.touched()

    def network_changed(self) -> None:
        """Our addresses are others now."""
        self._rejoin.network_changed(self._network.now())
        self.touched()

    def stop(self, text: str) -> None:
        """Close at once, without waiting for anything."""
        self._finish(text)

    # -- the turn of things ----------------------------------------------------------------------

    def touched(self) -> None:
        """Something happened: look at everything once the network's callbacks had their turn."""
        if self._flush_due is None and not self._flushing and not self._is_over:
            self._flush_due = self._network.call_later(0.0, self._due)

    def _due(self) -> None:
        self._flush_due = None
        self._flush()

    def _tick(self) -> None:
        self._timer = None
        if self._is_over:
            return
        now = self._network.now()
        for attempt in self._routes:
            deadline = attempt.paths.next_deadline()
            if deadline is not None and now >= deadline:
                attempt.paths.tick(now)
                attempt.sockets.flush()
        deadline = self._tunnel.next_deadline()
        if deadline is not None and now >= deadline:
            self._tunnel.tick(now)
        self._flush()

    def _flush(self) -> None:
        """Everything that came goes up, everything that is to go goes down; then the next appointment."""
        if self._flushing or self._is_over:
            return
        self._flushing = again = True
        try:
            for _ in range(_TURNS):
                again = self._turn(self._network.now())
                if not again:
                    break
        except BaseException:
            self._flushing = False
            self.touched()  # a user's mistake stops nothing but itself
            raise
        self._flushing = False
        self._look(self._network.now())
        if again:
            self.touched()
        self._appoint(self._network.now())

    def _turn(self, now: float) -> bool:
        if self._is_over:
            return False
        for attempt in self._routes:
            for payload in attempt.paths.delivered():
                self._tunnel.receive(payload, now)
            for event in attempt.paths.events():
                self._path_event(attempt, event, now)
        self._choose(now)
        told = self._talk.take()
        packets = self._tunnel.transmits(now)
        paths = self._routes.carrier.paths
        for packet in packets:
            paths.send(packet, now)
        for attempt in self._routes:
            attempt.sockets.flush()
        return told or self._talk.take()

    def _appoint(self, now: float) -> None:
        if self._is_over:
            return
        times = [at for at in (self._tunnel.next_deadline(), *self._own_deadlines()) if at is not None]
        times += [at for one in self._routes if (at := one.paths.next_deadline()) is not None]
        if not times:
            return
        at = min(times)
        if self._timer is not None:
            if self._timer_at <= at:
                return  # it comes no later, and looks then
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._network.call_later(max(0.0, at - now), self._tick)

    def _own_deadlines(self) -> tuple[float | None, ...]:
        leaving = self._gone_at if self._life is _Life.LEAVING else None
        return leaving, self._routes.deadline(), self._rejoin.due_at() if self._may_ask else None

    @property
    def _may_ask(self) -> bool:
        return self._ask is not None and self._life is _Life.LIVING

    def _look(self, now: float) -> None:
        if self._life is _Life.LEAVING and now >= self._gone_at:
            self._finish("")
            return
        self._routes.tidy(now)
        due = self._rejoin.due_at() if self._may_ask else None
        if due is not None and now >= due and self._ask is not None:
            if self._ask(self):
                self._rejoin.asked(now)
            else:
                self._rejoin.lobby_lost(now, under_way=False)

    # -- paths -----------------------------------------------------------------------------------

    def _path_event(self, attempt: Attempt, event: PathEvent, now: float) -> None:
        attempt.happened(event)
        if attempt is not self._routes.carrier:
            return
        match event:
            case PathChanged():
                self._moved(attempt, event, now)
            case PathLost(current=True) if attempt.paths.current is None:
                self._lost(now)
            case _:
                pass

    def _choose(self, now: float) -> None:
        if self._routes.choose(now):
            current = self._routes.carrier.paths.current
            if current is not None:
                self._tunnel.path_changed(now, resend=True)
                self._announce(self._routes.carrier, current, MoveReason.BETTER, now)

    def _moved(self, attempt: Attempt, event: PathChanged, now: float) -> None:
        still = event.reason in (MoveReason.BETTER, MoveReason.PEER) and self.path is not None
        self._tunnel.path_changed(now, resend=not still)
        current = attempt.paths.current
        if current is not None:
            self._announce(attempt, current, event.reason, now)

    def _announce(self, attempt: Attempt, path: Path, moved: MoveReason, now: float) -> None:
        step = path.step
        relayed = step.kind is PathKind.RELAYED
        self._rejoin.stands(Footing.RELAYED if relayed else Footing.DIRECT, now)
        self.path = PathNews(
            kind=step.kind,
            technique=step.technique,
            transport=step.transport,
            family=step.family,
            rtt=path.rtt or 0.0,
            setup=now - attempt.begun,
            moved=moved,
            reason=sentences.about_path(moved, step.kind, attempt.reason(step.number)),
        )
        if self.ready:
            self._user.peer_path(self, self.path)

    def _lost(self, now: float) -> None:
        self.path = None
        self._rejoin.stands(Footing.NOTHING, now)
        if self.ready:
            self._user.peer_path(self, PathGone(reason=sentences.NOTHING))

    # -- the tunnel ------------------------------------------------------------------------------

    def proven(self) -> None:
        """See :class:`~wlnet.client.peer.talk.TalkOwner`, here and below."""
        self.ready = self.was_ready = True
        self._user.peer_ready(self)
        if self.path is not None and not self.closed:
            self.path = replace(self.path, setup=self._network.now() - self._routes.carrier.begun)
            self._user.peer_path(self, self.path)

    def heard(self) -> None:
        """Only the other player can have sent that: from now on a path counts."""
        if not self._playing:
            self._playing = True
            for attempt in self._routes:
                attempt.playing()

    def opened(self, stream: PeerStream) -> StreamUser | None:
        """Pass it on."""
        return self._user.peer_stream(self, stream)

    def datagram(self, data: bytes) -> None:
        """Pass it on."""
        self._user.peer_datagram(self, data)

    # -- the end ---------------------------------------------------------------------------------

    def tunnel_ended(self, closed: Closed) -> None:
        """It is over; our goodbye is repeated for a moment to who goes on sending."""
        if self._life is not _Life.LIVING:
            return
        self._life = _Life.LEAVING
        told = closed.reason in (CloseReason.THERE, CloseReason.REFUSED_BY_PEER, CloseReason.SILENCE)
        self._gone_at = self._network.now() + (0.0 if told else self._options.farewell)
        self._say_over(sentences.about_end(closed))

    def _say_over(self, text: str) -> None:
        self.ready = False
        self._talk.break_off(text)
        self._user.peer_closed(self, text)

    def _finish(self, text: str) -> None:
        if self._is_over:
            return
        living, self._life = self._life is _Life.LIVING, _Life.OVER
        for timer in (self._timer, self._flush_due):
            if timer is not None:
                timer.cancel()
        self._timer = self._flush_due = None
        self._routes.close()
        if living:
            self._say_over(text)
        self._over(self)
