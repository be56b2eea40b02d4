"""A player's side: the rendezvous, the paths to his peers, and what he runs over them."""
