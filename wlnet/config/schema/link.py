"""Lobby and relays in processes of their own."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from wlnet.config.schema.kinds import AtLeastOne, Count, Duration, Interval, Port, Rate, Section, Size


class Link(Section, frozen=True):
    """Joins a lobby process and relay processes. Not used while one process is both."""

    listen: Annotated[str, Meta(description="The lobby listens here for relays.")] = "127.0.0.1"
    port: Annotated[Port, Meta(description="TCP port of it; 0 picks a free one.")] = 7398
    lobby: Annotated[str, Meta(description="HOST:PORT at which a relay finds its lobby.")] = "127.0.0.1:7398"
    secret_file: Annotated[
        str,
        Meta(description="File with the secret both sides must have (32 characters or more). The lobby makes it if "
             "it is missing; copy it to the relay's machine."),
    ] = "link.secret"  # fmt: skip
    reconnect_min: Annotated[Interval, Meta(description="First pause before a relay dials again.")] = 0.5
    reconnect_max: Annotated[Interval, Meta(description="Longest such pause.")] = 10.0
    keepalive: Annotated[Interval, Meta(description="Pause between two signs of life on the link.")] = 5.0
    dead_after: Annotated[Interval, Meta(description="A link silent for so long is closed.")] = 15.0
    max_relays: Annotated[Count, Meta(description="Relays at a time.")] = 16
    handshake_timeout: Annotated[
        Duration,
        Meta(description="A link whose ends have not proven the secret to each other by then is closed."),
    ] = 5.0
    max_handshakes: Annotated[
        Count,
        Meta(
            description="Links at a time that have not proven the secret yet; a quarter of it from one address."
        ),
    ] = 16
    open_timeout: Annotated[
        Duration, Meta(description="A relay that has not opened a room by then is taken to have refused it.")
    ] = 5.0
    max_pending: Annotated[
        Count, Meta(description="Rooms one relay is asked to open at a time; more are refused at once.")
    ] = 500
    observation_rate: Annotated[
        Rate,
        Meta(
            description="Tickets of one player that a relay got at its STUN ports and passes on to the lobby."
        ),
    ] = 2.0
    observation_burst: Annotated[AtLeastOne, Meta(description="Such tickets at once.")] = 20
    max_observations: Annotated[
        Count, Meta(description="Such tickets the lobby has not judged yet; more are dropped.")
    ] = 500
    queue_limit: Annotated[
        Size, Meta(description="A link with more than this waiting to be read by the other end is dropped; the relay "
                   "dials again.")
    ] = 4194304  # fmt: skip
