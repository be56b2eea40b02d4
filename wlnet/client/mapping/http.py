"""One HTTP request to the router and its answer: h11 over a stream of the network."""

from __future__ import annotations

from collections.abc import Callable

import h11
from msgspec import Struct

from wlnet.client.net.network import Network, Stream, StreamEnd
from wlnet.protocols.stun.wire import Endpoint

LARGEST_HEAD = 16 * 1024
LARGEST_BODY = 256 * 1024


class HttpAnswer(Struct, frozen=True):
    """An answer, whatever its status."""

    status: int
    body: bytes


class HttpError(Struct, frozen=True):
    """There is none; *text* says why, in a few words."""

    text: str


class HttpExchange:
    """A request on its own connection; ends by exactly one call of *done*, unless cancelled.

    :param timeout: seconds for all of it.
    :raises OSError: no connection can be begun.
    """

    def __init__(
        self,
        network: Network,
        place: Endpoint,
        method: str,
        target: str,
        fields: tuple[tuple[str, str], ...],
        body: bytes,
        timeout: float,
        done: Callable[[HttpAnswer | HttpError], None],
    ) -> None:
        self._done = done
        self._over = False
        self._status = 0
        self._body = bytearray()
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=LARGEST_HEAD)
        head: list[tuple[str, str]] = [
            ("Host", f"{place.host}:{place.port}"),
            ("Connection", "close"),
            ("User-Agent", "wlnet UPnP/1.1"),
            *fields,
        ]
        if method == "POST":
            head.append(("Content-Length", str(len(body))))
        request = h11.Request(method=method, target=target, headers=head)
        self._request = self._http.send(request) or b""
        if body:
            self._request += self._http.send(h11.Data(data=body)) or b""
        self._request += self._http.send(h11.EndOfMessage()) or b""
        self._stream: Stream = network.connect(place, self)
        self._timer = network.call_later(timeout, self._too_late)

    def cancel(self) -> None:
        """Not needed any more."""
        if not self._over:
            self._over = True
            self._timer.cancel()
            self._stream.abort()

    # -- StreamHandler ---------------------------------------------------------------------------

    def connected(self, local: Endpoint) -> None:  # noqa: ARG002
        """Ask."""
        self._stream.write(self._request)

    def received(self, data: bytes) -> None:
        """Read on."""
        self._feed(data)

    def ended(self) -> None:
        """Answers without a length end so."""
        self._feed(b"")

    def drained(self) -> None:
        """Nothing waits."""

    def closed(self, end: StreamEnd) -> None:
        """The connection is over."""
        if not self._over:
            self._feed(b"")
        if not self._over:
            self._end(HttpError(end.text or "the connection ended early"))

    # ---------------------------------------------------------------------------------------------

    def _feed(self, data: bytes) -> None:
        if self._over:
            return
        try:
            self._http.receive_data(data)
            while not self._over:
                event = self._http.next_event()
                if event is h11.NEED_DATA or event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                    return
                self._take(event)
        except (h11.ProtocolError, RuntimeError):
            self._end(HttpError("what it says is no HTTP"))

    def _take(self, event: object) -> None:
        if isinstance(event, h11.Response):
            self._status = event.status_code
        elif isinstance(event, h11.Data):
            self._body += event.data
            if len(self._body) > LARGEST_BODY:
                self._end(HttpError("its answer is too long"))
        elif isinstance(event, h11.EndOfMessage):
            self._end(HttpAnswer(self._status, bytes(self._body)))

    def _too_late(self) -> None:
        if not self._over:
            self._end(HttpError("no answer in time"))

    def _end(self, result: HttpAnswer | HttpError) -> None:
        self.cancel()
        self._done(result)
