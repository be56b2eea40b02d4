"""One player's exchange: the command WLNET of the metaserver protocol, from negotiation to close."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from wlnet.lobby.player import Player
from wlnet.metrics import Front, Limit, Metrics
from wlnet.protocols.exchange.messages import (
    VERSION,
    Candidates,
    Carried,
    Hello,
    Join,
    Leave,
    ListGames,
    MessageError,
    Probed,
    Publish,
    Ready,
    Renew,
    Report,
    Said,
    Unpublish,
    decode_said,
    encode,
)
from wlnet.protocols.exchange.watcher import ExchangeWatcher, NoWatcher
from wlnet.rendezvous.desk import Desk, Refusing
from wlnet.rendezvous.events import Ended, Refused, Told
from wlnet.rendezvous.member import Member

COMMAND = "WLNET"

Send = Callable[..., None]
"""Sends one packet of the given fields."""


class Exchange:
    """The machine behind one connection; a client that never says the command costs nothing.

    :param send: sends fields to the client.
    :param complain: sends an error about the command; the connection goes on.
    :param watcher: hears what goes wrong.
    """

    def __init__(
        self,
        desk: Desk,
        metrics: Metrics,
        player: Player,
        reached_at: str,
        send: Send,
        complain: Callable[[str], None],
        watcher: ExchangeWatcher,
    ) -> None:
        self._desk = desk
        self._metrics = metrics
        self._player = player
        self._reached_at = reached_at
        self._send = send
        self._complain = complain
        self._watcher = watcher
        self._member: Member | None = None
        self._closed = False

    def receive(self, text: str) -> None:
        """The field after the command: a version, or JSON once that is agreed."""
        if text.lstrip()[:1] != "{":
            self._negotiate(text)
        elif self._member is None:
            self._malformed(Limit.MALFORMED, "NOT_NEGOTIATED")
        elif len(text) > self._desk.settings.message_size:
            self._malformed(Limit.PACKET_SIZE, "MESSAGE_TOO_LONG")
        else:
            self._message(self._member, text)

    def close(self) -> None:
        """The connection is gone."""
        self._closed = True
        member, self._member = self._member, None
        if member is not None:
            self._desk.leave(member)

    def tell(self, told: Told) -> None:
        """See :class:`~wlnet.rendezvous.events.ExchangeInbox`."""
        if not self._closed:
            self._send(COMMAND, encode(told))
            if isinstance(told, Ended):
                self._watcher.ended(self._player, told)

    def _negotiate(self, text: str) -> None:
        """The highest version the client can; asked again, it gets new tickets."""
        if not (text.isascii() and text.isdigit() and len(text) <= 6 and int(text) >= VERSION):
            self._malformed(Limit.MALFORMED, "UNSUPPORTED_VERSION")
            return
        if self._member is None:
            self._member = self._desk.enter(self._player, self, self._reached_at)
        settings = self._desk.settings
        hello = Hello(
            version=VERSION,
            address=self._player.address,
            observe=self._desk.observe_tickets(self._member),
            message_size=settings.message_size,
            candidates=settings.candidates,
            stun=self._desk.stun(self._member),
        )
        self._send(COMMAND, str(VERSION), encode(hello))

    def _message(self, member: Member, text: str) -> None:
        try:
            said = decode_said(text)
        except MessageError as error:
            self._malformed(Limit.MALFORMED, f"MALFORMED_MESSAGE {error}")
            return
        try:
            self._carry_out(member, said)
        except Refusing as refusing:
            asked = str(type(said).__struct_config__.tag)
            self._watcher.refused(self._player, asked, refusing.code, refusing.text)
            self.tell(
                Refused(
                    of=asked,
                    code=refusing.code,
                    text=refusing.text,
                    attempt=getattr(said, "attempt", 0),
                )
            )

    def _malformed(self, limit: Limit, problem: str) -> None:
        self._metrics.limited(Front.RENDEZVOUS, limit)
        self._watcher.malformed(self._player, problem)
        self._complain(problem)

    def _carry_out(self, member: Member, said: Said) -> None:
        desk = self._desk
        match said:
            case Publish(game=game, traffic=traffic, fingerprint=fingerprint):
                desk.publish(member, game, traffic, fingerprint)
            case Unpublish(game=game):
                desk.unpublish(member, game)
            case ListGames():
                desk.list_games(member)
            case Join(game=game, fingerprint=fingerprint):
                desk.join(member, game, fingerprint)
            case Ready(attempt=attempt):
                desk.ready(member, attempt)
            case Candidates(attempt=attempt):
                desk.present(member, attempt, said.claims())
            case Report(attempt=attempt, step=step, result=result, detail=detail):
                desk.report(member, attempt, step, result, _one_line(detail))
            case Carried(attempt=attempt, step=step):
                desk.carried(member, attempt, step)
            case Probed(token=token):
                desk.probed(member, token)
            case Renew(attempt=attempt):
                desk.renew(member, attempt)
            case Leave(attempt=attempt):
                desk.depart(member, attempt)


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)


def exchanges(
    desk: Desk, metrics: Metrics, watcher: ExchangeWatcher | None = None
) -> Callable[[Player, str, Send, Callable[[str], None]], Exchange]:
    """Makes an exchange for each player who is seated: ``Office.extension`` of the metaserver."""
    return partial(Exchange, desk, metrics, watcher=watcher or NoWatcher())
