"""Relay rooms: one host, many guests, bounded queues, without any wire protocol."""
