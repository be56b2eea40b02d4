"""Steering: which path a guest gets to a host, and why. Pure policy, no sockets."""
