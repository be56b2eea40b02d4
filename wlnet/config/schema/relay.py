"""The relay of Widelands games."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from wlnet.config.schema.kinds import Count, Duration, Interval, Port, Section, Size


class Relay(Section, frozen=True):
    """The relay: carries the games, so that hosts behind NATs can be reached."""

    listen: Annotated[
        tuple[str, ...],
        Meta(min_length=1, description="Addresses to listen on. Remove one family for a single-family server."),
    ] = ("0.0.0.0", "::")  # fmt: skip
    port: Annotated[
        Port, Meta(description="TCP port; 0 picks a free one. Released clients can use 7397 only.")
    ] = 7397
    public_addresses: Annotated[
        tuple[str, ...],
        Meta(max_length=2, description="The addresses players are told, at most one IPv4 and one IPv6 literal. Empty: "
             "the address each player reached the lobby at, and this machine's address of the other family. Set "
             "it behind NAT, in containers and when the relay runs on a machine of its own."),
    ] = ()  # fmt: skip
    name: Annotated[
        str,
        Meta(min_length=1, max_length=64, description="Name of this relay towards the lobby and in logs."),
    ] = "relay"
    max_games: Annotated[Count, Meta(description="Games carried at a time.")] = 1000
    max_clients_per_game: Annotated[
        Annotated[int, Meta(ge=0, le=248)], Meta(description="Clients of one game, the host not counted.")
    ] = 248
    handshake_timeout: Annotated[
        Interval, Meta(description="A connection that has not said Hello by then is closed.")
    ] = 10.0
    host_timeout: Annotated[
        Duration, Meta(description="A room nobody became host of is removed after so long.")
    ] = 60.0
    first_ping: Annotated[Interval, Meta(description="The first Ping after Welcome.")] = 1.0
    ping_interval: Annotated[Interval, Meta(description="Pause between two Pings.")] = 15.0
    ping_timeout: Annotated[
        Interval, Meta(description="A peer that answered no Ping for so long is disconnected. Loading a big map on "
                       "a slow machine may take most of a minute.")
    ] = 90.0  # fmt: skip
    id_quarantine: Annotated[
        Duration,
        Meta(
            description="A client's id is not given again for so long, unless its host confirmed the end of it."
        ),
    ] = 300.0
    queue_limit: Annotated[
        Size,
        Meta(
            ge=131072,
            le=2**40,
            description="A peer with more than this waiting to be read by it is dropped, alone.",
        ),
    ] = 1048576
    farewell_delay: Annotated[
        Duration,
        Meta(
            description="Clients are disconnected so long after their host left or kicked them. Without a pause a released game "
            "often tells its player nothing and stands still."
        ),
    ] = 1.0
    close_linger: Annotated[
        Duration, Meta(description="How long a dropped peer may take to read the reason.")
    ] = 5.0
