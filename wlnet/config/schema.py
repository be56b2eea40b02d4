"""Every setting of wlnet: name, unit, default, meaning.

The comments of ``wlnet config init``, the reference in ``docs/operators.md`` and the checks at start are
all made from these structs. Durations are seconds and sizes are bytes once loaded; in the file they may be
written with a unit (``"15s"``, ``"5min"``, ``"256KiB"``).
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

TEN_YEARS = 315_360_000

Duration = Annotated[float, Meta(ge=0, le=TEN_YEARS, extra={"unit": "duration"})]
Interval = Annotated[float, Meta(ge=0.01, le=TEN_YEARS, extra={"unit": "duration"})]
"""A duration something is repeated at, so never zero."""
Size = Annotated[int, Meta(extra={"unit": "size"})]
Count = Annotated[int, Meta(ge=0, le=1_000_000_000)]
AtLeastOne = Annotated[int, Meta(ge=1, le=1_000_000_000)]
Port = Annotated[int, Meta(ge=0, le=65535)]
Rate = Annotated[float, Meta(ge=0, le=1_000_000, extra={"unit": "per second"})]
"""Zero means: no limit."""


class _Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class Server(_Section, frozen=True):
    """What this process is."""

    roles: Annotated[
        tuple[Literal["lobby", "relay"], ...],
        Meta(min_length=1, description="What runs in this process. One process with both is the usual; with "
             "one each, join them by [link]."),
    ] = ("lobby", "relay")  # fmt: skip
    state_dir: Annotated[
        str, Meta(description="Where relative paths (database, secrets) are looked up and made.")
    ] = "."


class Lobby(_Section, frozen=True):
    """The lobby: the metaserver that game clients log in to."""

    listen: Annotated[
        tuple[str, ...],
        Meta(min_length=1, description="Addresses to listen on. Remove one family for a single-family server."),
    ] = ("0.0.0.0", "::")  # fmt: skip
    port: Annotated[Port, Meta(description="TCP port; 0 picks a free one. Clients use 7395 by default.")] = (
        7395
    )
    motd: Annotated[
        str,
        Meta(max_length=1000, description="Message of the day, shown to everybody at login; empty for none."),
    ] = ""
    max_players: Annotated[Count, Meta(description="Players logged in at a time.")] = 3000
    max_games: Annotated[Count, Meta(description="Games listed at a time.")] = 1000
    ping_interval: Annotated[
        Interval,
        Meta(description="PING to each player this often, whatever else is sent. Released clients reconnect "
             "after 240 s without one."),
    ] = 15.0  # fmt: skip
    silence_timeout: Annotated[
        Interval,
        Meta(description="A player who sent nothing for so long is disconnected (and may come back)."),
    ] = 30.0
    login_silence_timeout: Annotated[
        Interval, Meta(description="The same for a connection that has not logged in.")
    ] = 120.0
    login_deadline: Annotated[
        Interval,
        Meta(description="A connection that never logs in is closed after so long, whatever it sends."),
    ] = 600.0
    lost_session_lifetime: Annotated[
        Duration, Meta(description="How long a player whose connection was lost keeps name and game.")
    ] = 300.0
    max_lost_players: Annotated[
        Count, Meta(description="Seats kept for such players at a time; beyond it the oldest are freed.")
    ] = 1000
    announce_delay: Annotated[
        Duration, Meta(description="A newcomer is announced to the others after so long, or when chatting.")
    ] = 3.0
    leave_delay: Annotated[
        Duration,
        Meta(description="A leave is announced after so long; nothing if the player is back by then."),
    ] = 3.0
    update_interval: Annotated[
        Duration,
        Meta(description="The lists' CLIENTS_UPDATE and GAMES_UPDATE are sent at once after a quiet time, "
             "and at most this often in a busy one."),
    ] = 1.0  # fmt: skip
    reclaim_probe: Annotated[
        Duration,
        Meta(description="Somebody with the same secret logs in while the old connection looks alive: it is "
             "pinged and has so long to answer before name and game move."),
    ] = 3.0  # fmt: skip
    reclaim_candidates: Annotated[
        Count, Meta(description="How many such old connections are tried at most (a client waits 10 s).")
    ] = 3
    relogin_probe: Annotated[Duration, Meta(description="The same wait for RELOGIN of build 19 clients.")] = (
        5.0
    )
    host_timeout: Annotated[
        Duration, Meta(description="A game whose host has not reached the relay by then is removed.")
    ] = 30.0
    probe_port: Annotated[
        Port, Meta(description="Where build 19 games on the host's own machine are tested.")
    ] = 7396
    probe_first_timeout: Annotated[Interval, Meta(description="Time limit of the first such test.")] = 10.0
    probe_timeout: Annotated[Interval, Meta(description="Time limit of the repeated tests.")] = 30.0
    probe_interval: Annotated[Interval, Meta(description="Pause between the tests of one game.")] = 30.0
    max_probes: Annotated[Count, Meta(description="Tests under way at a time.")] = 50
    close_linger: Annotated[
        Duration, Meta(description="How long a dropped player may take to read the reason.")
    ] = 5.0
    relay_grace: Annotated[
        Duration, Meta(description="Games of a relay whose link broke stay listed for so long.")
    ] = 30.0


class Relay(_Section, frozen=True):
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


class Stun(_Section, frozen=True):
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


class Pairs(_Section, frozen=True):
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


class Rendezvous(_Section, frozen=True):
    """Brings hosts and guests of peer games together: who may send what to whom, and when."""

    enabled: Annotated[
        bool, Meta(description="Whether clients that can do it may publish and join games carried by peers.")
    ] = True
    attempts: Annotated[
        Count,
        Meta(description="Pairs of a guest and a host known at a time; the oldest that ended go first."),
    ] = 2000
    attempts_per_host: Annotated[Count, Meta(description="Attempts under way to one host.")] = 64
    attempts_per_guest: Annotated[Count, Meta(description="Attempts under way of one guest.")] = 4
    join_rate: Annotated[
        Rate, Meta(description="Wishes of one player to join a peer game; as many to see the list.")
    ] = 0.5
    join_burst: Annotated[AtLeastOne, Meta(description="Such wishes at once.")] = 10
    games_listed: Annotated[
        Annotated[int, Meta(ge=1, le=1000)], Meta(description="Peer games named in one list of them.")
    ] = 100
    message_size: Annotated[
        Size, Meta(ge=1024, le=32768, description="Longest message of a client, JSON in UTF-8.")
    ] = 12000
    candidates: Annotated[
        Annotated[int, Meta(ge=1, le=64)], Meta(description="Addresses one side may name at a time.")
    ] = 32
    gather_time: Annotated[
        Interval, Meta(description="What the two sides have found out by then makes the plan.")
    ] = 2.0
    connect_time: Annotated[
        Interval, Meta(description="An attempt without play after so long has failed.")
    ] = 20.0
    upgrade_time: Annotated[
        Interval, Meta(description="After the first play better paths are tried for so long at most.")
    ] = 45.0
    probe_time: Annotated[
        Interval,
        Meta(description="A public address the server could not reach within this time is not used."),
    ] = 3.0
    probe_again: Annotated[
        Interval,
        Meta(description="A public address named again so long after its last test is tested again."),
    ] = 300.0
    probes: Annotated[Count, Meta(description="Such tests under way at a time.")] = 200
    probes_per_player: Annotated[Count, Meta(description="Such tests of one player under way.")] = 8
    birthday: Annotated[
        bool,
        Meta(description="Whether two players who both agree may try up to 1024 random ports; it looks like a port "
             "scan to some networks."),
    ] = True  # fmt: skip
    ticket_lifetime: Annotated[
        float,
        Meta(
            ge=0.01,
            le=3600,
            extra={"unit": "duration"},
            description="A ticket for the relay is good for so long.",
        ),
    ] = 120.0
    clock_skew: Annotated[
        float,
        Meta(
            ge=0,
            le=600,
            extra={"unit": "duration"},
            description="How far the clocks of lobby and relay may differ.",
        ),
    ] = 30.0
    trace_file: Annotated[
        str,
        Meta(description="What happened in each attempt is written to this file in server.state_dir, for `wlnet trace`; "
             "empty: nowhere."),
    ] = "attempts.jsonl"  # fmt: skip
    trace_size: Annotated[
        Size,
        Meta(ge=65536, le=2**40, description="Size of that file and the one before it; the oldest attempts go."),
    ] = 16777216
    used_tickets_per_player: Annotated[
        AtLeastOne,
        Meta(description="Used tickets of one player the lobby remembers at a time; more are refused."),
    ] = 64


class Tls(_Section, frozen=True):
    """TLS for the lobby and for relayed pairs, on ports of their own; off without a certificate."""

    certificate: Annotated[
        str,
        Meta(description="File with the certificate, then those that lead to its root (PEM, fullchain.pem of Let's "
             "Encrypt); empty: no TLS. Read again when it changes."),
    ] = ""  # fmt: skip
    key: Annotated[str, Meta(description="File with its private key (PEM, without a password).")] = ""
    services: Annotated[
        tuple[Literal["lobby", "pairs"], ...],
        Meta(min_length=1, description="What can be reached over TLS: the lobby; relayed pairs and STUN."),
    ] = ("lobby", "pairs")  # fmt: skip
    lobby_port: Annotated[
        Port, Meta(description="TCP port of the lobby over TLS, at lobby.listen; 0 picks a free one.")
    ] = 7394
    pairs_port: Annotated[
        Port,
        Meta(description="TCP port of relayed pairs and STUN over TLS, at stun.listen; 0 picks a free one. Some networks "
             "let out nothing but 443."),
    ] = 443  # fmt: skip
    handshake_timeout: Annotated[
        Interval, Meta(description="A connection that is not encrypted by then is closed.")
    ] = 10.0
    check_interval: Annotated[
        Interval, Meta(description="Pause between two looks whether the files have changed.")
    ] = 5.0


class Limits(_Section, frozen=True):
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


class Database(_Section, frozen=True):
    """Where accounts, bans and mutes are kept."""

    url: Annotated[
        str,
        Meta(min_length=1, description="SQLAlchemy URL. A relative SQLite path lies in server.state_dir."),
    ] = "sqlite:///wlnet.sqlite3"
    threads: Annotated[Annotated[int, Meta(ge=1, le=64)], Meta(description="Threads that talk to it.")] = 4
    timeout: Annotated[
        Interval, Meta(description="A question to the database not answered by then counts as failed.")
    ] = 5.0
    max_pending: Annotated[Count, Meta(description="Questions waiting at a time; more fail at once.")] = 500
    failures_tolerated: Annotated[
        Annotated[int, Meta(ge=1)],
        Meta(description="After so many failures in a row questions fail at once, without being asked."),
    ] = 3
    retry_pause: Annotated[Interval, Meta(description="Pause between two looks whether it is back.")] = 5.0
    known_names: Annotated[
        Count,
        Meta(description="Names of accounts remembered, so that nobody else gets them while it is away."),
    ] = 10000


class Moderation(_Section, frozen=True):
    """Bans and mutes."""

    kick_duration: Annotated[Duration, Meta(description="How long /kick keeps a player out.")] = 300.0
    ban_duration: Annotated[Duration, Meta(description="How long /ban keeps a player out.")] = 86400.0
    refresh_interval: Annotated[
        Interval, Meta(description="How soon a change made by another program (wlnet ban ...) takes effect.")
    ] = 2.0
    max_entries: Annotated[Count, Meta(description="Bans and mutes in force at a time.")] = 100000


class Link(_Section, frozen=True):
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
        Meta(description="Tickets of one player that a relay got at its STUN ports and passes on to the lobby."),
    ] = 2.0
    observation_burst: Annotated[AtLeastOne, Meta(description="Such tickets at once.")] = 20
    max_observations: Annotated[
        Count, Meta(description="Such tickets the lobby has not judged yet; more are dropped.")
    ] = 500
    queue_limit: Annotated[
        Size, Meta(description="A link with more than this waiting to be read by the other end is dropped; the relay "
                   "dials again.")
    ] = 4194304  # fmt: skip


class Logging(_Section, frozen=True):
    """What is written about it all."""

    format: Annotated[
        Literal["text", "json"], Meta(description="Text for people, or one JSON object a line.")
    ] = "text"
    level: Annotated[
        Literal["debug", "info", "warn", "error"], Meta(description="The least important lines written.")
    ] = "info"
    file: Annotated[str, Meta(description="File to write to; empty for standard output.")] = ""
    shorten_addresses: Annotated[
        bool, Meta(description="Write addresses without their last part (203.0.113.x).")
    ] = False
    figures_interval: Annotated[
        Duration,
        Meta(description="A line with players, games, connections and limits hit, this often; 0 for never."),
    ] = 3600.0


class Config(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole file: one table a section."""

    server: Server = field(default_factory=Server)
    lobby: Lobby = field(default_factory=Lobby)
    relay: Relay = field(default_factory=Relay)
    stun: Stun = field(default_factory=Stun)
    pairs: Pairs = field(default_factory=Pairs)
    rendezvous: Rendezvous = field(default_factory=Rendezvous)
    tls: Tls = field(default_factory=Tls)
    limits: Limits = field(default_factory=Limits)
    database: Database = field(default_factory=Database)
    moderation: Moderation = field(default_factory=Moderation)
    link: Link = field(default_factory=Link)
    logging: Logging = field(default_factory=Logging)
