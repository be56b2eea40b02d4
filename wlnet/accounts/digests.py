"""The two forms in which a password is kept, and why there are two.

*argon2id* is what a password should be kept as: slow to guess, of no use to a thief as it is. Everything
that sees the password itself is checked against it (table ``password_hashes``).

The login of Widelands is a challenge: the client sends ``SHA-1(challenge + SHA-1(password))`` and never the
password (docs/protocols/metaserver.md, "Login"). To check that, the server must have ``SHA-1(password)``
itself: no salt, no slow hash is possible without changing the game. So that digest is kept as well, in a
table of its own (``widelands_digests``) that holds nothing else. Whoever reads that table can log in to this
lobby as anybody in it, and can guess weak passwords quickly. Hence: the database file is readable by the
server's user only, back-ups deserve the same care, and players should use a password made for this lobby.
"""

from __future__ import annotations

import hashlib

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_HASHER = PasswordHasher()


def widelands_digest(password: str) -> str:
    """Lower-case hex SHA-1 of the password, 40 characters: the secret of the Widelands challenge.

    Lone surrogates, which stand for bytes that were no UTF-8, are turned back into those bytes.
    """
    return hashlib.sha1(password.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()


def argon2_hash(password: str) -> str:
    """A fresh argon2id hash, salt and parameters included (about 0.1 s and 64 MiB: not in the reactor)."""
    return _HASHER.hash(password)


def argon2_matches(stored: str, password: str) -> bool:
    """True if *stored* was made from *password*; False also for a damaged *stored*."""
    try:
        return _HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False
