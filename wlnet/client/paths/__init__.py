"""The paths between two peers of one attempt: docs/protocols/paths.md. No sockets, no clock of its own."""
