"""wlnet: lobby and relay for open multiplayer games, one Twisted service."""

__version__ = "0.1.0"
