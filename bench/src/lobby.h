/* The little of the metaserver protocol that is needed to open games on a relay. */
#ifndef LOBBY_H
#define LOBBY_H
#include <stddef.h>
#include <stdint.h>

#define PASSWORD_SIZE 41

/* Log in as `player` on the connected blocking socket and open `game`. Fills in the password its host has to
 * say at the relay. Returns NULL, or what went wrong. */
const char *lobby_open_game(int fd, const char *player, const char *game, char password[PASSWORD_SIZE]);

/* Look through what a logged-in player received and answer each PING on `fd`. Returns the bytes used up. */
size_t lobby_answer_pings(int fd, const uint8_t *data, size_t size);
#endif
