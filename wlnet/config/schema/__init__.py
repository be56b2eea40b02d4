"""Every setting of wlnet: name, unit, default, meaning.

The comments of ``wlnet config init``, the reference in ``docs/operators.md`` and the checks at start are
all made from these structs. Durations are seconds and sizes are bytes once loaded; in the file they may be
written with a unit (``"15s"``, ``"5min"``, ``"256KiB"``).
"""

from __future__ import annotations

from msgspec import Struct, field

from wlnet.config.schema.keeping import Database, Moderation
from wlnet.config.schema.limits import Limits
from wlnet.config.schema.link import Link
from wlnet.config.schema.lobby import Lobby
from wlnet.config.schema.pairs import Pairs
from wlnet.config.schema.process import Logging, Server
from wlnet.config.schema.relay import Relay
from wlnet.config.schema.rendezvous import Rendezvous
from wlnet.config.schema.stun import Stun
from wlnet.config.schema.tls import Tls
from wlnet.config.schema.web import Web

__all__ = [
    "Config",
    "Database",
    "Limits",
    "Link",
    "Lobby",
    "Logging",
    "Moderation",
    "Pairs",
    "Relay",
    "Rendezvous",
    "Server",
    "Stun",
    "Tls",
    "Web",
]


class Config(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole file: one table a section."""

    server: Server = field(default_factory=Server)
    lobby: Lobby = field(default_factory=Lobby)
    relay: Relay = field(default_factory=Relay)
    stun: Stun = field(default_factory=Stun)
    pairs: Pairs = field(default_factory=Pairs)
    rendezvous: Rendezvous = field(default_factory=Rendezvous)
    tls: Tls = field(default_factory=Tls)
    web: Web = field(default_factory=Web)
    limits: Limits = field(default_factory=Limits)
    database: Database = field(default_factory=Database)
    moderation: Moderation = field(default_factory=Moderation)
    link: Link = field(default_factory=Link)
    logging: Logging = field(default_factory=Logging)
