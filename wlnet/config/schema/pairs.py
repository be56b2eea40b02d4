"""The relay of pairs."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from wlnet.config.schema.kinds import AtLeastOne, Count, Interval, Rate, Section, Size


class Pairs(Section, frozen=True):
    """The relay of pairs: carries datagrams between two peers who hold tickets. Runs on stun.second_port."""

    enabled: Annotated[bool, Meta(description="Whether it runs; needs STUN in this process.")] = True
    max_pairs: Annotated[Count, Meta(description="Pairs carried at a time.")] = 1000
    pairs_per_address: Annotated[
        AtLeastOne, Meta(description="Sides of pairs from one IPv4 address or IPv6 /64.")
    ] = 64
    rate: Annotated[
        Size,
        Meta(ge=1024, le=2**40, description="Bytes a second one side may send; a ticket may allow less. Every datagram "
             "counts 48 bytes more than it carries, here and below."),
    ] = 262144  # fmt: skip
    burst: Annotated[Size, Meta(ge=4096, le=2**40, description="Bytes at once.")] = 524288
    address_rate: Annotated[
        Size,
        Meta(ge=0, le=2**40, description="Bytes a second of all sides of one IPv4 address or IPv6 /64; 0: no limit."),
    ] = 2097152  # fmt: skip
    address_burst: Annotated[Size, Meta(ge=4096, le=2**40, description="Bytes at once.")] = 4194304
    total_rate: Annotated[
        Size,
        Meta(ge=0, le=2**40, description="Bytes a second in all; 0: no limit. When it is reached every address gets an "
             "equal share, and what it does not use is for the others."),
    ] = 12500000  # fmt: skip
    transfer: Annotated[
        Size, Meta(ge=65536, le=2**50, description="Bytes of one pair, both ways; a ticket may allow less.")
    ] = 1073741824
    lifetime: Annotated[Interval, Meta(description="A pair ends after so long.")] = 43200.0
    idle: Annotated[
        Interval, Meta(description="A side silent for so long is forgotten; a ticket may say less.")
    ] = 60.0
    bind_rate: Annotated[
        Rate, Meta(description="Tickets shown by one IPv4 address or IPv6 /64; more are refused.")
    ] = 5.0
    bind_burst: Annotated[AtLeastOne, Meta(description="Such tickets at once.")] = 60
    challenge_rate: Annotated[
        Rate, Meta(description="First datagrams answered in all, before anybody has proven his address.")
    ] = 2000.0
    challenge_burst: Annotated[AtLeastOne, Meta(description="Such datagrams at once.")] = 2000
    ended_pairs: Annotated[
        AtLeastOne,
        Meta(
            description="Ended pairs remembered, so that their tickets are worth nothing; the oldest go first."
        ),
    ] = 20000
    tcp_connections: Annotated[AtLeastOne, Meta(description="TCP connections of sides at a time.")] = 1000
    tcp_connections_per_address: Annotated[
        AtLeastOne, Meta(description="The same from one IPv4 address or IPv6 /64.")
    ] = 64
    tcp_handshake_timeout: Annotated[
        Interval, Meta(description="A TCP connection that is no side by then is closed.")
    ] = 10.0
    tcp_queue: Annotated[
        Size,
        Meta(ge=4096, le=2**30, description="Bytes waiting for a TCP side; datagrams that do not fit are dropped."),
    ] = 65536  # fmt: skip
    tcp_stall: Annotated[
        Interval,
        Meta(
            description="A TCP side that does not read the next 16 KiB that wait for it within this time is closed."
        ),
    ] = 15.0
