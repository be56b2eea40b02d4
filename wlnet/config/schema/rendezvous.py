"""Peer games."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from wlnet.config.schema.kinds import AtLeastOne, Count, Interval, Rate, Section, Size


class Rendezvous(Section, frozen=True):
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
        Meta(
            ge=65536, le=2**40, description="Size of that file and the one before it; the oldest attempts go."
        ),
    ] = 16777216
    used_tickets_per_player: Annotated[
        AtLeastOne,
        Meta(description="Used tickets of one player the lobby remembers at a time; more are refused."),
    ] = 64
