"""Tunnel: a game's streams and datagrams of two peers, end to end encrypted: docs/protocols/tunnel.md."""
