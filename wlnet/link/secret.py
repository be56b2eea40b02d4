"""The secret lobby and relay share: made by the lobby, copied by the operator, checked by both."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

MIN_LENGTH = 32
"""Characters a secret must have at least."""


class SecretError(Exception):
    """There is no usable secret; the text says what to do, in words for the operator."""


class LinkSecret:
    """A secret read from its file; its text form never shows it.

    :ivar key: the bytes the handshake works with.
    :ivar warning: what is not right about the file, in words for the operator; None if all is well.
    """

    __slots__ = ("key", "warning")

    def __init__(self, key: bytes, warning: str | None = None) -> None:
        self.key = key
        self.warning = warning

    def __repr__(self) -> str:
        return "LinkSecret(...)"


def lobby_secret(path: Path, make: Callable[[], str]) -> LinkSecret:
    """The secret in *path*; if there is no such file it is made, readable by its owner only.

    :param make: gives a new random text of 43 characters or more (``secrets.token_urlsafe(32)``).
    :raises SecretError: the file cannot be made, read or used.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read(path)
    except OSError as error:
        raise SecretError(
            f"cannot make the secret of the link, {path}: {error.strerror}. "
            "Make its folder writable, or set link.secret_file to another place."
        ) from error
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(make() + "\n")
    except OSError as error:
        path.unlink(missing_ok=True)
        raise SecretError(f"cannot write the secret of the link, {path}: {error.strerror}") from error
    return _read(path)


def relay_secret(path: Path) -> LinkSecret:
    """The secret in *path*, where the operator has put a copy of the lobby's.

    :raises SecretError: the file is missing, or cannot be read or used.
    """
    return _read(path)


def _read(path: Path) -> LinkSecret:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(4097)
    except FileNotFoundError as error:
        raise SecretError(
            f"the secret of the link is missing: {path}. Copy the file link.secret_file names on the lobby's "
            "machine to here (the lobby makes it when it starts), or set link.secret_file to where it is."
        ) from error
    except OSError as error:
        raise SecretError(
            f"cannot read the secret of the link, {path}: {error.strerror}. Check link.secret_file."
        ) from error
    key = content.strip()
    if len(content) > 4096:
        raise SecretError(f"{path} is too long for a secret (4096 bytes at most). Check link.secret_file.")
    if len(key) < MIN_LENGTH:
        raise SecretError(
            f"the secret in {path} has {len(key)} characters, at least {MIN_LENGTH} are needed. Remove the "
            "file on the lobby's machine, start the lobby (it makes a new one) and copy it to the relays "
            "(link.secret_file)."
        )
    warning = None
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        warning = (
            f"everybody on this machine can read or change the secret of the link, {path} "
            f"(link.secret_file). Make it private: chmod o-rwx {path}"
        )
    return LinkSecret(key, warning)
