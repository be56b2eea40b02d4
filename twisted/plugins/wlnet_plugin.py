"""Makes ``twistd wlnet`` known. Every twistd command imports this file, so it imports nothing heavy."""

from twisted.application.service import ServiceMaker

wlnet = ServiceMaker(
    "wlnet", "wlnet.service.tap", "Lobby and relay for multiplayer games, compatible with Widelands.", "wlnet"
)
