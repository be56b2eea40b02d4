"""The STUN server's answers: one request in, at most one answer out (docs/protocols/stun.md)."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from wlnet.config.schema import Limits
from wlnet.limits.addresses import TrustedNetworks, address_key
from wlnet.limits.buckets import KeyedBuckets, TokenBucket
from wlnet.metrics import Front, Limit, Metrics
from wlnet.protocols.stun import wire
from wlnet.protocols.stun.endpoints import OwnEndpoints
from wlnet.protocols.stun.wire import OPTIONAL, Attribute, Change, Endpoint, Kind, Message, StunError

LOWEST_RESPONSE_PORT = 1024
"""RESPONSE-PORT never sends answers to the well-known services of a machine."""

_MOST_ORIGINS = 256
_SUCCESS = wire.message_type(Kind.SUCCESS, wire.BINDING)
_ERROR = wire.message_type(Kind.ERROR, wire.BINDING)
_SOFTWARE = wire.attribute(Attribute.SOFTWARE, b"wlnet")
_UDP_ONLY = frozenset((Attribute.CHANGE_REQUEST, Attribute.PADDING, Attribute.RESPONSE_PORT))
_UNDERSTOOD = frozenset(int(known) for known in Attribute if known < OPTIONAL)
"""Credentials are understood as not needed; nothing of an answer depends on them."""


class Code(IntEnum):
    """Error codes in answers."""

    BAD_REQUEST = 400
    UNKNOWN_ATTRIBUTE = 420
    SERVER_ERROR = 500


_REASONS = {
    Code.BAD_REQUEST: "Bad Request",
    Code.UNKNOWN_ATTRIBUTE: "Unknown Attribute",
    Code.SERVER_ERROR: "Too Many Requests",
}


class Answer(NamedTuple):
    """What to send, where to, and from which of our endpoints."""

    data: bytes
    destination: Endpoint
    origin: Endpoint


class _RefusedError(Exception):
    def __init__(self, code: Code, unknown: tuple[int, ...] = ()) -> None:
        super().__init__(code)
        self.code = code
        self.unknown = unknown


class Responder:
    """Answers Binding requests; all transports and ports of one server share one.

    :param seconds: the clock of the limits.
    :param trusted: networks that are exempt from limits by address.
    :ivar requests: Binding requests read.
    :ivar answers: answers given, errors included.
    """

    def __init__(
        self,
        own: OwnEndpoints,
        limits: Limits,
        seconds: Callable[[], float],
        metrics: Metrics,
        trusted: TrustedNetworks,
    ) -> None:
        self._own = own
        self._metrics = metrics
        self._trusted = trusted
        self._now = seconds
        self._rate = KeyedBuckets(seconds, limits.stun_rate, limits.stun_burst)
        self._total = TokenBucket(limits.stun_total_rate, limits.stun_total_burst, seconds())
        self._changes = KeyedBuckets(seconds, limits.stun_change_rate, limits.stun_change_burst)
        self._total_changes = TokenBucket(
            limits.stun_total_change_rate, limits.stun_total_change_burst, seconds()
        )
        self._origins: dict[Endpoint, bytes] = {}
        self.requests = 0
        self.answers = 0

    def datagram(self, data: bytes, source: Endpoint, local: Endpoint) -> Answer | None:
        """The answer to a datagram, or None.

        :param local: the endpoint of ours it was sent to.
        """
        if not self._own.answerable(source, local):
            self._limited(Limit.MALFORMED)
            return None
        request = self._request(data)
        if request is None or not self._may_ask(source.host):
            return None
        destination, origin = source, local
        try:
            _check_known(request, frozenset())
            if request.attributes:
                destination, origin = self._places(request, source, local)
            answer = self._success(request, source, origin, len(data))
        except _RefusedError as refusal:
            answer = _error(request, refusal)
        self.answers += 1
        return Answer(answer, destination, origin)

    def message(self, data: bytes, source: Endpoint, local: Endpoint) -> bytes | None:
        """The answer to a message on a stream, or None.

        :raises StunError: *data* is no message; nothing that follows can be understood either.
        """
        request = wire.decode(data)
        if request.kind is not Kind.REQUEST or request.method != wire.BINDING:
            return None
        self.requests += 1
        if not self._may_ask(source.host):
            return None
        try:
            _check_known(request, _UDP_ONLY)
            answer = self._success(request, source, local, len(data))
        except _RefusedError as refusal:
            answer = _error(request, refusal)
        self.answers += 1
        return answer

    def _request(self, data: bytes) -> Message | None:
        try:
            message = wire.decode(data)
        except StunError:
            self._limited(Limit.MALFORMED)
            return None
        if message.kind is not Kind.REQUEST or message.method != wire.BINDING:
            return None  # to answer answers would be a loop
        self.requests += 1
        return message

    def _places(self, request: Message, source: Endpoint, local: Endpoint) -> tuple[Endpoint, Endpoint]:
        """Where to send the answer to, and from (RFC 5780 section 6.1)."""
        try:
            change = request.change()
            port = request.response_port()
        except StunError:
            raise _RefusedError(Code.BAD_REQUEST) from None
        if port is not None and request.value(Attribute.PADDING) is not None:
            raise _RefusedError(Code.BAD_REQUEST)
        origin = local
        if change:
            changed = self._own.changed(
                local, address=bool(change & Change.ADDRESS), port=bool(change & Change.PORT)
            )
            if changed is None:  # there is no second address, so this is nothing we understand
                raise _RefusedError(Code.UNKNOWN_ATTRIBUTE, (Attribute.CHANGE_REQUEST,))
            origin = changed
        destination = source
        if port is not None and port != source.port:
            destination = Endpoint(source.host, port)
            if port < LOWEST_RESPONSE_PORT or not self._own.answerable(destination, local):
                raise _RefusedError(Code.BAD_REQUEST)
        if (origin != local or destination != source) and not self._may_change(source.host):
            # Silence would be taken for a NAT that filters.
            raise _RefusedError(Code.SERVER_ERROR)
        return destination, origin

    def _success(self, request: Message, source: Endpoint, origin: Endpoint, size: int) -> bytes:
        """The success response to a request of *size* bytes.

        What only some clients want is left out if it made the answer longer than the request.
        """
        transaction = request.transaction
        body = wire.attribute(Attribute.XOR_MAPPED_ADDRESS, wire.endpoint_value(source, transaction))
        body += self._origin(origin)
        room = size - wire.HEADER - len(body) - (8 if request.fingerprint else 0)
        for optional in (wire.attribute(Attribute.MAPPED_ADDRESS, wire.endpoint_value(source)), _SOFTWARE):
            if len(optional) <= room:
                body += optional
                room -= len(optional)
        if room >= 4 and request.value(Attribute.PADDING) is not None:
            body += wire.attribute(Attribute.PADDING, bytes(room - 4))
        return wire.frame(_SUCCESS, transaction, body, request.fingerprint)

    def _origin(self, origin: Endpoint) -> bytes:
        """RESPONSE-ORIGIN and, if there is a second address, OTHER-ADDRESS."""
        known = self._origins.get(origin)
        if known is None:
            known = wire.attribute(Attribute.RESPONSE_ORIGIN, wire.endpoint_value(self._own.told(origin)))
            other = self._own.changed(origin, address=True, port=True)
            if other is not None:
                known += wire.attribute(Attribute.OTHER_ADDRESS, wire.endpoint_value(self._own.told(other)))
            if len(self._origins) >= _MOST_ORIGINS:  # a machine may own a whole IPv6 network
                self._origins.clear()
            self._origins[origin] = known
        return known

    def _may_ask(self, host: str) -> bool:
        if not self._rate.take(_key(host)) and host not in self._trusted:
            self._limited(Limit.REQUEST_RATE)
            return False
        if not self._total.take(self._now()):
            self._limited(Limit.TOTAL_REQUEST_RATE)
            return False
        return True

    def _may_change(self, host: str) -> bool:
        if not self._changes.take(_key(host)) and host not in self._trusted:
            self._limited(Limit.CHANGE_RATE)
            return False
        if not self._total_changes.take(self._now()):
            self._limited(Limit.TOTAL_CHANGE_RATE)
            return False
        return True

    def _limited(self, limit: Limit) -> None:
        self._metrics.limited(Front.STUN, limit)


def _check_known(request: Message, without: frozenset[Attribute]) -> None:
    unknown = tuple(
        dict.fromkeys(
            number
            for number, _ in request.attributes
            if number < OPTIONAL and (number not in _UNDERSTOOD or number in without)
        )
    )
    if unknown:
        raise _RefusedError(Code.UNKNOWN_ATTRIBUTE, unknown)


def _error(request: Message, refusal: _RefusedError) -> bytes:
    body = wire.attribute(Attribute.ERROR_CODE, wire.error_value(refusal.code, _REASONS[refusal.code]))
    if refusal.unknown:
        listed = b"".join(number.to_bytes(2, "big") for number in refusal.unknown)
        body += wire.attribute(Attribute.UNKNOWN_ATTRIBUTES, listed)
    return wire.frame(_ERROR, request.transaction, body, request.fingerprint)


_key = lru_cache(maxsize=4096)(address_key)
