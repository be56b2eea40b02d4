"""Asks a lobby, on a connection of its own and before login, whether it has the exchange.

A lobby that does not know the question ends that connection, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from wlnet.client.lobby.dialing import Dialing, Unreachable
from wlnet.client.net.network import Network, Stream, StreamEnd, Timer, TlsOptions
from wlnet.protocols.exchange.messages import VERSION
from wlnet.protocols.metaserver.wire import encode
from wlnet.protocols.stun.wire import Endpoint

_ANSWER = encode("WLNET")


class Question:
    """Begins when it is made, ends by one call of *done*.

    :param done: told True, False, or a sentence why the lobby cannot be reached.
    :ivar certain: it has answered; what is silent may only be starting.
    """

    def __init__(
        self,
        network: Network,
        addresses: Sequence[str],
        port: int,
        done: Callable[[bool | str], None],
        *,
        tls: TlsOptions | None,
        connect: float,
        answer: float,
    ) -> None:
        self._network = network
        self._done: Callable[[bool | str], None] | None = done
        self._answer = answer
        self._heard = b""
        self._stream: Stream | None = None
        self._timer: Timer | None = None
        self.certain = False
        self._dialing = Dialing(network, addresses, port, self, self._dialed, tls=tls, timeout=connect)

    def cancel(self) -> None:
        """Give it up."""
        self._done = None
        self._dialing.cancel()
        self._tell(False)

    def _dialed(self, result: Stream | Unreachable) -> None:
        if isinstance(result, Unreachable):
            self._tell(result.text)
            return
        self._stream = result
        result.write(encode("WLNET", str(VERSION)))
        self._timer = self._network.call_later(self._answer, lambda: self._tell(False))

    def _tell(self, known: bool | str) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.abort()
        done, self._done = self._done, None
        if done is not None:
            done(known)

    def connected(self, local: Endpoint) -> None:
        """Told by the dialing."""

    def received(self, data: bytes) -> None:
        """The answer, or part of it."""
        self.certain = True
        self._heard += data
        if self._heard.startswith(_ANSWER):
            self._tell(True)
        elif not _ANSWER.startswith(self._heard):
            self._tell(False)

    def ended(self) -> None:
        """No answer."""
        self._tell(False)

    def drained(self) -> None:
        """It is with the system."""

    def closed(self, end: StreamEnd) -> None:  # noqa: ARG002  the owner hears that there is no exchange
        """No answer."""
        self._tell(False)
