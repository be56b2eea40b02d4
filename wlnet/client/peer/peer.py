"""Another player: one tunnel, over the paths of one attempt after the other."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Protocol

from msgspec.structs import replace

from wlnet.client.net.network import Network, Timer
from wlnet.client.paths.words import Event as PathEvent
from wlnet.client.paths.words import MoveReason, PathChanged, PathLost
from wlnet.client.peer.attempt import Attempt
from wlnet.client.peer.options import PartyOptions
from wlnet.client.peer.rejoin import Footing, Rejoin
from wlnet.client.peer.streams import PeerStream, StreamUser
from wlnet.client.peer.words import PathGone, PathNews
from wlnet.client.tunnel.events import (
    Closed,
    CloseReason,
    DatagramReceived,
    Ready,
    StreamData,
    StreamEnded,
    StreamOpened,
    StreamWasReset,
    StreamWritable,
)
from wlnet.client.tunnel.identity import Identity
from wlnet.client.tunnel.tunnel import Tunnel, TunnelError
from wlnet.rendezvous.events import Ended, Granted, PlanPart
from wlnet.steering.model import PathKind, Side
from wlnet.steering.trace import EndReason

GREETING = 255
"""Purpose of the stream on which both say that they are there; not for games."""
_HELLO = b"wlnet 1\n"
_MAX_ATTEMPTS = 2
_OVERLAP = 2.0
"""Both attempts are kept for so long after the new one carries the game."""
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


class Peer:
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
        self._attempts = [first]
        self._carrier: Attempt = first
        self._carried_at: float | None = None
        self._tunnel = Tunnel(
            begin.side, identity, begin.fingerprint, first.secret, self._begun, options.tunnel
        )
        self._rejoin = Rejoin(options.rejoin, self._begun)
        self._streams: dict[int, PeerStream] = {}
        self._greetings: dict[int, int] = {}
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
        """
        if not 0 <= purpose < GREETING:
            raise ValueError("a purpose is a number from 0 to 254")
        number = self._tunnel.open_stream(purpose)
        stream = self._streams[number] = PeerStream(self._tunnel, number, purpose, self.touched)
        stream.user = user
        self.touched()
        return stream

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
        return tuple(attempt.number for attempt in self._attempts)

    @property
    def known_attempts(self) -> tuple[int, ...]:
        """Those the lobby remembers."""
        return tuple(attempt.number for attempt in self._attempts if attempt.known)

    def add(self, attempt: Attempt) -> None:
        """A new attempt with the same player: its paths come under the same tunnel."""
        while len(self._attempts) >= _MAX_ATTEMPTS:
            idle = [one for one in self._attempts if one is not self._carrier]
            self._drop(idle[0] if idle else self._attempts[0])
        self._attempts.append(attempt)
        if self._carrier not in self._attempts:
            self._carrier = attempt
        if self._playing:
            attempt.playing()
        self.replaced_at = None
        self._carried_at = None
        self.touched()

    def planned(self, part: PlanPart) -> None:
        """See :meth:`Attempt.plan`."""
        attempt = self._attempt(part.attempt)
        if attempt is not None:
            attempt.plan(part)

    def granted(self, granted: Granted) -> None:
        """A new ticket for the relay."""
        attempt = self._attempt(granted.attempt)
        if attempt is not None:
            attempt.granted(granted.relay)

    def ended(self, ended: Ended) -> None:
        """The lobby steers an attempt no more; paths go on, except with players who were removed."""
        attempt = self._attempt(ended.attempt)
        if attempt is None:
            return
        reason = ended.reason
        attempt.ended(forgotten=reason in (EndReason.REPLACED, EndReason.REMOVED))
        if reason is EndReason.REPLACED:
            self.replaced_at = self._network.now()
        if reason in (EndReason.REMOVED, EndReason.GAME_ENDED):
            self._rejoin.possible = False
        if reason is EndReason.REMOVED:
            self.close("one of us was removed from the lobby")
        elif not self.was_ready and reason in _HOPELESS[self.side]:
            self.stop(ended.text)
        elif attempt is self._attempts[-1] and reason is EndReason.CONNECTED:
            self._rejoin.tried()
        elif attempt is self._attempts[-1]:
            self._rejoin.failed(self._network.now())
        self.touched()

    def refused(self, *, final: bool) -> None:
        """A join was refused. *final*: another one would be, too."""
        if final:
            self._rejoin.possible = False
        else:
            self._rejoin.failed(self._network.now())
        self.touched()

    def link_lost(self) -> None:
        """The lobby is gone, and with it its memory of our attempts."""
        self._rejoin.lobby = False
        if self._attempts[-1].steered:
            self._rejoin.failed(self._network.now())
        for attempt in self._attempts:
            attempt.ended(forgotten=True)

    def link_back(self) -> None:
        """There is a lobby again."""
        self._rejoin.lobby = True
        for attempt in self._attempts:
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
        for attempt in self._attempts:
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
        self._flushing = True
        again = False
        try:
            for _ in range(_TURNS):
                again = self._turn(self._network.now())
                if not again:
                    break
        finally:
            self._flushing = False
        self._look(self._network.now())
        if again:
            self.touched()
        self._appoint(self._network.now())

    def _turn(self, now: float) -> bool:
        if self._is_over:
            return False
        for attempt in tuple(self._attempts):
            for payload in attempt.paths.delivered():
                self._tunnel.receive(payload, now)
            for event in attempt.paths.events():
                self._path_event(attempt, event, now)
        self._choose(now)
        told = self._tunnel_events()
        packets = self._tunnel.transmits(now)
        paths = self._carrier.paths
        for packet in packets:
            paths.send(packet, now)
        for attempt in self._attempts:
            attempt.sockets.flush()
        return told or self._tunnel_events()

    def _appoint(self, now: float) -> None:
        if self._is_over:
            return
        times = [at for at in (self._tunnel.next_deadline(), *self._own_deadlines()) if at is not None]
        times += [at for one in self._attempts if (at := one.paths.next_deadline()) is not None]
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
        overlap = self._carried_at + _OVERLAP if self._carried_at is not None else None
        return leaving, overlap, self._rejoin.due_at() if self._may_ask else None

    @property
    def _may_ask(self) -> bool:
        return self._ask is not None and self._life is _Life.LIVING

    def _look(self, now: float) -> None:
        if self._life is _Life.LEAVING and now >= self._gone_at:
            self._finish("")
            return
        if self._carried_at is not None and now >= self._carried_at + _OVERLAP:
            self._carried_at = None
            for attempt in tuple(self._attempts):
                if attempt is not self._carrier:
                    self._drop(attempt)
        due = self._rejoin.due_at() if self._may_ask else None
        if due is not None and now >= due and self._ask is not None:
            if self._ask(self):
                self._rejoin.asked(now)
            else:
                self._rejoin.lobby = False

    # -- paths -----------------------------------------------------------------------------------

    def _path_event(self, attempt: Attempt, event: PathEvent, now: float) -> None:
        attempt.happened(event)
        if attempt is not self._carrier:
            return
        match event:
            case PathChanged():
                self._moved(attempt, event, now)
            case PathLost(current=True) if attempt.paths.current is None:
                self._lost(now)
            case _:
                pass

    def _choose(self, now: float) -> None:
        """Which attempt's paths carry the tunnel: the newest that has one, unless an older one is better."""
        newest = self._attempts[-1]
        usable = [(kind, one) for one in reversed(self._attempts) if (kind := one.kind) is not None]
        if usable:
            best = min(usable, key=lambda pair: _KINDS.index(pair[0]))[1]
        else:
            # Packets may already pass the bound relay of the newest one.
            best = newest if self._carrier.paths.current is None else self._carrier
        if best is not self._carrier:
            self._carrier = best
            current = best.paths.current
            if current is not None:
                self._tunnel.path_changed(now, resend=True)
                self._announce(best, MoveReason.BETTER, now)
        if (
            len(self._attempts) > 1
            and self._carrier is newest
            and newest.connected
            and self._carried_at is None
        ):
            self._carried_at = now

    def _moved(self, attempt: Attempt, event: PathChanged, now: float) -> None:
        still = event.reason in (MoveReason.BETTER, MoveReason.PEER) and self.path is not None
        self._tunnel.path_changed(now, resend=not still)
        self._announce(attempt, event.reason, now)

    def _announce(self, attempt: Attempt, moved: MoveReason, now: float) -> None:
        current = attempt.paths.current
        if current is None:
            return
        step = current.step
        relayed = step.kind is PathKind.RELAYED
        self._rejoin.stands(Footing.RELAYED if relayed else Footing.DIRECT, now)
        news = PathNews(
            kind=step.kind,
            technique=step.technique,
            transport=step.transport,
            family=step.family,
            rtt=current.rtt or 0.0,
            setup=now - attempt.begun,
            moved=moved,
            reason=_sentence(moved, step.kind, attempt.reason(step.number)),
        )
        self.path = news
        if self.ready:
            self._user.peer_path(self, news)

    def _lost(self, now: float) -> None:
        self.path = None
        self._rejoin.stands(Footing.NOTHING, now)
        if self.ready:
            self._user.peer_path(
                self, PathGone(reason="Nothing comes through any more; trying to reconnect.")
            )

    def _attempt(self, number: int) -> Attempt | None:
        known = (one for one in self._attempts if one.number == number and one.known)
        return next(known, None)

    def _drop(self, attempt: Attempt) -> None:
        self._attempts.remove(attempt)
        attempt.close()

    # -- the tunnel ------------------------------------------------------------------------------

    def _tunnel_events(self) -> bool:
        events = self._tunnel.events()
        for event in events:
            if self._is_over:
                return False
            match event:
                case Ready():
                    self._greet()
                case StreamOpened(stream=number, purpose=purpose):
                    self._opened(number, purpose)
                case StreamData(stream=number, data=data):
                    self._data(number, data)
                case DatagramReceived(data=data):
                    self._play()
                    self._user.peer_datagram(self, data)
                case Closed():
                    self._tunnel_closed(event)
                case _:
                    self._stream_event(event)
        return bool(events)

    def _greet(self) -> None:
        """Both are who they should be. Each says so on a stream: what comes now is the game's own traffic."""
        if self.side is Side.GUEST:
            try:
                number = self._tunnel.open_stream(GREETING)
                self._tunnel.send_stream(number, _HELLO, end=True)
            except TunnelError:
                return
            self._greetings[number] = 0
        self._become_ready()

    def _become_ready(self) -> None:
        self.ready = self.was_ready = True
        self._user.peer_ready(self)
        if self.path is not None and not self.closed:
            self.path = replace(self.path, setup=self._network.now() - self._carrier.begun)
            self._user.peer_path(self, self.path)

    def _opened(self, number: int, purpose: int) -> None:
        if purpose == GREETING:
            if self._greetings:  # one is enough
                self._tunnel.reset_stream(number)
                return
            self._greetings[number] = 0
            try:
                self._tunnel.send_stream(number, _HELLO, end=True)
            except TunnelError:
                pass  # broken off again already
            return
        stream = PeerStream(self._tunnel, number, purpose, self.touched)
        self._streams[number] = stream
        user = self._user.peer_stream(self, stream)
        if user is None:
            del self._streams[number]
            stream.reset()
        else:
            stream.user = user

    def _data(self, number: int, data: bytes) -> None:
        stream = self._streams.get(number)
        if number in self._greetings:
            self._tunnel.consumed(number, len(data))
            self._greetings[number] += len(data)
            if self._greetings[number] > len(_HELLO):
                self._tunnel.reset_stream(number)
        elif stream is not None and stream.receiving:
            stream.user.received(data)
        self._play()

    def _play(self) -> None:
        """Bytes that only the other player can have sent within the tunnel: from now on a path counts."""
        if not self._playing:
            self._playing = True
            for attempt in self._attempts:
                attempt.playing()

    def _stream_event(self, event: object) -> None:
        match event:
            case StreamEnded(stream=number):
                stream = self._streams.get(number)
                if stream is not None:
                    stream.receiving = False
                    stream.user.ended()
            case StreamWasReset(stream=number):
                stream = self._streams.pop(number, None)
                if stream is not None:
                    stream.over("The other side broke it off.")
            case StreamWritable(stream=number):
                stream = self._streams.get(number)
                if stream is not None:
                    stream.user.writable()
            case _:
                pass
        self._sweep()

    def _sweep(self) -> None:
        for number, stream in list(self._streams.items()):
            if not stream.receiving and not stream.sending:
                del self._streams[number]

    # -- the end ---------------------------------------------------------------------------------

    def _tunnel_closed(self, closed: Closed) -> None:
        if self._life is not _Life.LIVING:
            return
        self._life = _Life.LEAVING
        # Our goodbye is repeated for a moment to who goes on sending.
        told = closed.reason in (CloseReason.THERE, CloseReason.REFUSED_BY_PEER, CloseReason.SILENCE)
        self._gone_at = self._network.now() + (0.0 if told else self._options.farewell)
        text = _ending(closed)
        for stream in list(self._streams.values()):
            stream.over(text)
        self._streams.clear()
        self.ready = False
        self._user.peer_closed(self, text)

    def _finish(self, text: str) -> None:
        if self._is_over:
            return
        living, self._life = self._life is _Life.LIVING, _Life.OVER
        for timer in (self._timer, self._flush_due):
            if timer is not None:
                timer.cancel()
        self._timer = self._flush_due = None
        for attempt in self._attempts:
            attempt.close()
        if living:
            self.ready = False
            for stream in list(self._streams.values()):
                stream.over(text)
            self._streams.clear()
            self._user.peer_closed(self, text)
        self._over(self)


_KINDS = tuple(PathKind)


_CARRIERS = {
    PathKind.DIRECT: "The game goes directly to the other player.",
    PathKind.MAPPED: "The game goes through a port the router opened.",
    PathKind.PUNCHED: "The game goes directly, through both routers.",
    PathKind.RELAYED: "The game goes through the relay.",
}


def _sentence(moved: MoveReason, kind: PathKind, why: str) -> str:
    carrier = _CARRIERS[kind]
    if moved is MoveReason.LOST:
        return f"The path before was lost. {carrier}"
    return f"{carrier} {why}".strip()


_ENDINGS = {
    CloseReason.HERE: "You ended it",
    CloseReason.THERE: "The other player ended it",
    CloseReason.SILENCE: "The connection is lost",
    CloseReason.HANDSHAKE_TIME: "No connection came about",
    CloseReason.WRONG_PEER: "This is not the player the lobby named",
    CloseReason.REFUSED_BY_PEER: "The other player refused",
    CloseReason.BROKEN_PEER: "The other player's program misbehaved",
}


def _ending(closed: Closed) -> str:
    words = _ENDINGS[closed.reason]
    return f"{words}: {closed.text}." if closed.text else f"{words}."
