"""Identifiers of sanctions: short enough to be typed, long enough never to meet again."""

from __future__ import annotations

import secrets


def new_sanction_id() -> str:
    """Ten hex digits at random (a trillion of them; the database refuses a second use)."""
    return secrets.token_hex(5)
