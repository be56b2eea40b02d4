"""Bans and mutes: who may not come in or not speak."""
