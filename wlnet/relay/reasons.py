"""Why a relay connection ends, in the words that go over the wire."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """The text of a Disconnect sent by the relay (docs/protocols/relay.md, "Reasons")."""

    NORMAL = "NORMAL"
    PROTOCOL_VIOLATION = "PROTOCOL_VIOLATION"
    WRONG_VERSION = "WRONG_VERSION"
    GAME_UNKNOWN = "GAME_UNKNOWN"
    NO_HOST = "NO_HOST"
    TIMEOUT = "TIMEOUT"
    BANNED = "BANNED"
