"""Our side of the relay of the pair: which leg is bound, and the messages of docs/protocols/pairs.md.

Every address of every leg is asked for a challenge, in the order and at the times of the plan; the first
that answers is bound and the others are left alone, since a BIND elsewhere would move the pair.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from msgspec.structs import replace

from wlnet.client.paths import limits
from wlnet.client.paths.frames import FrameError, Frames
from wlnet.client.paths.words import Close, OpenDatagram, OpenStream, RelayRefused, Transmit, Wish
from wlnet.protocols.pairs import wire
from wlnet.protocols.stun.wire import Endpoint
from wlnet.rendezvous.events import StepOrder
from wlnet.steering.model import Family, Technique, Transport

_FINAL = frozenset(
    {
        "VERSION",
        "BAD_TICKET",
        "UNKNOWN_KEY",
        "FORGED",
        "WRONG_SCOPE",
        "EXPIRED",
        "ENDED",
        "TAKEN",
        "BANNED",
        "PEER_CLOSED",
        "LIFETIME",
        "TRANSFER",
        "REVOKED",
    }
)
"""Words after which the same ticket is not shown again."""


class _Stage(Enum):
    WAITING = "waiting"
    OPENING = "opening"
    ASKING = "asking"
    BOUND = "bound"
    OVER = "over"


class _Leg:
    def __init__(self, step: StepOrder, target: Endpoint) -> None:
        self.step = step
        self.target = target
        self.stage = _Stage.OVER
        self.socket = 0
        self.next: float | None = None
        self.give_up = 0.0
        self.wait = 0.0
        self.cookie = wire.NO_COOKIE
        self.transaction = b""
        self.frames: Frames | None = None

    @property
    def stream(self) -> bool:
        return self.step.transport is Transport.TCP


class Relay:
    """All legs of one side.

    :param ticket: as bytes, not base64url.
    :param new_socket: gives a free socket number, or None if there are too many.
    :param say: takes what the owner of the sockets is to do.
    """

    def __init__(
        self,
        ticket: bytes,
        randbytes: Callable[[int], bytes],
        new_socket: Callable[[], int | None],
        transmit: Callable[[Transmit], None],
        wish: Callable[[Wish], None],
        refused: Callable[[RelayRefused], None],
    ) -> None:
        self._ticket = ticket
        self._former = b""
        self._randbytes = randbytes
        self._new_socket = new_socket
        self._transmit = transmit
        self._wish = wish
        self._refused = refused
        self._legs: list[_Leg] = []
        self._by_socket: dict[int, _Leg] = {}
        self._bound: _Leg | None = None
        self._handle = b""
        self._claim: tuple[_Leg, float] | None = None
        self._round = 0
        self._round_at: float | None = None
        self._stopped = False
        self._keepalive_at = 0.0
        self._quiet = limits.RELAY_KEEPALIVE
        self._misses = 0
        self._doubted_at: float | None = None
        self._echo = b""

    @property
    def step(self) -> StepOrder | None:
        """The step whose leg is bound, with the family of that leg."""
        return self._bound.step if self._bound is not None else None

    @property
    def hopeful(self) -> bool:
        """It is bound, or still tried."""
        return self._bound is not None or self._round_at is not None or self._trying()

    def _trying(self) -> bool:
        return any(leg.stage is not _Stage.OVER for leg in self._legs)

    def owns(self, socket: int) -> bool:
        """That socket is of a leg."""
        return socket in self._by_socket

    def add(self, step: StepOrder, now: float) -> None:
        """A leg of the plan. One that is known already keeps its step."""
        known = {(leg.step.technique, leg.target) for leg in self._legs}
        for target in step.order.targets[: limits.MAX_TARGETS]:
            place = Endpoint(target.address, target.port)
            if (step.technique, place) in known or len(self._legs) >= limits.MAX_TARGETS:
                continue
            leg = _Leg(replace(step, family=Family.V6 if ":" in place.host else Family.V4), place)
            self._legs.append(leg)
            if self._bound is None and not self._stopped and self._round_at is None:
                self._start(leg, now)

    def set_ticket(self, ticket: bytes, now: float) -> None:
        """Use a new ticket, at once if nothing is bound."""
        self._former, self._ticket = self._ticket, ticket
        self._stopped = False
        self._round = 0
        if self._bound is None and self._legs:
            self._round_at = now

    def send(self, payload: bytes) -> bool:
        """Pass *payload* to the peer; False if nothing is bound."""
        leg = self._bound
        if leg is None:
            return False
        self._put(leg, wire.data_head(self._handle) + payload)
        return True

    def doubt(self, now: float) -> None:
        """Nothing comes through: ask the relay at once whether it still knows us, but not again and again."""
        if self._doubted_at is not None and now < self._doubted_at + limits.RELAY_DOUBT:
            return
        if self._bound is not None and self._misses == 0:
            self._doubted_at = now
            self._keepalive_at = min(self._keepalive_at, now)

    def close(self) -> None:
        """Tell the relay that the pair is done with, and close all legs."""
        if self._bound is not None:
            self._put(self._bound, wire.encode_close(self._handle, "CLOSED"))
        self._stopped = True
        self._round_at = None
        for leg in self._legs:
            self._end(leg)
        self._bound = None

    # -- time ------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When :meth:`tick` is needed."""
        times = [leg.next for leg in self._legs if leg.next is not None]
        if self._bound is not None:
            times.append(self._keepalive_at)
        if self._round_at is not None:
            times.append(self._round_at)
        return min(times) if times else None

    def tick(self, now: float) -> None:
        """Do what is due."""
        if self._round_at is not None and now >= self._round_at:
            self._round_at = None
            for leg in self._legs:
                self._end(leg)
                self._start(leg, now)
        for leg in self._legs:
            if leg.next is not None and now >= leg.next:
                self._due(leg, now)
        if self._bound is not None and now >= self._keepalive_at:
            self._keepalive(self._bound, now)
        if self._bound is None and not self._trying():
            self._again(now)

    def _start(self, leg: _Leg, now: float) -> None:
        leg.stage = _Stage.WAITING
        leg.next = now + leg.step.order.start
        leg.give_up = leg.next + leg.step.deadline
        leg.wait = leg.step.order.repeat or limits.LONGEST_BIND_WAIT
        leg.cookie = wire.NO_COOKIE
        # One for all repetitions: they are often quicker than the answer.
        leg.transaction = self._randbytes(wire.TRANSACTION)

    def _due(self, leg: _Leg, now: float) -> None:
        if now >= leg.give_up:
            self._end(leg)
        elif leg.stage is _Stage.WAITING:
            self._open(leg, now)
        elif leg.stage is _Stage.ASKING:
            self._ask(leg, now)
        else:
            leg.next = leg.give_up if leg.stage is _Stage.OPENING else None

    def _open(self, leg: _Leg, now: float) -> None:
        socket = self._new_socket()
        if socket is None:
            self._end(leg)
            return
        leg.socket = socket
        self._by_socket[socket] = leg
        if leg.stream:
            leg.stage = _Stage.OPENING
            leg.next = leg.give_up
            leg.frames = Frames(wire.MAX_MESSAGE)
            tls = leg.step.technique is Technique.RELAY_TLS
            self._wish(OpenStream(socket, leg.target, tls=tls))
            return
        self._wish(OpenDatagram(socket, leg.step.family or Family.V4))
        leg.stage = _Stage.ASKING
        self._ask(leg, now)

    def _ask(self, leg: _Leg, now: float) -> None:
        """Send a BIND. Without a cookie, over UDP, it changes nothing, so all legs may."""
        if (leg.stream or leg.cookie != wire.NO_COOKIE) and not self._claims(leg, now):
            leg.next = now + limits.RELAY_CLAIM
            return
        bind = wire.encode_bind(wire.Bind(wire.VERSION, leg.transaction, leg.cookie, self._ticket))
        self._put(leg, bind)
        if leg.stream:  # it arrives, and a second one would be an error
            leg.next = leg.give_up
            return
        leg.next = now + leg.wait
        leg.wait = min(limits.LONGEST_BIND_WAIT, leg.wait * 1.5)

    def _claims(self, leg: _Leg, now: float) -> bool:
        """Only one leg at a time may become bound."""
        if self._claim is not None and self._claim[0] is not leg:
            if now < self._claim[1] + limits.RELAY_CLAIM:
                return False
            self._claim = None
        if self._claim is None:
            self._claim = (leg, now)
        return True

    def _keepalive(self, leg: _Leg, now: float) -> None:
        if self._misses >= limits.RELAY_MISSES:
            self._unbind(now)
            return
        self._misses += 1
        self._echo = self._randbytes(wire.ECHO)
        self._put(leg, wire.encode_keepalive(self._handle, self._echo))
        self._keepalive_at = now + limits.RELAY_ANSWER

    # -- sockets ---------------------------------------------------------------------------------

    def connected(self, socket: int, now: float) -> None:
        """A connection to the relay is there."""
        leg = self._by_socket[socket]
        if leg.stage is _Stage.OPENING:
            self._transmit(Transmit(socket, wire.PREAMBLE, leg.target))
            leg.stage = _Stage.ASKING
            self._ask(leg, now)

    def closed(self, socket: int, now: float) -> None:
        """A socket is gone."""
        leg = self._by_socket.pop(socket)
        leg.socket = 0
        if leg is self._bound:
            self._unbind(now)
        self._end(leg)
        if self._bound is None and not self._trying():
            self._again(now)

    def receive(self, socket: int, data: bytes, source: Endpoint, now: float) -> list[bytes]:
        """Bytes came to a leg; what the peer sent through it."""
        leg = self._by_socket[socket]
        if leg.frames is None:
            messages = [data] if source == leg.target else []
        else:
            try:
                messages = leg.frames.feed(data)
            except FrameError:
                self._wish(Close(socket))
                self.closed(socket, now)
                return []
        payloads: list[bytes] = []
        for message in messages:
            if message[:1] == b"\x2b" and leg is self._bound and message[1 : wire.DATA_HEAD] == self._handle:
                if len(message) > wire.DATA_HEAD:
                    payloads.append(message[wire.DATA_HEAD :])
            else:
                try:
                    self._message(leg, message, now)
                except wire.WireError:
                    continue
        return payloads

    def _message(self, leg: _Leg, message: bytes, now: float) -> None:
        kind = message[0] if message else 0
        if kind == wire.CHALLENGE and leg.stage is _Stage.ASKING and self._bound is None:
            transaction, cookie = wire.decode_challenge(message)
            if transaction == leg.transaction and cookie != leg.cookie:
                leg.cookie = cookie
                self._ask(leg, now)
        elif kind == wire.BOUND and leg.stage is _Stage.ASKING:
            bound = wire.decode_bound(message)
            if bound.transaction == leg.transaction:
                self._bind(leg, bound, now)
        elif kind == wire.ALIVE and leg is self._bound:
            handle, echo, _ = wire.decode_alive(message)
            if handle == self._handle and echo == self._echo:
                self._misses = self._round = 0
                self._keepalive_at = now + self._quiet
        elif kind == wire.CLOSE and leg is self._bound:
            handle, word = wire.decode_worded(wire.CLOSE, message)
            if handle == self._handle:
                self._refusal(word, now)
        elif kind == wire.ERROR:
            token, word = wire.decode_worded(wire.ERROR, message)
            if leg is self._bound and token == self._handle:
                self._unbind(now)
            elif leg.stage is _Stage.ASKING and token == leg.transaction:
                self._end(leg)
                self._refusal(word, now)

    def _bind(self, leg: _Leg, bound: wire.Bound, now: float) -> None:
        self._bound = leg
        self._handle = bound.handle
        self._misses = 0
        self._quiet = min(limits.RELAY_KEEPALIVE, max(1.0, bound.idle / 3))
        self._keepalive_at = now + self._quiet
        for other in self._legs:
            if other is not leg:
                self._end(other)
        leg.stage = _Stage.BOUND
        leg.next = None
        self._claim = None

    # -- ends ------------------------------------------------------------------------------------

    def _refusal(self, word: str, now: float) -> None:
        if word == "TAKEN" and self._former:
            # The relay still knows us by the ticket before; that one is good for moving.
            self._ticket, self._former = self._former, b""
            self._round_at = now
            return
        final = word in _FINAL
        self._refused(RelayRefused(word=word, final=final))
        if final:
            self._stopped = True
            for leg in self._legs:
                self._end(leg)
            self._bound = None
            self._round_at = None
        elif self._bound is not None:
            self._unbind(now)
        elif not self._trying():
            self._again(now)

    def _unbind(self, now: float) -> None:
        leg, self._bound = self._bound, None
        if leg is not None:
            self._end(leg)
        self._again(now)

    def _again(self, now: float) -> None:
        if self._stopped or self._round_at is not None or not self._legs:
            return
        if self._round >= len(limits.RELAY_ROUNDS):
            self._stopped = True
            return
        self._round_at = now + limits.RELAY_ROUNDS[self._round]
        self._round += 1

    def _end(self, leg: _Leg) -> None:
        leg.stage = _Stage.OVER
        leg.next = None
        leg.frames = None
        if self._claim is not None and self._claim[0] is leg:
            self._claim = None
        if leg.socket:
            del self._by_socket[leg.socket]
            self._wish(Close(leg.socket))
            leg.socket = 0

    def _put(self, leg: _Leg, message: bytes) -> None:
        data = wire.frame(message) if leg.stream else message
        self._transmit(Transmit(leg.socket, data, leg.target))
