"""HTTP for an operator's monitoring and a community's web site: pages, and the thin server around them."""
