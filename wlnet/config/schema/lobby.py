"""The lobby."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from wlnet.config.schema.kinds import Count, Duration, Interval, Port, Section


class Lobby(Section, frozen=True):
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
