#define _GNU_SOURCE
#include "lobby.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define MAX_PACKET 65536
#define PATIENCE 10000 /* packets looked at for the one that is waited for */

static uint32_t rotate(uint32_t x, int bits) { return x << bits | x >> (32 - bits); }

static void sha1_block(uint32_t h[5], const uint8_t *block) {
    uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 |
               block[4 * i + 3];
    for (int i = 16; i < 80; i++)
        w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 80; i++) {
        uint32_t f, k;
        if (i < 20) {
            f = (b & c) | (~b & d);
            k = 0x5A827999;
        } else if (i < 40) {
            f = b ^ c ^ d;
            k = 0x6ED9EBA1;
        } else if (i < 60) {
            f = (b & c) | (b & d) | (c & d);
            k = 0x8F1BBCDC;
        } else {
            f = b ^ c ^ d;
            k = 0xCA62C1D6;
        }
        uint32_t next = rotate(a, 5) + f + e + k + w[i];
        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
}

/* SHA-1 of a text of at most 400 bytes as 40 hexadecimal digits. */
static void sha1_hex(const char *text, char out[PASSWORD_SIZE]) {
    uint32_t h[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    uint8_t padded[512] = {0};
    size_t size = strlen(text), total = ((size + 8) / 64 + 1) * 64;
    memcpy(padded, text, size);
    padded[size] = 0x80;
    for (int i = 0; i < 8; i++)
        padded[total - 1 - (size_t)i] = (uint8_t)((uint64_t)size * 8 >> (8 * i));
    for (size_t at = 0; at < total; at += 64)
        sha1_block(h, padded + at);
    for (int i = 0; i < 5; i++)
        sprintf(out + 8 * i, "%08x", h[i]);
}

static int send_packet(int fd, const char *const *fields, int count) {
    uint8_t packet[1024];
    size_t size = 2;
    for (int i = 0; i < count; i++) {
        size_t length = strlen(fields[i]) + 1;
        if (size + length > sizeof packet)
            return 0;
        memcpy(packet + size, fields[i], length);
        size += length;
    }
    packet[0] = (uint8_t)(size >> 8);
    packet[1] = (uint8_t)size;
    return send(fd, packet, size, MSG_NOSIGNAL) == (ssize_t)size;
}

/* Wait for the packet `command`; its fields are left in `body`. */
static int await_packet(int fd, const char *command, char *body) {
    for (int i = 0; i < PATIENCE; i++) {
        uint8_t head[2];
        if (recv(fd, head, 2, MSG_WAITALL) != 2)
            return 0;
        int size = (head[0] << 8 | head[1]) - 2;
        if (size < 1 || recv(fd, body, (size_t)size, MSG_WAITALL) != size)
            return 0;
        body[size] = 0;
        if (!strcmp(body, command))
            return 1;
        if (!strcmp(body, "ERROR") || !strcmp(body, "DISCONNECT"))
            return 0;
    }
    return 0;
}

const char *lobby_open_game(int fd, const char *player, const char *game, char password[PASSWORD_SIZE]) {
    static char body[MAX_PACKET + 1];
    char nonce[80], joined[256];
    snprintf(nonce, sizeof nonce, "nonce of %.40s", player);
    const char *login[] = {"LOGIN", "6", player, "bench", "false", nonce};
    if (!send_packet(fd, login, 6) || !await_packet(fd, "LOGIN", body))
        return "the lobby refused LOGIN";
    const char *open[] = {"GAME_OPEN", game};
    if (!send_packet(fd, open, 2) || !await_packet(fd, "GAME_OPEN", body))
        return "the lobby refused GAME_OPEN";
    const char *challenge = body + sizeof "GAME_OPEN";
    snprintf(joined, sizeof joined, "%.100s%s", challenge, nonce);
    sha1_hex(joined, password);
    return NULL;
}

size_t lobby_answer_pings(int fd, const uint8_t *data, size_t size) {
    size_t at = 0;
    while (size - at >= 2) {
        size_t length = (size_t)data[at] << 8 | data[at + 1];
        if (length < 3 || size - at < length)
            break;
        if (length == 7 && !memcmp(data + at + 2, "PING", 5))
            (void)!send(fd, "\0\7PONG", 7, MSG_NOSIGNAL | MSG_DONTWAIT); /* lost only if the server reads nothing */
        at += length;
    }
    return at;
}
