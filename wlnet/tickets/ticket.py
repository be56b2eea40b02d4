"""Tickets as bytes: docs/protocols/rendezvous.md, "Tickets".

    version    1   byte 1
    key id     4   names the key
    scope      1   what it is for
    expires    4   Unix seconds
    serial     8   random, tells tickets apart
    subject    1 + n  length, UTF-8
    claims     2 + n  length, JSON
    tag       32   HMAC-SHA256 of all before it

Integers are big endian.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from enum import Enum, IntEnum
from typing import Annotated, Generic, TypeVar

import msgspec
from msgspec import Meta, Struct

from wlnet.steering.model import Side
from wlnet.tickets.keys import KEY_ID_SIZE, TicketKeys

VERSION = 1
MAX_TICKET = 399
"""Bytes."""
SERIAL_SIZE = 8
TAG_SIZE = 32

_HEAD_SIZE = 1 + KEY_ID_SIZE + 1 + 4 + SERIAL_SIZE
_MAX_SUBJECT = 120


class Scope(IntEnum):
    """What a ticket is for; one for something else is worth nothing."""

    RELAY_PAIR = 1
    RENDEZVOUS = 2


class RelayPair(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The holder may be one side of a relayed pair. Good for as many connections as needed until it expires.

    :ivar pair: identifies the pair: 32 hex digits.
    :ivar rate: bytes a second each way, 0: the relay's default.
    :ivar total: bytes in all, both ways, 0: the relay's default.
    :ivar idle: seconds without a packet after which the pair may be forgotten, 0: the relay's default.
    :ivar address: where the lobby sees the holder; a hint for logs and bans, the relay may see another one.
    """

    pair: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
    side: Side
    rate: Annotated[int, Meta(ge=0, le=2**40)] = 0
    total: Annotated[int, Meta(ge=0, le=2**50)] = 0
    idle: Annotated[int, Meta(ge=0, le=86400)] = 0
    address: Annotated[str, Meta(max_length=45)] = ""


class Rendezvous(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The holder is that player of the lobby: shown once, to another service of ours.

    :ivar purpose: a word of ours, for instance ``observe``: "tell the lobby where you see me".
    """

    purpose: Annotated[str, Meta(min_length=1, max_length=32)]
    attempt: Annotated[int, Meta(ge=0, le=2**53)] = 0


Claims = TypeVar("Claims", RelayPair, Rendezvous)

_SCOPES: dict[type[Struct], Scope] = {RelayPair: Scope.RELAY_PAIR, Rendezvous: Scope.RENDEZVOUS}


class TicketProblem(Enum):
    """Why a ticket is worth nothing; the value is for logs and the holder."""

    MALFORMED = "it is no ticket"
    VERSION = "it is of another version"
    KEY = "its key is not in force"
    FORGED = "its tag is wrong"
    SCOPE = "it is for something else"
    EXPIRED = "it has expired"
    CLAIMS = "its claims make no sense"
    USED = "it has been used"
    BUSY = "too many tickets are in use"


class TicketError(Exception):
    """A ticket is not accepted; :attr:`problem` says why."""

    def __init__(self, problem: TicketProblem) -> None:
        super().__init__(problem.value)
        self.problem = problem


class Ticket(Struct, Generic[Claims], frozen=True, kw_only=True):
    """A ticket that has been checked.

    :ivar expires: Unix seconds.
    """

    subject: str
    expires: int
    serial: bytes
    claims: Claims


def mint(
    keys: TicketKeys, claims: RelayPair | Rendezvous, *, subject: str, expires: float, serial: bytes
) -> bytes:
    """A ticket for *subject* until *expires* (Unix seconds, rounded down).

    :param serial: 8 random bytes.
    :raises ValueError: a part is too long, or *expires* is no date until 2106.
    """
    who = subject.encode()
    what = msgspec.json.encode(claims)
    if len(serial) != SERIAL_SIZE or len(who) > _MAX_SUBJECT or not 0 <= expires < 2**32:
        raise ValueError("a serial has 8 bytes, a subject at most 120, and expires lies before 2106")
    content = b"".join(
        [
            bytes([VERSION]),
            keys.current_id,
            bytes([_SCOPES[type(claims)]]),
            int(expires).to_bytes(4, "big"),
            serial,
            bytes([len(who)]),
            who,
            len(what).to_bytes(2, "big"),
            what,
        ]
    )
    if len(content) + TAG_SIZE > MAX_TICKET:
        raise ValueError("the ticket is too long")
    tag = keys.tag(keys.current_id, content)
    assert tag is not None  # noqa: S101  the current key is always there
    return content + tag


def verify(
    keys: TicketKeys, claims: type[Claims], ticket: bytes, *, now: float, skew: float
) -> Ticket[Claims]:
    """Check a ticket of the scope that goes with *claims*.

    :param now: Unix seconds.
    :param skew: seconds the clock of whoever made it may be behind ours.
    :raises TicketError: it is worth nothing. Nothing of it but its key id is looked at before its tag.
    """
    if not _HEAD_SIZE + 3 + TAG_SIZE <= len(ticket) <= MAX_TICKET:
        raise TicketError(TicketProblem.MALFORMED)
    if ticket[0] != VERSION:
        raise TicketError(TicketProblem.VERSION)
    content, tag = ticket[:-TAG_SIZE], ticket[-TAG_SIZE:]
    right = keys.tag(content[1 : 1 + KEY_ID_SIZE], content)
    if right is None:
        raise TicketError(TicketProblem.KEY)
    if not hmac.compare_digest(tag, right):
        raise TicketError(TicketProblem.FORGED)
    if content[5] != _SCOPES[claims]:
        raise TicketError(TicketProblem.SCOPE)
    expires = int.from_bytes(content[6:10], "big")
    if now >= expires + skew:
        raise TicketError(TicketProblem.EXPIRED)
    subject, body = _parts(content[_HEAD_SIZE:])
    try:
        return Ticket(
            subject=subject.decode(),
            expires=expires,
            serial=content[10:_HEAD_SIZE],
            claims=msgspec.json.decode(body, type=claims),
        )
    except ValueError as error:  # msgspec's errors are such
        raise TicketError(TicketProblem.CLAIMS) from error


def _parts(rest: bytes) -> tuple[bytes, bytes]:
    length = rest[0]
    subject, rest = rest[1 : 1 + length], rest[1 + length :]
    body = rest[2:]
    if len(subject) != length or len(rest) < 2 or len(body) != int.from_bytes(rest[:2], "big"):
        raise TicketError(TicketProblem.MALFORMED)
    return subject, body


def to_text(ticket: bytes) -> str:
    """base64url without padding, for JSON."""
    return urlsafe_b64encode(ticket).rstrip(b"=").decode()


def from_text(text: str) -> bytes:
    """The reverse of :func:`to_text`.

    :raises TicketError: that is no base64url, or too long.
    """
    if len(text) > 2 * MAX_TICKET:
        raise TicketError(TicketProblem.MALFORMED)
    try:
        return urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except ValueError as error:
        raise TicketError(TicketProblem.MALFORMED) from error
