"""What lobby and relay tell each other (docs/protocols/link.md section 4): JSON objects with a ``type``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from wlnet.link.wire import MAX_PAYLOAD
from wlnet.moderation.sanctions import Sanction
from wlnet.relay.control import RoomInfo

PART_SIZE = 65_536
"""A list is sent in parts of about so many bytes, so that other messages need not wait for all of it."""

MAX_ROOM_TEXT = 32_768
"""Bytes of what is said about one room at most: id, game, password and card together, as JSON."""

MAX_LISTED = 1_000_000
"""Rooms or sanctions one list may have."""

MAX_LATE = 10_000
"""Changes that may overtake one list."""

MAX_REVOKED = 1000
"""Pairs one message may revoke."""

_T = TypeVar("_T")

Name = Annotated[str, Meta(min_length=1, max_length=64)]
RoomId = Annotated[str, Meta(min_length=1, max_length=128)]
Number = Annotated[int, Meta(ge=0, le=2**53)]
PortNumber = Annotated[int, Meta(ge=0, le=65535)]
PairId = Annotated[str, Meta(pattern="^[0-9a-f]{32}\\Z")]
Literals = Annotated[tuple[Annotated[str, Meta(max_length=64)], ...], Meta(max_length=64)]


class _Message(Struct, frozen=True, kw_only=True, tag_field="type", tag=str.lower):
    pass


class Alive(_Message, frozen=True, tag="alive"):
    """Nothing new, the link is well. Either end."""


# From the relay.


class PairPorts(Struct, frozen=True, kw_only=True):
    """Where a relay of pairs listens; a port of 0 is not there.

    ``listen`` is ``stun.listen``; ``capacity`` is the number of pairs it carries.
    """

    listen: Literals
    udp: PortNumber
    tcp: PortNumber
    tls: PortNumber = 0
    capacity: Number


class StunPorts(Struct, frozen=True, kw_only=True):
    """Where a relay answers STUN; ``listen`` is ``stun.listen``."""

    listen: Literals
    port: PortNumber
    second_port: PortNumber


class Hello(_Message, frozen=True, tag="hello"):
    """The relay introduces itself; its first message.

    ``instance`` is drawn at random when the relay process starts. ``public``, ``listen`` and ``own`` are
    explained in :class:`wlnet.link.addresses.RelayPlace`. Without ``pairs`` it carries no pairs,
    without ``stun`` it answers no STUN.
    """

    name: Name
    instance: Annotated[str, Meta(min_length=16, max_length=64)]
    public: Literals
    listen: Literals
    own: Literals
    port: PortNumber
    capacity: Number
    pairs: PairPorts | None = None
    stun: StunPorts | None = None


class Rooms(_Message, frozen=True, tag="rooms"):
    """A part of the list of all rooms; with ``last`` the list is complete."""

    rooms: tuple[RoomInfo, ...]
    last: bool


class RoomHosted(_Message, frozen=True, tag="room_hosted"):
    """The host has reached its room."""

    room_id: RoomId


class RoomClosed(_Message, frozen=True, tag="room_closed"):
    """A room is gone."""

    room_id: RoomId


class Opened(_Message, frozen=True, tag="opened"):
    """The answer to :class:`OpenRoom`."""

    request: Number
    ok: bool


class PairLoad(_Message, frozen=True, tag="pair_load"):
    """So many pairs are carried now."""

    pairs: Number


class Observe(_Message, frozen=True, tag="observe"):
    """A player's ticket came from ``address`` (an IP literal); answered by :class:`Observed`."""

    request: Number
    ticket: Annotated[str, Meta(max_length=600)]
    address: Annotated[str, Meta(max_length=64)]


# From the lobby.


class Welcome(_Message, frozen=True, tag="welcome"):
    """The relay is accepted; the answer to :class:`Hello`."""


class RefusalReason(StrEnum):
    """Why a relay is not accepted."""

    NAME_TAKEN = "name_taken"
    TOO_MANY_RELAYS = "too_many_relays"


class Refused(_Message, frozen=True, tag="refused"):
    """The relay is not accepted; the lobby closes."""

    reason: RefusalReason


class OpenRoom(_Message, frozen=True, tag="open_room"):
    """Open a room; answered by :class:`Opened` with the same ``request``."""

    request: Number
    room_id: RoomId
    game: str
    password: str
    card: str


class UpdateCard(_Message, frozen=True, tag="update_card"):
    """Replace the card of a room."""

    room_id: RoomId
    card: str


