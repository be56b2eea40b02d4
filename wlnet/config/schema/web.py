"""HTTP."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from wlnet.config.schema.kinds import AtLeastOne, Interval, Port, Rate, Section


class Web(Section, frozen=True):
    """HTTP for monitoring (/metrics, /healthz, /readyz) and for web sites (/status.json)."""

    enabled: Annotated[bool, Meta(description="Whether it runs.")] = True
    listen: Annotated[
        tuple[str, ...],
        Meta(min_length=1, description="Addresses to listen on. /metrics is not for everybody: keep it on loopback or in "
             "a network of your own."),
    ] = ("127.0.0.1",)  # fmt: skip
    port: Annotated[
        Port,
        Meta(description="TCP port; 0 picks a free one. If another program has it, that is only a warning."),
    ] = 8080
    status_public: Annotated[
        bool, Meta(description="Whether there is /status.json: players and games, without addresses.")
    ] = True
    status_listen: Annotated[
        tuple[str, ...],
        Meta(description='Addresses where there is /status.json and nothing else, like "0.0.0.0" and "::".'),
    ] = ()
    status_port: Annotated[Port, Meta(description="TCP port of those; 0 picks a free one.")] = 8081
    status_cache: Annotated[Interval, Meta(description="/status.json is made anew at most this often.")] = 2.0
    status_origin: Annotated[
        str,
        Meta(max_length=200, description='Web site whose scripts may read /status.json (like "https://example.org"); '
             '"*" for all, empty for none.'),
    ] = "*"  # fmt: skip
    lag_limit: Annotated[
        Interval,
        Meta(description="/healthz says unhealthy while the server is later than this with its work."),
    ] = 5.0
    timeout: Annotated[
        Interval,
        Meta(
            description="A request not complete by then is refused; an answer not taken as long after is cut off."
        ),
    ] = 10.0
    connections: Annotated[
        AtLeastOne, Meta(description="Connections at a time, at each of the two ports.")
    ] = 200
    connections_per_address: Annotated[
        AtLeastOne, Meta(description="The same from one IPv4 address or IPv6 /64.")
    ] = 20
    request_rate: Annotated[
        Rate, Meta(description="Requests of one IPv4 address or IPv6 /64; more are answered by an error.")
    ] = 10.0
    request_burst: Annotated[AtLeastOne, Meta(description="Such requests at once.")] = 50
