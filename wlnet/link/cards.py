"""The lobby's note about a room as the text a relay keeps for it."""

from __future__ import annotations

import msgspec

from wlnet.lobby.ports import RoomCard, RoomReport
from wlnet.relay.control import RoomInfo

_decoder = msgspec.json.Decoder(RoomCard)


def card_text(card: RoomCard) -> str | None:
    """The card as JSON; None if a text in it has no UTF-8 form."""
    try:
        return msgspec.json.encode(card).decode()
    except UnicodeEncodeError:
        return None


def read_card(text: str) -> RoomCard | None:
    """The card from its JSON; None if it is not one (another version of the lobby wrote it)."""
    try:
        return _decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeError):
        return None


def report(room: RoomInfo) -> RoomReport | None:
    """What the lobby is told about a room the relay has; None if its card cannot be read."""
    card = read_card(room.card)
    return None if card is None else RoomReport(room_id=room.room_id, hosted=room.hosted, card=card)
