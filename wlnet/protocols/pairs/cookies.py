"""Cookies: proof that a client gets what is sent to its address, without anything kept here meanwhile."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from hashlib import sha256

from wlnet.protocols.pairs.wire import COOKIE
from wlnet.protocols.stun.wire import Endpoint

SLOT = 30.0
"""Seconds. A cookie is good until the end of the next slot."""


class Cookies:
    """Makes and checks them.

    :param secret: 32 random bytes, known to nobody else.
    """

    def __init__(self, secret: bytes, now: Callable[[], float]) -> None:
        self._secret = secret
        self._now = now

    def make(self, source: Endpoint) -> bytes:
        """A cookie for whoever reads it at *source*."""
        return self._cookie(source, int(self._now() // SLOT))

    def check(self, source: Endpoint, cookie: bytes) -> bool:
        """*cookie* was made for *source*, not long ago."""
        slot = int(self._now() // SLOT)
        return any(hmac.compare_digest(cookie, self._cookie(source, one)) for one in (slot, slot - 1))

    def _cookie(self, source: Endpoint, slot: int) -> bytes:
        text = f"{slot} {source.port} {source.host}".encode()
        return hmac.digest(self._secret, text, sha256)[:COOKIE]
