"""Examines a player's network: what it can do, what to expect of it, what to change (docs/doctor.md)."""
