"""Sockets and timers of a client, the same under Twisted and asyncio."""
