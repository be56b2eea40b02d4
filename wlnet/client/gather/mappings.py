"""What a gathering asks of whoever gets port mappings from the router."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from wlnet.steering.model import Family, Transport


class Mapped(Struct, frozen=True):
    """The router sends what arrives at *address* and *port* to us."""

    address: str
    port: int


class Lease(Protocol):
    """A mapping asked for; it is renewed until it is closed."""

    def close(self) -> None:
        """Give it back; nothing is called any more."""


class Mapper(Protocol):
    """Gets port mappings (PCP, NAT-PMP, UPnP IGD)."""

    def map(
        self,
        transport: Transport,
        family: Family,
        local_port: int,
        told: Callable[[Mapped | None], None],
        *,
        wanted_port: int = 0,
    ) -> Lease:
        """Ask for a mapping to *local_port*.

        :param told: what was granted, never within this call; again when that is another one or, None, lost.
            Nothing is told where no router grants anything.
        :param wanted_port: the external port one would like; 0: any.
        """


class RouterMapper(Mapper, Protocol):
    """A mapper as its owner has it."""

    def refresh(self) -> None:
        """Our network may have changed, or the router started again: ask for everything anew."""

    def close(self, done: Callable[[], None]) -> None:
        """Give all mappings back; *done* is called when the router knows, or soon in any case."""
