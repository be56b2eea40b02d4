"""The HTTP server: one request a connection, and a bound to everything a stranger can send or leave unread.

A connection has ``web.timeout`` seconds to send its request, however busily it trickles, and as long again to
take the answer. There is no second request on it, so nothing can queue up behind a reader who does not read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from twisted.internet.interfaces import IAddress, ITCPTransport
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel, Request, datetimeToString

from wlnet.agenda import Agenda, Appointment
from wlnet.config.schema import Web
from wlnet.limits.addresses import TrustedNetworks, address_key
from wlnet.limits.buckets import KeyedBuckets
from wlnet.limits.gate import ConnectionGate
from wlnet.metrics import Front, Limit, Metrics
from wlnet.web.pages import REASONS, Answer, Asked, Pages, refusal

MAX_LINE = 2048
"""Bytes of the request line, and of one header."""
MAX_HEADERS = 50
MAX_HEADER_BYTES = 8192
"""Bytes of request line and headers together."""
MAX_BODY = 1024
"""Bytes of a body, which is read and dropped."""

_log = Logger(namespace="wlnet.web")


class WebRequest(Request):
    """A request whose query, cookies and body nobody looks at."""

    def parseCookies(self) -> None:
        """Nothing here has cookies."""

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """Everything is there; answer it."""
        self.method, self.uri, self.clientproto = command, path, version
        answer = cast(WebChannel, self.channel).answer_to(
            Asked(
                method=_text(command),
                path=_text(path.partition(b"?")[0]),
                accept=self._header("Accept"),
                if_none_match=self._header("If-None-Match"),
            )
        )
        self.setResponseCode(answer.code, REASONS[answer.code].encode("ascii"))
        for name, value in answer.headers.items():
            self.setHeader(name, value)
        self.setHeader(b"Date", datetimeToString())
        if answer.code != 304:
            self.setHeader(b"Content-Length", b"%d" % len(answer.body))
        self.write(answer.body)
        self.finish()

    def _header(self, name: str) -> str:
        return ",".join(self.requestHeaders.getRawHeaders(name, []))


class WebChannel(HTTPChannel):
    """One connection, one request."""

    MAX_LENGTH = MAX_LINE
    maxHeaders = MAX_HEADERS
    totalHeadersSize = MAX_HEADER_BYTES
    timeOut = None
    requestFactory = WebRequest

    def __init__(self, site: WebFactory, address: str) -> None:
        super().__init__()
        self._site = site
        self._address = address
        self._deadline: Appointment | None = None
        self._answered = False

    def connectionMade(self) -> None:
        """Start the clock."""
        self._deadline = self._site.agenda.after(self._site.timeout, self._request_too_late)
        super().connectionMade()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Give back the place."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._site.left(self._address)
        super().connectionLost(reason)

    def answer_to(self, asked: Asked) -> Answer:
        """The answer; from now on the clock is for taking it."""
        self._last_words()
        return self._site.answer(asked, self._address)

    def checkPersistence(self, request: Any, version: bytes) -> bool:
        """One request a connection."""
        return False

    def lineLengthExceeded(self, line: bytes) -> None:
        """A line without end."""
        self._refuse(431, Limit.PACKET_SIZE)

    def allHeadersReceived(self) -> None:
        """Look at the length of the body before any of it is read."""
        if self.length is None:
            self._refuse(411, Limit.PACKET_SIZE)
        elif self.length > MAX_BODY:
            self._refuse(413, Limit.PACKET_SIZE)
        else:
            super().allHeadersReceived()

    def _respondToBadRequestAndDisconnect(self) -> None:  # the hook Twisted has for all bad requests
        too_long = self._receivedHeaderSize > MAX_HEADER_BYTES or self._receivedHeaderCount > MAX_HEADERS
        if too_long:
            self._refuse(431, Limit.PACKET_SIZE)
        else:
            self._refuse(400, Limit.MALFORMED)

    def _request_too_late(self) -> None:
        self._refuse(408, Limit.HANDSHAKE_TIME)

    def _answer_too_late(self) -> None:
        self._deadline = None
        self._site.limited(Limit.QUEUE, self._address)
        cast(ITCPTransport, self.transport).abortConnection()

    def _last_words(self) -> None:
        self._answered = True
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self._site.agenda.after(self._site.timeout, self._answer_too_late)

    def _refuse(self, code: int, limit: Limit) -> None:
        if self._answered:
            return
        self._last_words()
        answer = self._site.refused(code, limit, self._address)
        lines = [f"HTTP/1.1 {code} {REASONS[code]}"]
        lines += [f"{name}: {value}" for name, value in answer.headers.items()]
        lines.append(f"Content-Length: {len(answer.body)}")
        cast(ITCPTransport, self.transport).write("\r\n".join([*lines, "", ""]).encode("ascii") + answer.body)
        self.loseConnection()


class WebFactory(Factory):
    """Makes the connections of a port.

    :param may_log: whether one more line about an address may be logged.
    """

    noisy = False

    def __init__(
        self,
        pages: Pages,
        settings: Web,
        gate: ConnectionGate,
        trusted: TrustedNetworks,
        agenda: Agenda,
        metrics: Metrics,
        may_log: Callable[[str], bool],
    ) -> None:
        self.agenda = agenda
        self.timeout = settings.timeout
        self._pages = pages
        self._gate = gate
        self._trusted = trusted
        self._buckets = KeyedBuckets(agenda.now, settings.request_rate, settings.request_burst)
        self._metrics = metrics
        self._may_log = may_log

    def buildProtocol(self, addr: IAddress | None) -> WebChannel | None:
        """A connection, unless there are too many."""
        address = str(getattr(addr, "host", ""))
        refused = self._gate.enter(address)
        if refused is not None:
            self.limited(Limit(refused.value), address)
            return None
        return WebChannel(self, address)

    def answer(self, asked: Asked, address: str) -> Answer:
        """The answer to somebody at *address*. A defect is logged and becomes a 500."""
        if address not in self._trusted and not self._buckets.take(address_key(address)):
            return self.refused(429, Limit.REQUEST_RATE, address)
        try:
            return self._pages.answer(asked)
        except Exception:
            _log.failure("a page could not be made")
            return self._pages.counted(refusal(500))

    def refused(self, code: int, limit: Limit, address: str) -> Answer:
        """An error, counted, for *limit*."""
        self.limited(limit, address)
        return self._pages.counted(refusal(code))

    def limited(self, limit: Limit, address: str) -> None:
        """Count a limit that did its work, and say so in the log."""
        self._metrics.limited(Front.WEB, limit)
        if self._may_log(address):
            _log.info("refused {address}: {limit}", address=address, limit=limit.value)

    def left(self, address: str) -> None:
        """A connection is gone."""
        self._gate.leave(address)


def _text(data: bytes) -> str:
    return data.decode("ascii", "replace")
