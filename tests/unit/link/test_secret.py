"""The secret's file."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from wlnet.link.secret import SecretError, lobby_secret, relay_secret


def make() -> str:
    return secrets.token_urlsafe(32)


def test_the_lobby_makes_it_and_the_relay_reads_the_same(tmp_path: Path) -> None:
    path = tmp_path / "link.secret"
    made = lobby_secret(path, make)
    assert len(made.key) >= 43
    assert made.warning is None
    assert path.stat().st_mode & 0o777 == 0o600
    assert lobby_secret(path, make).key == made.key
    assert relay_secret(path).key == made.key
    assert made.key.decode() not in repr(made)


def test_the_relay_does_not_make_it(tmp_path: Path) -> None:
    path = tmp_path / "link.secret"
    with pytest.raises(SecretError, match=r"link\.secret_file") as caught:
        relay_secret(path)
    assert "Copy" in str(caught.value)
    assert not path.exists()


def test_a_short_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "link.secret"
    path.write_text("x" * 31 + "\n")
    for read in (lambda: relay_secret(path), lambda: lobby_secret(path, make)):
        with pytest.raises(SecretError, match=r"31 characters.*link\.secret_file") as caught:
            read()
        assert "x" * 31 not in str(caught.value)
    path.write_text("x" * 32 + "\n")
    assert relay_secret(path).key == b"x" * 32


def test_a_long_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "link.secret"
    path.write_text("x" * 5000)
    with pytest.raises(SecretError, match="too long"):
        relay_secret(path)


def test_one_everybody_can_read_is_warned_about(tmp_path: Path) -> None:
    path = tmp_path / "link.secret"
    path.write_text("x" * 43)
    path.chmod(0o644)
    warning = relay_secret(path).warning
    assert warning is not None
    assert "chmod" in warning
    assert "link.secret_file" in warning
    path.chmod(0o640)
    assert relay_secret(path).warning is None


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match=r"link\.secret_file"):
        lobby_secret(tmp_path / "missing" / "link.secret", make)


def test_a_folder_is_no_secret(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match=r"link\.secret_file"):
        relay_secret(tmp_path)
