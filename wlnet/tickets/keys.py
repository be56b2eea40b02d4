"""The keys tickets are signed with; more than one is valid while they change."""

from __future__ import annotations

import hmac
from hashlib import sha256

MIN_KEY = 32
"""Bytes of a key at least."""

MAX_KEYS = 3

KEY_ID_SIZE = 4


class TicketKeys:
    """The key that signs, then those still (or already) accepted.

    :raises ValueError: no key, more than three, or one shorter than 32 bytes.
    """

    __slots__ = ("_by_id", "current_id")

    def __init__(self, current: bytes, *accepted: bytes) -> None:
        keys = (current, *accepted)
        if len(keys) > MAX_KEYS:
            raise ValueError("at most three keys are valid at a time")
        if any(len(key) < MIN_KEY for key in keys):
            raise ValueError("a key of tickets has 32 bytes or more")
        self.current_id = key_id(current)
        self._by_id = {key_id(key): key for key in keys}

    def __repr__(self) -> str:
        return "TicketKeys(...)"

    def tag(self, identifier: bytes, content: bytes) -> bytes | None:
        """HMAC-SHA256 of *content* under the key of that id; None if there is no such key."""
        key = self._by_id.get(identifier)
        return None if key is None else hmac.digest(key, content, sha256)


def key_id(key: bytes) -> bytes:
    """Four bytes that name a key without telling anything about it."""
    return sha256(b"wlnet ticket key id\0" + key).digest()[:KEY_ID_SIZE]


def keys_at(secret: bytes, wall: float, period: float) -> TicketKeys:
    """The keys in force at *wall*: one a period, the last and the next one accepted as well.

    Lobby and relays that share *secret* have the same keys without a message.

    :param wall: Unix seconds.
    :param period: seconds; longer than any ticket lives.
    """
    number = int(wall // period)

    def key(offset: int) -> bytes:
        return hmac.digest(secret, b"wlnet tickets\0" + max(0, number + offset).to_bytes(8, "big"), sha256)

    return TicketKeys(key(0), key(-1), key(1))
