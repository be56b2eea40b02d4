"""What strangers may cost."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from wlnet.config.schema.kinds import AtLeastOne, Count, Rate, Section, Size


class Limits(Section, frozen=True):
    """What strangers may cost. Loopback and trusted networks are exempt from per-address limits."""

    trusted_networks: Annotated[
        tuple[str, ...],
        Meta(max_length=64, description='Networks like "10.1.0.0/16" no per-address limit applies to.'),
    ] = ()
    lobby_connections: Annotated[AtLeastOne, Meta(description="Connections to the lobby at a time.")] = 4000
    lobby_connections_per_address: Annotated[
        AtLeastOne, Meta(description="The same from one IPv4 address or IPv6 /64.")
    ] = 30
    lost_players_per_address: Annotated[
        Count, Meta(description="Seats kept for cut-off players of one IPv4 address or IPv6 /64.")
    ] = 10
    relay_connections: Annotated[AtLeastOne, Meta(description="Connections to the relay at a time.")] = 8000
    relay_connections_per_address: Annotated[
        AtLeastOne, Meta(description="The same from one IPv4 address or IPv6 /64.")
    ] = 60
    lobby_packet: Annotated[Size, Meta(ge=64, le=65535, description="Longest packet a player may send.")] = (
        16384
    )
    lobby_packet_before_login: Annotated[
        Size, Meta(ge=64, le=65535, description="The same for a connection that has not logged in.")
    ] = 2048
    relay_hello: Annotated[
        Size, Meta(ge=64, le=65535, description="Longest Hello, and longest reason of a Disconnect.")
    ] = 1024
    name_length: Annotated[
        Annotated[int, Meta(ge=1, le=255)], Meta(description="Characters of a player's name.")
    ] = 40
    game_name_length: Annotated[
        Annotated[int, Meta(ge=1, le=255)], Meta(description="Bytes of a game's name.")
    ] = 80
    build_length: Annotated[
        Annotated[int, Meta(ge=1, le=255)], Meta(description="Bytes of a build string.")
    ] = 64
    nonce_length: Annotated[
        Annotated[int, Meta(ge=1, le=1024)], Meta(description="Bytes of a login secret or clear password.")
    ] = 128
    chat_length: Annotated[
        Annotated[int, Meta(ge=1, le=16000)],
        Meta(description="Bytes of one chat line, MOTD or announcement."),
    ] = 1000
    games_per_player: Annotated[Count, Meta(description="Games one player may host at a time.")] = 1
    command_rate: Annotated[
        Rate, Meta(description="Lobby commands of one player; beyond it the server reads no faster.")
    ] = 20.0
    command_burst: Annotated[AtLeastOne, Meta(description="Commands at once.")] = 100
    chat_rate: Annotated[Rate, Meta(description="Chat lines of one player; those beyond it are refused.")] = (
        2.0
    )
    chat_burst: Annotated[AtLeastOne, Meta(description="Chat lines at once.")] = 30
    failed_login_rate: Annotated[
        Rate, Meta(description="Wrong passwords from one address; beyond it logins with account are refused.")
    ] = 0.1
    failed_login_burst: Annotated[AtLeastOne, Meta(description="Wrong passwords at once.")] = 10
    lobby_queue: Annotated[
        Size,
        Meta(
            ge=65536,
            le=2**40,
            description="A player with more than this waiting to be read by him is dropped, alone.",
        ),
    ] = 262144
    relay_round_trip_rate: Annotated[
        Rate,
        Meta(
            description="Requests of one relay peer for the table of round trip times; those beyond it get no answer."
        ),
    ] = 5.0
    relay_round_trip_burst: Annotated[Count, Meta(description="Such requests at once.")] = 20
    relay_commands: Annotated[
        Annotated[int, Meta(ge=500)],
        Meta(
            description="Commands that are no game packets, of one relay peer between two Pings; one more ends it."
        ),
    ] = 2000
    total_queues: Annotated[
        Size,
        Meta(
            ge=1048576,
            le=2**40,
            description="All such queues of lobby and relay together; beyond it the fullest is dropped.",
        ),
    ] = 268435456
    stun_rate: Annotated[
        Rate,
        Meta(description="STUN requests answered to one IPv4 address or IPv6 /64; a carrier's NAT may have many players "
             "behind one."),
    ] = 50.0  # fmt: skip
    stun_burst: Annotated[AtLeastOne, Meta(description="Such requests at once.")] = 300
    stun_total_rate: Annotated[Rate, Meta(description="STUN requests answered in all.")] = 10_000.0
    stun_total_burst: Annotated[AtLeastOne, Meta(description="Such requests at once.")] = 10_000
    stun_change_rate: Annotated[
        Rate,
        Meta(description="Requests of one IPv4 address or IPv6 /64 to be answered from another address or port, or to "
             "another port; more are answered by an error."),
    ] = 10.0  # fmt: skip
    stun_change_burst: Annotated[AtLeastOne, Meta(description="Such requests at once.")] = 60
    stun_total_change_rate: Annotated[Rate, Meta(description="Such requests in all.")] = 500.0
    stun_total_change_burst: Annotated[AtLeastOne, Meta(description="Such requests in all at once.")] = 1000
    stun_connections: Annotated[AtLeastOne, Meta(description="TCP connections to STUN at a time.")] = 1000
    stun_connections_per_address: Annotated[
        AtLeastOne, Meta(description="The same from one IPv4 address or IPv6 /64.")
    ] = 30
    log_rate: Annotated[
        Rate, Meta(description="Log lines about one address; what is left out is counted and told.")
    ] = 1.0
    log_burst: Annotated[AtLeastOne, Meta(description="Log lines at once.")] = 30
