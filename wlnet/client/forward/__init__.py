"""Carries an unmodified game between its local sockets and the tunnel to the other player."""
