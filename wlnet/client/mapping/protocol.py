"""What each of the three protocols is to the mapper."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from wlnet.client.mapping.words import Failure, Found, Granted, MappingProtocol, Wish


class Gateway(Struct, frozen=True):
    """The router of one family.

    :ivar address: IP literal, link-local ones with their zone.
    :ivar source: our address towards it.
    """

    address: str
    source: str


class RouterProtocol(Protocol):
    """One protocol at one router. Results are never called within the call that asked for them.

    What is under way when it is closed is not answered.
    """

    protocol: MappingProtocol

    def find(self, done: Callable[[Found | Failure], None]) -> None:
        """Does the router speak it?"""

    def map(self, wish: Wish, done: Callable[[Granted | Failure], None]) -> None:
        """Map, or renew with the same wish."""

    def unmap(self, wish: Wish, granted: Granted, done: Callable[[], None]) -> None:
        """Remove it; *done* comes in any case."""

    def close(self) -> None:
        """Stop everything under way."""
