"""What keeps strangers, replays and floods from having an effect."""

from __future__ import annotations

from collections import OrderedDict
from enum import Enum

from msgspec.structs import replace

from wlnet.client.paths import limits
from wlnet.client.paths.limits import Dropped
from wlnet.client.paths.path import Way
from wlnet.limits.buckets import TokenBucket
from wlnet.protocols.exchange.checks import Check, CheckError, decode_check, encode_check, reply_to
from wlnet.steering.model import Side


class Origin(Enum):
    """How well known the place is that a packet came from. Each has a rate of its own."""

    KNOWN = "known"
    EXPECTED = "expected"
    STRANGE = "strange"


class Request:
    """A request of ours that may still be answered."""

    __slots__ = ("at", "step", "way")

    def __init__(self, way: Way, step: int, at: float) -> None:
        self.way = way
        self.step = step
        self.at = at


class Guard:
    """Makes our checks and judges the others'.

    :param secret: 32 bytes, of the attempt.
    """

    def __init__(self, me: Side, attempt: int, secret: bytes, now: float) -> None:
        self._me = me
        self._attempt = attempt
        self._secret = secret
        self._seen: OrderedDict[bytes, None] = OrderedDict()
        self._requests: OrderedDict[bytes, Request] = OrderedDict()
        self._rates = {
            Origin.KNOWN: TokenBucket(limits.KNOWN_CHECKS, limits.KNOWN_BURST, now),
            Origin.EXPECTED: TokenBucket(limits.EXPECTED_CHECKS, limits.EXPECTED_BURST, now),
            Origin.STRANGE: TokenBucket(limits.STRANGE_CHECKS, limits.STRANGE_BURST, now),
        }
        self._answers = TokenBucket(limits.MAX_ANSWERS, limits.ANSWER_BURST, now)

    def request(self, way: Way, step: int, nonce: bytes, now: float, *, nominated: bool) -> bytes:
        """A new request, remembered until it is answered or too many others are."""
        self._requests[nonce] = Request(way, step, now)
        if len(self._requests) > limits.MAX_OUTSTANDING:
            self._requests.popitem(last=False)
        check = Check(
            reply=False,
            attempt=self._attempt,
            step=step,
            sender=self._me,
            nonce=nonce,
            nominated=nominated,
        )
        return encode_check(check, self._secret)

    def reply(self, request: Check, *, nominated: bool) -> bytes:
        """The answer; *nominated*: it is the path in use now."""
        return encode_check(replace(reply_to(request, self._me), nominated=nominated), self._secret)

    def judge(self, packet: bytes, origin: Origin, now: float) -> Check | Dropped:
        """The peer's check, seen for the first time; or why it is none."""
        if not self._rates[origin].take(now):
            return Dropped.FLOOD
        try:
            check = decode_check(packet, self._secret, attempt=self._attempt, me=self._me)
        except CheckError:
            return Dropped.FORGED
        if check.reply:
            return check
        if check.nonce in self._seen:
            return Dropped.REPLAYED
        if not self._answers.take(now):
            return Dropped.ANSWERS
        self._seen[check.nonce] = None
        if len(self._seen) > limits.MAX_NONCES:
            self._seen.popitem(last=False)
        return check

    def answered(self, check: Check, way: Way) -> Request | None:
        """The request *check* replies to; None: we asked no such thing there."""
        request = self._requests.get(check.nonce)
        if request is None or request.way != way:
            return None
        del self._requests[check.nonce]
        return request
