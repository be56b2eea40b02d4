"""Both ends prove that they have the secret before either reads anything else (docs/protocols/link.md 2).

    relay  -> lobby    greeting: "wlnet link" + version + nonce
    lobby  -> relay    greeting: the same, its own nonce
    relay  -> lobby    proof:    HMAC-SHA256(secret, "relay proof" + both greetings)
    lobby  -> relay    verdict:  one byte, and if it is 0 the proof of the lobby

All parts have fixed sizes. The proofs differ by role and cover both nonces, so neither an old proof nor one's
own helps anybody. The relay proves first: who only listens at a lobby's port gets no material.
"""

from __future__ import annotations

import hmac
from enum import Enum, IntEnum
from hashlib import sha256

from wlnet.link.wire import Role

VERSION = 1
NONCE_SIZE = 32
PROOF_SIZE = 32

_MAGIC = b"wlnet link"
_GREETING_SIZE = len(_MAGIC) + 1 + NONCE_SIZE


class Verdict(IntEnum):
    """The lobby's answer to a relay's proof."""

    WELCOME = 0
    WRONG_SECRET = 1


class HandshakeProblem(Enum):
    """Why a handshake failed; the value is for the log."""

    NOT_A_LINK = "it does not speak the protocol of the link"
    VERSION = "it speaks another version of the link; run the same version of wlnet at both ends"
    REFLECTED = "it sends back what it was sent"
    WRONG_SECRET = "the secrets differ; copy the lobby's link.secret_file to the relay's machine"  # noqa: S105
    IMPATIENT = "it talks before it may"


class HandshakeError(Exception):
    """The handshake failed; send ``reply`` (may be empty), then close."""

    def __init__(self, problem: HandshakeProblem, reply: bytes = b"") -> None:
        super().__init__(problem.value)
        self.problem = problem
        self.reply = reply


class Handshake:
    """One end of the handshake.

    :param role: which end this is.
    :param secret: the shared secret.
    :param nonce: :data:`NONCE_SIZE` random bytes, never used before.
    :raises ValueError: *nonce* has another size.
    """

    def __init__(self, role: Role, secret: bytes, nonce: bytes) -> None:
        if len(nonce) != NONCE_SIZE:
            raise ValueError("a nonce has 32 bytes")
        self._role = role
        self._secret = secret
        self._mine = _MAGIC + bytes([VERSION]) + nonce
        self._theirs: bytes | None = None
        self._buffer = b""
        self._failed = False
        self.session_key: bytes | None = None
        """Set when both ends have proven the secret."""

    def start(self) -> bytes:
        """What to send as soon as the connection is there: nothing for the lobby, the relay begins."""
        return self._mine if self._role is Role.RELAY else b""

    def receive(self, data: bytes) -> tuple[bytes, bytes]:
        """Take bytes; give what to send, and the bytes that belong to the frames after the handshake.

        Bytes after the handshake exist only for the relay (the lobby may send frames at once).

        :raises HandshakeError: it failed; every later call raises as well.
        """
        if self._failed:
            raise HandshakeError(HandshakeProblem.NOT_A_LINK)
        if self.session_key is not None:
            return b"", data
        try:
            return self._advance(self._buffer + data)
        except HandshakeError:
            self._failed = True
            self._buffer = b""
            raise

    def _advance(self, data: bytes) -> tuple[bytes, bytes]:
        if self._theirs is None:
            # What is wrong from the start is refused at once: a browser or a game need not send 43 bytes.
            if data[: len(_MAGIC)] != _MAGIC[: len(data)]:
                raise HandshakeError(HandshakeProblem.NOT_A_LINK)
            if len(data) < _GREETING_SIZE:
                self._buffer = data
                return b"", b""
            return self._greeted(data[:_GREETING_SIZE], data[_GREETING_SIZE:])
        if self._role is Role.LOBBY:
            return self._judge(data)
        return self._judged(data)

    def _greeted(self, greeting: bytes, rest: bytes) -> tuple[bytes, bytes]:
        self._theirs = greeting
        if greeting[len(_MAGIC)] != VERSION:
            # The relay learns our version from our greeting, and says so in its own log.
            raise HandshakeError(HandshakeProblem.VERSION, self._mine if self._role is Role.LOBBY else b"")
        if greeting == self._mine:
            raise HandshakeError(HandshakeProblem.REFLECTED)
        if rest:  # both ends now owe the other an answer
            raise HandshakeError(HandshakeProblem.IMPATIENT)
        self._buffer = b""
        return (self._mine if self._role is Role.LOBBY else self._digest(b"relay proof")), b""

    def _judge(self, data: bytes) -> tuple[bytes, bytes]:
        if len(data) < PROOF_SIZE:
            self._buffer = data
            return b"", b""
        if len(data) > PROOF_SIZE:
            raise HandshakeError(HandshakeProblem.IMPATIENT)
        if not hmac.compare_digest(data, self._digest(b"relay proof")):
            raise HandshakeError(HandshakeProblem.WRONG_SECRET, bytes([Verdict.WRONG_SECRET]))
        self._complete()
        return bytes([Verdict.WELCOME]) + self._digest(b"lobby proof"), b""

    def _judged(self, data: bytes) -> tuple[bytes, bytes]:
        if data and data[0] != Verdict.WELCOME:
            wrong = data[0] == Verdict.WRONG_SECRET
            raise HandshakeError(HandshakeProblem.WRONG_SECRET if wrong else HandshakeProblem.NOT_A_LINK)
        if len(data) < 1 + PROOF_SIZE:
            self._buffer = data
            return b"", b""
        if not hmac.compare_digest(data[1 : 1 + PROOF_SIZE], self._digest(b"lobby proof")):
            raise HandshakeError(HandshakeProblem.WRONG_SECRET)
        self._complete()
        return b"", data[1 + PROOF_SIZE :]

    def _complete(self) -> None:
        self._buffer = b""
        self.session_key = self._digest(b"session key")

    def _digest(self, purpose: bytes) -> bytes:
        theirs = self._theirs or b""
        relay, lobby = (self._mine, theirs) if self._role is Role.RELAY else (theirs, self._mine)
        return hmac.digest(self._secret, purpose + relay + lobby, sha256)
