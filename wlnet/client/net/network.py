"""What a client needs of the world: a clock, timers, sockets, names. Everything above calls only this.

There is one implementation of sockets (non-blocking, :mod:`wlnet.client.net.shell_sockets`) on two event
loops, and a simulated one for tests. Callbacks never run inside the call that asked for them, so callers need
not expect to be re-entered. A closed socket or listener and an aborted stream call nothing any more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from msgspec import Struct

from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Family

T = TypeVar("T")


class Timer(Protocol):
    """A call that is due later."""

    def cancel(self) -> None:
        """Not any more; without effect if it was made or cancelled."""


class StreamEnd(Struct, frozen=True):
    """Why a stream is over.

    :ivar reset: refused or reset by the other end (or somebody in its name).
    :ivar text: a few words for people; empty if both sides had simply finished.
    :ivar untrusted: TLS: the other end's certificate is not one to trust, and trying again will not help.
    """

    reset: bool = False
    text: str = ""
    untrusted: bool = False


class TlsOptions(Struct, frozen=True):
    """TLS as a client.

    :ivar name: the host name (or IP literal) the certificate is checked against, and SNI.
    :ivar ca_file: PEM file of authorities to trust instead of the system's.
    """

    name: str
    ca_file: str | None = None


class DatagramSocket(Protocol):
    """A UDP socket."""

    @property
    def local(self) -> Endpoint:
        """Where it is bound."""

    def send(self, data: bytes, destination: Endpoint, hops: int | None = None) -> bool:
        """Send it, with that TTL (hop limit) if given.

        :returns: False if the system would not take it: dropped, like any datagram may be.
        """

    def close(self) -> None:
        """Close it at once."""


class StreamHandler(Protocol):
    """Who owns a stream hears of it here."""

    def connected(self, local: Endpoint) -> None:
        """It is connected, TLS included. Not called for accepted streams."""

    def received(self, data: bytes) -> None:
        """Bytes arrived, never empty."""

    def ended(self) -> None:
        """The other side sends nothing more (FIN); we still may."""

    def drained(self) -> None:
        """What had to wait was handed to the system; called after :attr:`Stream.waiting` was not 0."""

    def closed(self, end: StreamEnd) -> None:
        """It is over, or the connect failed; said once, last. Not said after our own ``abort``."""


class Stream(Protocol):
    """A TCP connection, perhaps with TLS inside."""

    @property
    def local(self) -> Endpoint:
        """Our end."""

    @property
    def remote(self) -> Endpoint:
        """Their end."""

    @property
    def waiting(self) -> int:
        """Bytes written that the system has not taken yet. Who writes bounds it."""

    def write(self, data: bytes) -> None:
        """Send it in order; ignored once ended."""

    def pause(self) -> None:
        """Read nothing more for now."""

    def resume(self) -> None:
        """Read again."""

    def end(self) -> None:
        """Send what waits, then say that nothing more comes (FIN)."""

    def close(self) -> None:
        """Send what waits, then close both ways; once that is done ``closed`` is said, and nothing else."""

    def abort(self) -> None:
        """Close at once, with RST if the system can; nothing is called any more."""


class Listener(Protocol):
    """A listening TCP socket."""

    @property
    def local(self) -> Endpoint:
        """Where it is bound."""

    def close(self) -> None:
        """Listen no more; accepted streams live on."""


Received = Callable[[bytes, Endpoint], None]
Accepted = Callable[[Stream], "StreamHandler | None"]
"""Takes an accepted stream (``remote`` says whose); None: it is aborted."""


class Network(Protocol):
    """The world of a client. ``OSError`` is raised at once by what cannot be opened or bound."""

    def now(self) -> float:
        """Seconds, never going back."""

    def wall(self) -> float:
        """Unix seconds."""

    def random_bytes(self, count: int) -> bytes:
        """So many bytes nobody can guess."""

    def call_later(self, delay: float, call: Callable[[], None]) -> Timer:
        """Call it after *delay* seconds (0: as soon as everything else had its turn)."""

    def open_datagram(
        self, family: Family, received: Received, *, address: str = "", port: int = 0, reuse: bool = False
    ) -> DatagramSocket:
        """Bind a UDP socket; IPv6 sockets are IPv6 only.

        :param address: IP literal; empty: all of the family.
        :param reuse: SO_REUSEADDR and, where it exists, SO_REUSEPORT before bind.
        :raises OSError: it cannot be bound.
        """

    def connect(
        self,
        destination: Endpoint,
        handler: StreamHandler,
        *,
        port: int = 0,
        reuse: bool = False,
        tls: TlsOptions | None = None,
    ) -> Stream:
        """Connect to an IP literal; :attr:`Stream.local` has the local port at once.

        Every failure is told by ``closed``, only a local port that cannot be had is raised.

        :param port: local port; 0: any.
        :raises OSError: it cannot be bound.
        """

    def listen(
        self, family: Family, accepted: Accepted, *, address: str = "", port: int = 0, reuse: bool = False
    ) -> Listener:
        """Listen.

        :raises OSError: it cannot be bound.
        """

    def resolve(self, host: str, done: Callable[[tuple[str, ...] | OSError], None]) -> None:
        """Addresses of *host*, IP literals, in the order the system prefers; a literal gives itself."""

    def interfaces(self) -> tuple[str, ...]:
        """Our own IP literals without loopback and link-local ones; empty: the system does not say."""

    def source_for(self, destination: Endpoint) -> str | None:
        """Which of our own addresses packets to *destination* would come from; None: no route."""

    def in_thread(self, work: Callable[[], T], done: Callable[[T | Exception], None]) -> None:
        """Do what blocks (reading a routing table, say) elsewhere and come back with its result."""