class CloseRoom(_Message, frozen=True, tag="close_room"):
    """End a room."""

    room_id: RoomId


class DropFromRoom(_Message, frozen=True, tag="drop_from_room"):
    """Disconnect the members of a game's room that come from an address."""

    game: str
    address: str


class Sanctions(_Message, frozen=True, tag="sanctions"):
    """A part of the list of all sanctions in force; with ``last`` the list is complete."""

    sanctions: tuple[Sanction, ...]
    last: bool


class Imposed(_Message, frozen=True, tag="imposed"):
    """A sanction is in force from now on."""

    sanction: Sanction


class Lifted(_Message, frozen=True, tag="lifted"):
    """A sanction ended before its time (``lifted_at`` is set)."""

    sanction: Sanction


class RevokePairs(_Message, frozen=True, tag="revoke_pairs"):
    """End these pairs and accept no ticket for them any more."""

    pairs: Annotated[tuple[PairId, ...], Meta(max_length=MAX_REVOKED)]


class Observed(_Message, frozen=True, tag="observed"):
    """The answer to :class:`Observe`: whether the ticket was worth something."""

    request: Number
    ok: bool


FromRelay = Hello | Rooms | RoomHosted | RoomClosed | Opened | PairLoad | Observe | Alive
FromLobby = (
    Welcome
    | Refused
    | OpenRoom
    | UpdateCard
    | CloseRoom
    | DropFromRoom
    | Sanctions
    | Imposed
    | Lifted
    | RevokePairs
    | Observed
    | Alive
)
Message = FromRelay | FromLobby


class UnsendableError(ValueError):
    """A message is too long for a frame or holds text without a UTF-8 form."""


class MessageError(ValueError):
    """What came from the other end is no message it may send."""


_encoder = msgspec.json.Encoder()
_from_relay: msgspec.json.Decoder[FromRelay] = msgspec.json.Decoder(FromRelay)
_from_lobby: msgspec.json.Decoder[FromLobby] = msgspec.json.Decoder(FromLobby)


def encode(message: Message) -> bytes:
    """The message as JSON.

    :raises UnsendableError: it is too long or holds a text without a UTF-8 form.
    """
    try:
        payload = _encoder.encode(message)
    except UnicodeEncodeError as error:
        raise UnsendableError("a text has no UTF-8 form") from error
    if len(payload) > MAX_PAYLOAD:
        raise UnsendableError(f"{len(payload)} bytes are too many for one message")
    return payload


def decode_from_relay(payload: bytes) -> FromRelay:
    """A message of a relay.

    :raises MessageError: *payload* is none.
    """
    try:
        return _from_relay.decode(payload)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise MessageError("no message a relay may send") from error


def decode_from_lobby(payload: bytes) -> FromLobby:
    """A message of a lobby.

    :raises MessageError: *payload* is none.
    """
    try:
        return _from_lobby.decode(payload)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise MessageError("no message a lobby may send") from error


def room_parts(rooms: Iterable[RoomInfo]) -> Iterator[Rooms]:
    """The list of all rooms in parts, the last one marked (one empty part if there are no rooms).

    Rooms nobody could have opened through a link, because they do not fit, are left out.
    """
    for part, last in _parts((room, _size(room)) for room in rooms):
        yield Rooms(rooms=tuple(part), last=last)


def sanction_parts(sanctions: Iterable[Sanction]) -> Iterator[Sanctions]:
    """The list of all sanctions in parts, the last one marked (one empty part if there are none)."""
    for part, last in _parts((sanction, _size(sanction)) for sanction in sanctions):
        yield Sanctions(sanctions=tuple(part), last=last)


def fits_a_room(message: OpenRoom | UpdateCard) -> bool:
    """True if the room, once opened, can also be listed."""
    return _size(message) <= MAX_ROOM_TEXT


def _size(item: Struct) -> int:
    try:
        return len(_encoder.encode(item))
    except UnicodeEncodeError:
        return MAX_PAYLOAD


def _parts(items: Iterable[tuple[_T, int]]) -> Iterator[tuple[list[_T], bool]]:
    part: list[_T] = []
    held = 0
    for item, size in items:
        if size > MAX_PAYLOAD - PART_SIZE:
            continue
        if part and held + size > PART_SIZE:
            yield part, False
            part, held = [], 0
        part.append(item)
        held += size
    yield part, True
