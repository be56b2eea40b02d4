"""Requests as clients make them, and a responder with a clock turned by hand."""

from __future__ import annotations

from twisted.internet.task import Clock

from wlnet.config.schema import Limits
from wlnet.limits.addresses import TrustedNetworks
from wlnet.metrics import Front, Limit, Metrics
from wlnet.protocols.stun import wire
from wlnet.protocols.stun.endpoints import OwnEndpoints
from wlnet.protocols.stun.responder import Answer, Responder
from wlnet.protocols.stun.wire import BINDING, Attribute, Change, Endpoint, Kind, Message

TRANSACTION = bytes(range(12))
FIRST = Endpoint("203.0.113.1", 3478)
FIRST_V6 = Endpoint("2001:db8::1", 3478)
CLIENT = Endpoint("198.51.100.7", 40000)
CLIENT_V6 = Endpoint("2001:db8:1::7", 40000)


def request(*attributes: tuple[int, bytes], fingerprint: bool = False, kind: Kind = Kind.REQUEST) -> bytes:
    return wire.encode(Message(kind, BINDING, TRANSACTION, attributes, fingerprint))


def change(flags: Change) -> tuple[int, bytes]:
    return Attribute.CHANGE_REQUEST, wire.change_value(flags)


class Server:
    """A responder at 203.0.113.1 and 2001:db8::1, ports 3478 and 3479."""

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        seconds: tuple[str, ...] = (),
        told: dict[str, str] | None = None,
        trusted: tuple[str, ...] = (),
    ) -> None:
        self.clock = Clock()
        self.metrics = Metrics()
        own = OwnEndpoints((3478, 3479), (FIRST.host, FIRST_V6.host), seconds, told)
        self.responder = Responder(
            own, limits or Limits(), self.clock.seconds, self.metrics, TrustedNetworks(trusted)
        )

    def ask(self, data: bytes, source: Endpoint = CLIENT, local: Endpoint = FIRST) -> Answer | None:
        return self.responder.datagram(data, source, local)

    def answer(self, data: bytes, source: Endpoint = CLIENT, local: Endpoint = FIRST) -> Message:
        answer = self.ask(data, source, local)
        assert answer is not None
        return wire.decode(answer.data)

    def limited(self, limit: Limit) -> int:
        return self.metrics.times_limited(Front.STUN, limit)
