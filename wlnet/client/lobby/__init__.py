"""The lobby as a player sees it: docs/protocols/metaserver.md and docs/protocols/rendezvous.md."""
