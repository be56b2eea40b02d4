"""What a process is, and what it writes down."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from wlnet.config.schema.kinds import Duration, Section


class Server(Section, frozen=True):
    """What this process is."""

    roles: Annotated[
        tuple[Literal["lobby", "relay"], ...],
        Meta(min_length=1, description="What runs in this process. One process with both is the usual; with "
             "one each, join them by [link]."),
    ] = ("lobby", "relay")  # fmt: skip
    state_dir: Annotated[
        str, Meta(description="Where relative paths (database, secrets) are looked up and made.")
    ] = "."


class Logging(Section, frozen=True):
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
