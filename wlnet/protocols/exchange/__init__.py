"""Exchange: the messages between a player and the rendezvous, inside the metaserver protocol."""
