"""STUN."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from wlnet.config.schema.kinds import Interval, Port, Section


class Stun(Section, frozen=True):
    """STUN: tells peers how the outside sees them. Runs beside the relay, on UDP and TCP."""

    enabled: Annotated[bool, Meta(description="Whether it runs; needs the relay in this process.")] = True
    listen: Annotated[
        tuple[str, ...],
        Meta(min_length=1, description="Addresses to listen on. Remove one family for a single-family server."),
    ] = ("0.0.0.0", "::")  # fmt: skip
    port: Annotated[Port, Meta(description="UDP and TCP port; 0 picks a free one.")] = 3478
    second_port: Annotated[
        Port,
        Meta(description="The other port needed to learn what a NAT does; also that of relayed datagrams. 0 picks a "
             "free one."),
    ] = 3479  # fmt: skip
    second_addresses: Annotated[
        tuple[str, ...],
        Meta(max_length=2, description="A second address of this machine, at most one IPv4 and one IPv6 literal. With it "
             "clients can tell all kinds of NATs apart, without it most."),
    ] = ()  # fmt: skip
    second_public_addresses: Annotated[
        tuple[str, ...],
        Meta(max_length=2, description="What clients are told instead, if second_addresses lie behind a 1:1 NAT. For the "
             "first address relay.public_addresses says that."),
    ] = ()  # fmt: skip
    idle_timeout: Annotated[
        Interval, Meta(description="A TCP connection without a request for so long is closed.")
    ] = 60.0
