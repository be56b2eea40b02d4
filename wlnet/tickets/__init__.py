"""Tickets: signed, short-lived permissions that a node checks without asking anybody."""
