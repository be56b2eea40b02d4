"""One connection's words: sending, refusing, waiting, ending. No command is known here."""

from __future__ import annotations

from typing import Protocol

from wlnet.protocols.metaserver.wire import PacketTooLongError, encode


class Output(Protocol):
    """The thin shell around a connection, as the session sees it. Nothing here waits or raises."""

    def send(self, packet: bytes) -> None:
        """Queue a whole packet; a peer that lets too many pile up is dropped by the shell."""

    @property
    def congested(self) -> bool:
        """So much is queued that the peer's commands should wait; ``Session.drained`` is called later."""

    def close(self) -> None:
        """Send what is queued, then close."""

    def pause(self) -> None:
        """Bring no more bytes for now."""

    def resume(self) -> None:
        """Bring bytes again."""

    def note(self, what: str, **values: object) -> None:
        """A log line about this connection; *what* is a fixed format, the peer's text goes in *values*."""


class Conversation:
    """What can be said to one client.

    :ivar ended: nothing of this connection is carried out any more.
    """

    def __init__(self, output: Output) -> None:
        self.output = output
        self.ended = False

    def send(self, *fields: str) -> None:
        """One packet; text that does not fit into one is left out with a note."""
        try:
            self.send_packet(encode(*fields))
        except PacketTooLongError:
            self.output.note("a {command} was too long to be sent", command=fields[0])

    def send_packet(self, packet: bytes) -> None:
        """A packet that is encoded already."""
        if not self.ended:
            self.output.send(packet)

    def error(self, command: str, text: str) -> None:
        """*command* failed; the connection goes on."""
        self.send("ERROR", command, text)

    def fail(self, command: str, text: str) -> None:
        """*command* failed for good: say so and close."""
        self.output.note("refused {command}: {text}", command=command, text=text)
        self.error(command, text)
        self.end()

    def disconnect(self, reason: str) -> None:
        """Say why, and close."""
        self.send("DISCONNECT", reason)
        self.end()

    def end(self) -> None:
        """Close once everything queued is sent."""
        if not self.ended:
            self.ended = True
            self.output.close()
