"""Connect to the first address of a host that answers: both families in turn, a quarter of a second apart.

RFC 8305 without its name resolution in pieces: the system gives all addresses at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from wlnet.client.net.network import Network, Stream, StreamEnd, StreamHandler, Timer, TlsOptions
from wlnet.protocols.stun.wire import Endpoint

STAGGER = 0.25
MAX_ADDRESSES = 8


class Unreachable(Struct, frozen=True):
    """None of the addresses answered.

    :ivar untrusted: one did, but with a certificate we cannot trust.
    """

    text: str
    untrusted: bool = False


def in_turn(addresses: Sequence[str]) -> list[str]:
    """Families in turn, beginning with that of the first address; bounded, each once."""
    unique = list(dict.fromkeys(addresses))
    first = [one for one in unique if (":" in one) == (":" in unique[0])]
    second = [one for one in unique if (":" in one) != (":" in unique[0])]
    mixed: list[str] = []
    while first or second:
        mixed += first[:1] + second[:1]
        del first[:1], second[:1]
    return mixed[:MAX_ADDRESSES]


class Dialing:
    """One attempt to connect; ends by exactly one call of *done*, unless cancelled.

    :param timeout: seconds in all.
    :param done: gets the stream, which goes on with *handler*, or why there is none.
    """

    def __init__(
        self,
        network: Network,
        addresses: Sequence[str],
        port: int,
        handler: StreamHandler,
        done: Callable[[Stream | Unreachable], None],
        *,
        tls: TlsOptions | None = None,
        timeout: float = 10.0,
    ) -> None:
        self._network = network
        self._left = in_turn(addresses)
        self._port = port
        self._handler = handler
        self._done = done
        self._tls = tls
        self._trials: list[_Trial] = []
        self._over = False
        self._failures: list[StreamEnd] = []
        self._timeout = network.call_later(timeout, self._too_late)
        self._next: Timer = network.call_later(0.0, self._start_next)

    def cancel(self) -> None:
        """Give it up; *done* is not called."""
        if self._over:
            return
        self._over = True
        self._timeout.cancel()
        self._next.cancel()
        for trial in self._trials:
            trial.abort()
        self._trials.clear()

    def _start_next(self) -> None:
        if self._over:
            return
        self._next.cancel()
        if not self._left:
            if not self._trials:
                self._fail()
            return
        address = self._left.pop(0)
        trial = _Trial(self, self._handler)
        try:
            trial.stream = self._network.connect(Endpoint(address, self._port), trial, tls=self._tls)
        except OSError as error:
            self._failures.append(StreamEnd(text=error.strerror or str(error)))
            self._next = self._network.call_later(0.0, self._start_next)
            return
        self._trials.append(trial)
        if self._left:
            self._next = self._network.call_later(STAGGER, self._start_next)

    def won(self, trial: _Trial) -> None:
        """*trial* is connected."""
        if self._over or trial.stream is None:
            return
        self._trials.remove(trial)
        self.cancel()
        self._done(trial.stream)

    def lost(self, trial: _Trial, end: StreamEnd) -> None:
        """*trial* failed: the next address is tried at once."""
        if self._over:
            return
        self._failures.append(end)
        self._trials.remove(trial)
        self._start_next()

    def _too_late(self) -> None:
        if not self._over:
            self._failures.append(StreamEnd(text="no answer in time"))
            self._fail()

    def _fail(self) -> None:
        self.cancel()
        untrusted = next((end for end in self._failures if end.untrusted), None)
        text = (untrusted or self._failures[-1]).text if self._failures else "the name has no addresses"
        self._done(Unreachable(text, untrusted is not None))


class _Trial:
    """A stream until it is connected; then it passes everything on to its owner."""

    def __init__(self, dialing: Dialing, handler: StreamHandler) -> None:
        self._dialing = dialing
        self._handler = handler
        self._won = False
        self.stream: Stream | None = None

    def abort(self) -> None:
        """Not needed any more."""
        if self.stream is not None:
            self.stream.abort()

    def connected(self, local: Endpoint) -> None:
        self._won = True
        self._dialing.won(self)
        self._handler.connected(local)

    def received(self, data: bytes) -> None:
        self._handler.received(data)

    def ended(self) -> None:
        self._handler.ended()

    def drained(self) -> None:
        self._handler.drained()

    def closed(self, end: StreamEnd) -> None:
        if self._won:
            self._handler.closed(end)
        else:
            self._dialing.lost(self, end)
