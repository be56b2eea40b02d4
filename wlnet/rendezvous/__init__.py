"""Rendezvous: brings the host and the guests of a peer game together. No wire, no sockets."""
