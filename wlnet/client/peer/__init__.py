"""Hosting and joining through a lobby, with a tunnel to each other player: docs/protocols/peer.md."""
