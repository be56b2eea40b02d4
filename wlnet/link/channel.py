"""One connection of the link without its socket: handshake, frames, signs of life, bounded sending."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Generic, Protocol, TypeVar

from wlnet.agenda import Agenda, Appointment
from wlnet.config.schema import Link
from wlnet.link.handshake import Handshake, HandshakeError, HandshakeProblem
from wlnet.link.messages import Alive, Message, MessageError, encode
from wlnet.link.wire import FrameError, FrameReader, FrameWriter, Role

M_contra = TypeVar("M_contra", contravariant=True)
M = TypeVar("M")


class Ending(Enum):
    """Why a channel ended; the value is for the log."""

    CONNECTION = "the connection ended"
    NOT_A_LINK = HandshakeProblem.NOT_A_LINK.value
    VERSION = HandshakeProblem.VERSION.value
    REFLECTED = HandshakeProblem.REFLECTED.value
    WRONG_SECRET = HandshakeProblem.WRONG_SECRET.value
    IMPATIENT = HandshakeProblem.IMPATIENT.value
    HANDSHAKE_TIME = "it did not prove the secret in time"
    SILENCE = "it was silent for too long"
    MALFORMED = "it sent something that is not part of the protocol of the link"
    QUEUE = "it does not read what is sent"
    REFUSED = "the lobby refused this relay"
    REPLACED = "the relay connected again"
    STOPPED = "this end stops"


class Pipe(Protocol):
    """The connection as the channel sees it."""

    def write(self, data: bytes) -> None:
        """Send, or queue to be sent."""

    def waiting(self) -> int:
        """Bytes queued here because the other end does not read."""

    def close(self) -> None:
        """Send what is queued (within a short time), then close."""

    def abort(self) -> None:
        """Close at once."""


class ChannelUser(Protocol[M_contra]):
    """Who gets the messages."""

    def ready(self) -> None:
        """Both ends have proven the secret; messages may be sent."""

    def received(self, message: M_contra) -> None:
        """A message came.

        :raises MessageError: it may not come now; the channel ends.
        """

    def ended(self, ending: Ending) -> None:
        """The channel is over; exactly once, also if it was never ready."""


class Channel(Generic[M]):
    """One end of a link connection.

    :param nonce: random bytes for the handshake, never used before.
    :param decode: reads a payload of the other end.
    """

    def __init__(
        self, role: Role, secret: bytes, nonce: bytes, agenda: Agenda, settings: Link, pipe: Pipe,
        decode: Callable[[bytes], M],
    ) -> None:  # fmt: skip
        self._role = role
        self._agenda = agenda
        self._settings = settings
        self._pipe = pipe
        self._decode = decode
        self._handshake = Handshake(role, secret, nonce)
        self._reader: FrameReader | None = None
        self._writer: FrameWriter | None = None
        self._user: ChannelUser[M] | None = None
        self._streams: deque[Iterator[Message]] = deque()
        self._over = False
        self._heard = self._spoke = agenda.now()
        self._timer: Appointment | None = None

    @property
    def ready(self) -> bool:
        """True while messages can be exchanged."""
        return self._writer is not None and not self._over

    def over(self) -> bool:
        """True once the channel has ended."""
        return self._over

    def start(self, user: ChannelUser[M]) -> None:
        """The connection is there."""
        self._user = user
        self._heard = self._agenda.now()
        self._timer = self._agenda.after(
            self._settings.handshake_timeout, lambda: self.end(Ending.HANDSHAKE_TIME)
        )
        greeting = self._handshake.start()
        if greeting:
            self._pipe.write(greeting)

    def receive(self, data: bytes) -> None:
        """Bytes came from the other end."""
        if self._over:
            return
        if self._reader is None:
            data = self._shake_hands(data)
        if self._reader is None:
            return
        try:
            payloads = self._reader.receive(data)
        except FrameError:
            self.end(Ending.MALFORMED)
            return
        if payloads:
            self._heard = self._agenda.now()
        for payload in payloads:
            if self.over():
                return
            self._deliver(payload)

    def send(self, message: Message) -> None:
        """Send one message; nothing if the channel is not ready.

        :raises wlnet.link.messages.UnsendableError: it cannot be written.
        """
        payload = encode(message)
        if self._writer is None or self._over:
            return
        self._pipe.write(self._writer.frame(payload))
        self._spoke = self._agenda.now()
        if self._pipe.waiting() > self._settings.queue_limit:
            self.end(Ending.QUEUE)

    def send_stream(self, messages: Iterator[Message]) -> None:
        """Send many messages, each when those before it are under way."""
        if self.ready:
            self._streams.append(messages)
            self.drained()

    def drained(self) -> None:
        """The pipe has room again."""
        while self._streams and self.ready and not self._pipe.waiting():
            message = next(self._streams[0], None)
            if message is None:
                self._streams.popleft()
            else:
                self.send(message)

    def end(self, ending: Ending) -> None:
        """Close, unless that has happened."""
        if self._over:
            return
        self._over = True
        self._streams.clear()
        if self._timer is not None:
            self._timer.cancel()
        if ending in (Ending.SILENCE, Ending.QUEUE, Ending.HANDSHAKE_TIME, Ending.MALFORMED):
            self._pipe.abort()
        elif ending is not Ending.CONNECTION:
            self._pipe.close()
        if self._user is not None:
            self._user.ended(ending)

    def _shake_hands(self, data: bytes) -> bytes:
        try:
            reply, rest = self._handshake.receive(data)
        except HandshakeError as error:
            if error.reply:
                self._pipe.write(error.reply)
            self.end(Ending[error.problem.name])
            return b""
        if reply:
            self._pipe.write(reply)
        key = self._handshake.session_key
        if key is None or self._over:
            return b""
        self._reader = FrameReader(self._role.other, key)
        self._writer = FrameWriter(self._role, key)
        if self._timer is not None:
            self._timer.cancel()
        self._heard = self._spoke = self._agenda.now()
        self._look_again()
        if self._user is not None:
            self._user.ready()
        return rest

    def _deliver(self, payload: bytes) -> None:
        try:
            message = self._decode(payload)
            if self._user is not None and not isinstance(message, Alive):
                self._user.received(message)
        except MessageError:
            self.end(Ending.MALFORMED)

    def _look_again(self) -> None:
        """Say that we live if we were quiet, and end if the other end was for too long."""
        now = self._agenda.now()
        if now - self._heard >= self._settings.dead_after:
            self.end(Ending.SILENCE)
            return
        if now - self._spoke >= self._settings.keepalive:
            self.send(Alive())
            if self.over():
                return
        when = min(self._heard + self._settings.dead_after, self._spoke + self._settings.keepalive)
        # Never at once: a keepalive of 0 seconds would otherwise spin.
        self._timer = self._agenda.at(max(when, now + 0.05), self._look_again)
