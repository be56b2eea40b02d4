"""Reports of a forwarding as sentences for people; None for those that say nothing new."""

from __future__ import annotations

from wlnet.client.forward import reports
from wlnet.client.forward.reports import Report
from wlnet.client.lobby.words import shown

_WAYS = {"tcp": "TCP", "udp": "UDP"}


def sentence(report: Report) -> str | None:
    """One line, without anything that could disturb a terminal."""
    text = _sentence(report)
    return "".join(one if one.isprintable() else " " for one in text) if text is not None else None


def way(report: reports.PathTaken) -> str:
    """A path in a few words: ``punched (punch, UDP over IPv4)``."""
    transport = _WAYS.get(report.transport, report.transport)
    family = f" over IPv{report.family}" if report.family is not None else ""
    return f"{report.kind} ({report.technique}, {transport}{family})"


def amount(size: int) -> str:
    """Bytes for people."""
    if size < 1000:
        return f"{size} B"
    value = float(size)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.95 or unit == "GB":
            return f"{value:.1f} {unit}"
    raise AssertionError


def joined(address: str, port: int) -> str:
    """As one writes it."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _sentence(report: Report) -> str | None:
    match report:
        case reports.Lobby(name=name):
            return f"You are {shown(name)} in the lobby."
        case reports.LobbyLost(reason=reason, again=again):
            return f"{reason} Trying again in {again:g} s; games go on."
        case reports.Note(text=text):
            return text
        case reports.Hosting(game=game):
            return f"Your game {shown(game)!r} is listed; others can join it."
        case reports.Joining(game=game):
            return f"Asking for the host of {shown(game)!r}."
        case reports.Listening(traffic=traffic, address=address, port=port):
            kind = "TCP or UDP" if traffic == "any" else _WAYS[traffic]
            return f"Let your game connect to {joined(address, port)} ({kind})."
        case reports.PeerHere(peer=peer):
            return f"{shown(peer)} is there; the game can be played."
        case _:
            return _later(report)


def _later(report: Report) -> str | None:
    match report:
        case reports.PathTaken(peer=peer, reason=reason):
            return f"{shown(peer)}: {way(report)}, {_milliseconds(report.rtt_ms)}. {reason}"
        case reports.PathLost(peer=peer, reason=reason):
            return f"{shown(peer)}: {reason}"
        case reports.SteeringEnded(peer=peer, text=text):
            return f"{shown(peer)}: {text}" if peer else text
        case reports.PeerGone(peer=peer, reason=reason, sent=sent, received=received):
            return f"{shown(peer)} is gone ({amount(sent)} sent, {amount(received)} received). {reason}"
        case reports.Trouble(text=text):
            return f"Warning: {text}"
        case reports.Closed(reason=reason):
            return reason
        case _:
            return None


def _milliseconds(value: float) -> str:
    return f"{value:.0f} ms" if value else "round trip not measured yet"
