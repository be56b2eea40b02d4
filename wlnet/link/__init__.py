"""Joins lobby and relay: directly in one process, or over an authenticated link between two."""
