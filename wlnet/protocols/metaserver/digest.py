"""The protocol's one hash: lower-case hex SHA-1 (docs/protocols/metaserver.md, "Secrets")."""

from __future__ import annotations

import hashlib
import hmac


def sha1_hex(text: str) -> str:
    """40 lower-case hex digits."""
    data = text.encode("utf-8", "surrogateescape")
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


def same(one: str, other: str) -> bool:
    """Compare secrets without telling by the time taken how far they agree."""
    return hmac.compare_digest(
        one.encode("utf-8", "surrogateescape"), other.encode("utf-8", "surrogateescape")
    )
