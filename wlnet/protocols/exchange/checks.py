"""Checks between peers as bytes: docs/protocols/rendezvous.md, "Checks".

    type       1   0x21 request, 0x22 reply
    flags      1   bit 0: nominated; the others 0
    attempt    4   number of the attempt
    step       2   number of the step whose path is checked
    sender     1   0x48 "H" the host, 0x47 "G" the guest
    nonce      8   of the request; the reply repeats it
    tag       16   first half of HMAC-SHA256(secret, "wlnet check" + all before it)

Integers are big endian. A request and its reply have the same size, 33 bytes.
"""

from __future__ import annotations

import hmac
from enum import Enum
from hashlib import sha256

from msgspec import Struct

from wlnet.steering.model import Side

REQUEST = 0x21
REPLY = 0x22
CHECK_SIZE = 33
NONCE_SIZE = 8
TAG_SIZE = 16

_NOMINATED = 0x01
_CONTEXT = b"wlnet check"
_SENDERS = {Side.HOST: 0x48, Side.GUEST: 0x47}
_SIDES = {byte: side for side, byte in _SENDERS.items()}


class Check(Struct, frozen=True, kw_only=True):
    """A check request or reply.

    :ivar nominated: the guest wants this path from now on (request); seen and done (reply).
    """

    reply: bool
    attempt: int
    step: int
    sender: Side
    nonce: bytes
    nominated: bool = False


class CheckProblem(Enum):
    """Why a packet is no check of our peer."""

    MALFORMED = "it is no check"
    FORGED = "its tag is wrong"
    OTHER_ATTEMPT = "it is of another attempt"
    REFLECTED = "it is our own"


class CheckError(Exception):
    """A packet is no check of our peer: ignore it, and never answer."""

    def __init__(self, problem: CheckProblem) -> None:
        super().__init__(problem.value)
        self.problem = problem


def encode_check(check: Check, secret: bytes) -> bytes:
    """The packet.

    :param secret: the 32 bytes of the attempt's session secret.
    :raises ValueError: a number or the nonce has the wrong size.
    """
    if len(check.nonce) != NONCE_SIZE or not (0 <= check.attempt < 2**32 and 0 <= check.step < 2**16):
        raise ValueError("a nonce has 8 bytes, an attempt 32 bits, a step 16")
    content = (
        bytes([REPLY if check.reply else REQUEST, _NOMINATED if check.nominated else 0])
        + check.attempt.to_bytes(4, "big")
        + check.step.to_bytes(2, "big")
        + bytes([_SENDERS[check.sender]])
        + check.nonce
    )
    return content + _tag(secret, content)


def decode_check(packet: bytes, secret: bytes, *, attempt: int, me: Side) -> Check:
    """A check our peer made.

    :param attempt: the attempt the secret belongs to.
    :param me: our side in it.
    :raises CheckError: it is none.
    """
    if len(packet) != CHECK_SIZE or packet[0] not in (REQUEST, REPLY):
        raise CheckError(CheckProblem.MALFORMED)
    content, tag = packet[:-TAG_SIZE], packet[-TAG_SIZE:]
    if not hmac.compare_digest(tag, _tag(secret, content)):
        raise CheckError(CheckProblem.FORGED)
    sender = _SIDES.get(content[8])
    if sender is None or content[1] & ~_NOMINATED:
        raise CheckError(CheckProblem.MALFORMED)
    if int.from_bytes(content[2:6], "big") != attempt:
        raise CheckError(CheckProblem.OTHER_ATTEMPT)
    if sender is me:
        raise CheckError(CheckProblem.REFLECTED)
    return Check(
        reply=content[0] == REPLY,
        attempt=attempt,
        step=int.from_bytes(content[6:8], "big"),
        sender=sender,
        nonce=content[9:17],
        nominated=bool(content[1] & _NOMINATED),
    )


def reply_to(request: Check, me: Side) -> Check:
    """The answer to a request."""
    return Check(
        reply=True,
        attempt=request.attempt,
        step=request.step,
        sender=me,
        nonce=request.nonce,
        nominated=request.nominated,
    )


def _tag(secret: bytes, content: bytes) -> bytes:
    return hmac.digest(secret, _CONTEXT + content, sha256)[:TAG_SIZE]
