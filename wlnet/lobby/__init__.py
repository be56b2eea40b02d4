"""The lobby: players, games, chat and presence, without any wire protocol."""
