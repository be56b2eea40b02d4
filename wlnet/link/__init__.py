"""The authenticated channel between a lobby process and a relay process."""
