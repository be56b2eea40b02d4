"""Finds out about our network, and makes the sockets of an attempt: docs/protocols/gather.md."""
