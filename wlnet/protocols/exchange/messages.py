"""Messages as JSON: docs/protocols/rendezvous.md, "Messages". Every text and list has a bound.

What the server says is in :mod:`wlnet.rendezvous.events`; what players say is here, and both directions'
codec, so that a client can use this module as it is.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from wlnet.rendezvous.claims import Claims
from wlnet.rendezvous.events import (
    Begin,
    Ended,
    Games,
    Granted,
    PlanPart,
    Published,
    Refused,
    Settled,
    Told,
    Unpublished,
    Verified,
    Wanted,
)
from wlnet.rendezvous.ports import StunPlace
from wlnet.steering.attempt import Result
from wlnet.steering.model import Candidate
from wlnet.steering.view import Measured

VERSION = 1
"""The only version there is."""

GameName = Annotated[str, Meta(min_length=1, max_length=255)]
Fingerprint = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
AttemptNumber = Annotated[int, Meta(ge=1, le=2**32 - 1)]
StepNumber = Annotated[int, Meta(ge=1, le=65535)]


class Publish(Struct, frozen=True, kw_only=True, tag="publish"):
    """List a game of mine; *fingerprint*: SHA-256 of my certificate."""

    game: GameName
    traffic: Literal["tcp", "udp"]
    fingerprint: Fingerprint


class Unpublish(Struct, frozen=True, kw_only=True, tag="unpublish"):
    """Take it off the list. Who plays with me goes on playing."""

    game: GameName


class ListGames(Struct, frozen=True, kw_only=True, tag="list"):
    """Which peer games could I join?"""


class Join(Struct, frozen=True, kw_only=True, tag="join"):
    """Connect me with the host of that game."""

    game: GameName
    fingerprint: Fingerprint


class Ready(Struct, frozen=True, kw_only=True, tag="ready"):
    """Answer to begin, at once: it is timed."""

    attempt: AttemptNumber


class Candidates(Struct, frozen=True, kw_only=True, tag="candidates"):
    """What I am: it replaces what I said before of the same attempt (0: of all of them)."""

    attempt: Annotated[int, Meta(ge=0, le=2**32 - 1)] = 0
    candidates: Annotated[tuple[Candidate, ...], Meta(max_length=64)] = ()
    measured: Annotated[tuple[Measured, ...], Meta(max_length=4)] = ()
    udp: bool = True
    tcp: bool = True
    only_port: Literal[0, 443] = 0
    birthday: bool = False
    relay_only: bool = False
    complete: bool = False

    def claims(self) -> Claims:
        """As the rendezvous takes it."""
        return Claims(
            candidates=self.candidates,
            measured=self.measured,
            udp=self.udp,
            tcp=self.tcp,
            only_port=self.only_port,
            birthday=self.birthday,
            relay_only=self.relay_only,
            complete=self.complete,
        )


class Report(Struct, frozen=True, kw_only=True, tag="report"):
    """What became of a step on my side."""

    attempt: AttemptNumber
    step: StepNumber
    result: Result
    detail: Annotated[str, Meta(max_length=200)] = ""


class Carried(Struct, frozen=True, kw_only=True, tag="carried"):
    """I received bytes of the game itself over that step's path."""

    attempt: AttemptNumber
    step: StepNumber


class Probed(Struct, frozen=True, kw_only=True, tag="probed"):
    """I received this token in a knock of the server."""

    token: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]


class Renew(Struct, frozen=True, kw_only=True, tag="renew"):
    """A new ticket for the relay, please."""

    attempt: AttemptNumber


class Leave(Struct, frozen=True, kw_only=True, tag="leave"):
    """I am done with this attempt and what came of it; the relay of the pair may be closed."""

    attempt: AttemptNumber


Said = Publish | Unpublish | ListGames | Join | Ready | Candidates | Report | Carried | Probed | Renew | Leave


class Hello(Struct, frozen=True, kw_only=True):
    """The JSON the server adds to its answer to the negotiation.

    :ivar address: where the lobby sees you.
    :ivar observe: tickets for packets to the UDP ports of STUN, one use each.
    :ivar stun: where that is; None: nowhere.
    """

    version: int
    address: str
    observe: tuple[str, ...]
    message_size: int
    candidates: int
    stun: StunPlace | None = None


class MessageError(Exception):
    """A text is no message; the exception's text says what is wrong with it."""


_said: msgspec.json.Decoder[Said] = msgspec.json.Decoder(Said)
_told: msgspec.json.Decoder[Told] = msgspec.json.Decoder(
    Published
    | Unpublished
    | Games
    | Begin
    | PlanPart
    | Settled
    | Verified
    | Wanted
    | Granted
    | Ended
    | Refused
)
_hello = msgspec.json.Decoder(Hello)
_encoder = msgspec.json.Encoder()


def encode(message: Said | Told | Hello) -> str:
    """As JSON."""
    return _encoder.encode(message).decode()


def decode_said(text: str) -> Said:
    """What a player said.

    :raises MessageError: it is no message a player may send.
    """
    try:
        return _said.decode(text.encode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError) as error:
        raise MessageError(_short(error)) from error


def decode_told(text: str) -> Told:
    """What the server said.

    :raises MessageError: it is no message a server sends.
    """
    try:
        return _told.decode(text.encode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError) as error:
        raise MessageError(_short(error)) from error


def decode_hello(text: str) -> Hello:
    """The server's answer to the negotiation.

    :raises MessageError: it is none.
    """
    try:
        return _hello.decode(text.encode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError) as error:
        raise MessageError(_short(error)) from error


def _short(error: Exception) -> str:
    return "".join(character if character.isprintable() else " " for character in str(error)[:200])
