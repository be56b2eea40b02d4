"""What is kept: accounts, bans and mutes."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from wlnet.config.schema.kinds import Count, Duration, Interval, Section


class Database(Section, frozen=True):
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


class Moderation(Section, frozen=True):
    """Bans and mutes."""

    kick_duration: Annotated[Duration, Meta(description="How long /kick keeps a player out.")] = 300.0
    ban_duration: Annotated[Duration, Meta(description="How long /ban keeps a player out.")] = 86400.0
    refresh_interval: Annotated[
        Interval, Meta(description="How soon a change made by another program (wlnet ban ...) takes effect.")
    ] = 2.0
    max_entries: Annotated[Count, Meta(description="Bans and mutes in force at a time.")] = 100000
