"""Which names players may have, and what somebody gets whose name is taken."""

from __future__ import annotations

import re
from collections.abc import Iterator

_ALLOWED = re.compile(r"[A-Za-z0-9@.+_-]+\Z")
_RESERVED = frozenset({"team"})
"""Words the game itself uses as chat receivers, in any case."""


def name_problem(name: str, max_length: int) -> str | None:
    """What is wrong with a player's name, as a sentence; None if nothing is.

    The alphabet is the one of the Widelands client (docs/protocols/metaserver.md, "Names").

    :param max_length: characters.
    """
    if not name:
        return "The name is empty."
    if len(name) > max_length:
        return f"The name is longer than {max_length} characters."
    if not _ALLOWED.match(name):
        return "A name may only have letters, digits and @.+-_ in it."
    if name.lower() in _RESERVED:
        return f"The name {name} is reserved."
    return None


def numbered(name: str, max_length: int) -> Iterator[str]:
    """``name1``, ``name2``, ... without end, each at most *max_length* characters long."""
    number = 1
    while True:
        suffix = str(number)
        yield name[: max_length - len(suffix)] + suffix
        number += 1


def text_problem(text: str, max_bytes: int) -> str | None:
    """What is wrong with a game's name or a build string; None if nothing is.

    Anything printable goes, in any script; control characters and broken UTF-8 (surrogates) do not.

    :param max_bytes: bytes in UTF-8.
    """
    if not text:
        return "It is empty."
    if len(text.encode("utf-8", "surrogateescape")) > max_bytes:
        return f"It is longer than {max_bytes} bytes."
    if not text.isprintable():
        return "It has characters in it that cannot be shown."
    return None
