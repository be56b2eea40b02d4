/* The least a relay of this protocol can be, in C: what the hardware and the kernel allow on one core.
 *
 * A yardstick, not a server: no pings, no round trip times, no time limits, no log. Games g0, g1, ... are
 * open from the start, password "pw", and cannot be hosted twice. One thread, one epoll; each destination
 * is written to once a round. A client with more than 1 MiB waiting is dropped.
 *
 *   relay_reference READY_FILE GAMES       listens on a free port of 127.0.0.1, told in READY_FILE
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    HELLO = 1, WELCOME = 2, PONG = 5, CONNECT_CLIENT = 11, DISCONNECT_CLIENT = 12, TO_CLIENTS = 13, FROM_CLIENT = 14,
    TO_HOST = 21, FROM_HOST = 22
};
enum { HOST_ID = 1, LAST_ID = 249 };

#define READ_SIZE (256 * 1024)
#define BACKLOG_LIMIT (1 << 20)

struct peer {
    int fd, game, id;
    int closed, in_round, blocked;
    uint8_t *rest;           /* beginning of an incomplete frame */
    size_t rest_size, rest_capacity;
    uint8_t *out;
    size_t out_at, out_end, out_capacity;
    struct peer *next_closed;
};
struct game {
    struct peer *members[256];
    int next_id;
};

static struct game *games;
static int game_count, selector;
static struct peer **round_peers; /* with something to send in this round */
static size_t round_size, round_capacity;
static struct peer *closed_peers; /* freed at the end of the round */
static uint8_t scratch[READ_SIZE + 70000];

static void *checked(void *memory) {
    if (!memory)
        abort();
    return memory;
}

/* Room for `size` bytes to be sent to `p` at the end of the round. */
static uint8_t *put(struct peer *p, size_t size) {
    if (p->out_end + size > p->out_capacity) {
        if (p->out_at) {
            memmove(p->out, p->out + p->out_at, p->out_end - p->out_at);
            p->out_end -= p->out_at;
            p->out_at = 0;
        }
        if (p->out_end + size > p->out_capacity) {
            p->out_capacity = (p->out_end + size) * 2;
            p->out = checked(realloc(p->out, p->out_capacity));
        }
    }
    if (!p->in_round) {
        p->in_round = 1;
        if (round_size == round_capacity) {
            round_capacity = round_capacity ? round_capacity * 2 : 256;
            round_peers = checked(realloc(round_peers, round_capacity * sizeof(struct peer *)));
        }
        round_peers[round_size++] = p;
    }
    p->out_end += size;
    return p->out + p->out_end - size;
}

static void drop(struct peer *p) {
    if (p->closed)
        return;
    p->closed = 1;
    close(p->fd);
    p->next_closed = closed_peers;
    closed_peers = p;
    if (p->game < 0)
        return;
    struct game *g = &games[p->game];
    g->members[p->id] = NULL;
    if (p->id == HOST_ID) {
        for (int id = HOST_ID + 1; id <= LAST_ID; id++)
            if (g->members[id])
                drop(g->members[id]);
    } else if (g->members[HOST_ID]) {
        uint8_t *f = put(g->members[HOST_ID], 2);
        f[0] = DISCONNECT_CLIENT;
        f[1] = (uint8_t)p->id;
    }
}

static void watch(struct peer *p, int operation) {
    struct epoll_event e = {.events = EPOLLIN | (p->blocked ? EPOLLOUT : 0), .data.ptr = p};
    epoll_ctl(selector, operation, p->fd, &e);
}

static void flush(struct peer *p) {
    if (p->closed)
        return;
    if (p->out_at < p->out_end) {
        ssize_t n = send(p->fd, p->out + p->out_at, p->out_end - p->out_at, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN) {
            drop(p);
            return;
        }
        if (n > 0)
            p->out_at += (size_t)n;
    }
    int blocked = p->out_at < p->out_end;
    if (!blocked)
        p->out_at = p->out_end = 0;
    if (blocked != p->blocked) {
        p->blocked = blocked;
        watch(p, EPOLL_CTL_MOD);
    }
}

static void end_round(void) {
    for (size_t i = 0; i < round_size; i++) { /* may grow meanwhile */
        struct peer *p = round_peers[i];
        p->in_round = 0;
        if (!p->blocked)
            flush(p);
        if (!p->closed && p->id != HOST_ID && p->out_end - p->out_at > BACKLOG_LIMIT)
            drop(p);
    }
    round_size = 0;
    while (closed_peers) {
        struct peer *p = closed_peers;
        closed_peers = p->next_closed;
        free(p->rest);
        free(p->out);
        free(p);
    }
}

/* These return the bytes used up: 0 if the frame is incomplete, -1 if it is wrong. */

static long hello(struct peer *p, const uint8_t *data, size_t size) {
    const uint8_t *name_end, *end;
    if (size < 4)
        return 0;
    if (data[0] != HELLO || data[1] != 1 || data[2] != 'g')
        return -1;
    if (!(name_end = memchr(data + 2, 0, size - 2)))
        return 0;
    if (!(end = memchr(name_end + 1, 0, size - (size_t)(name_end + 1 - data))))
        return 0;
    int number = atoi((const char *)data + 3);
    if (number < 0 || number >= game_count)
        return -1;
    struct game *g = &games[number];
    if (!g->members[HOST_ID]) {
        if (strcmp((const char *)name_end + 1, "pw") || g->next_id > HOST_ID)
            return -1;
        g->next_id = HOST_ID;
    } else if (g->next_id > LAST_ID) {
        return -1;
    }
    p->game = number;
    p->id = g->next_id++;
    g->members[p->id] = p;
    if (p->id != HOST_ID) {
        uint8_t *f = put(g->members[HOST_ID], 2);
        f[0] = CONNECT_CLIENT;
        f[1] = (uint8_t)p->id;
    }
    size_t text = (size_t)(name_end - data) - 1; /* with its NUL */
    uint8_t *f = put(p, 2 + text);
    f[0] = WELCOME;
    f[1] = 1;
    memcpy(f + 2, data + 2, text);
    return end - data + 1;
}

static long to_host(struct peer *p, struct game *g, const uint8_t *data, size_t size) {
    if (size < 3)
        return 0;
    size_t length = (size_t)data[1] << 8 | data[2];
    if (length < 2)
        return -1;
    if (size < 1 + length)
        return 0;
    uint8_t *f = put(g->members[HOST_ID], 2 + length);
    f[0] = FROM_CLIENT;
    f[1] = (uint8_t)p->id;
    memcpy(f + 2, data + 1, length);
    return (long)(1 + length);
}

static long to_clients(struct game *g, const uint8_t *data, size_t size) {
    const uint8_t *mark = memchr(data + 1, 0, size - 1);
    if (!mark || size < (size_t)(mark - data) + 3)
        return 0;
    size_t head = (size_t)(mark - data) + 1, length = (size_t)mark[1] << 8 | mark[2];
    if (length < 2)
        return -1;
    if (size < head + length)
        return 0;
    for (const uint8_t *id = data + 1; id < mark; id++) {
        struct peer *to = *id == HOST_ID ? NULL : g->members[*id];
        if (!to)
            continue;
        uint8_t *f = put(to, 1 + length);
        f[0] = FROM_HOST;
        memcpy(f + 1, mark + 1, length);
    }
    return (long)(head + length);
}

static long frame(struct peer *p, const uint8_t *data, size_t size) {
    if (p->game < 0)
        return hello(p, data, size);
    struct game *g = &games[p->game];
    if (data[0] == TO_HOST && p->id != HOST_ID)
        return to_host(p, g, data, size);
    if (data[0] == TO_CLIENTS && p->id == HOST_ID)
        return to_clients(g, data, size);
    return data[0] == PONG ? (size < 2 ? 0 : 2) : -1;
}

static void receive(struct peer *p) {
    memcpy(scratch, p->rest, p->rest_size);
    ssize_t n = recv(p->fd, scratch + p->rest_size, READ_SIZE, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        drop(p);
        return;
    }
    size_t size = p->rest_size + (size_t)n, at = 0;
    while (at < size) {
        long used = frame(p, scratch + at, size - at);
        if (used < 0) {
            drop(p);
            return;
        }
        if (used == 0)
            break;
        at += (size_t)used;
    }
    p->rest_size = size - at;
    if (p->rest_size > p->rest_capacity) {
        p->rest_capacity = p->rest_size + 512;
        p->rest = checked(realloc(p->rest, p->rest_capacity));
    }
    memcpy(p->rest, scratch + at, p->rest_size);
}

static void accept_one(int listener) {
    int one = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct peer *p = checked(calloc(1, sizeof *p));
    p->fd = fd;
    p->game = -1;
    watch(p, EPOLL_CTL_ADD);
}

static int listen_and_tell(const char *ready_file) {
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof a;
    char draft[4096];
    snprintf(draft, sizeof draft, "%s.draft", ready_file);
    FILE *f = fopen(draft, "w");
    if (!f || bind(listener, (void *)&a, sizeof a) || listen(listener, 4096) ||
        getsockname(listener, (void *)&a, &length)) {
        perror("relay_reference");
        exit(1);
    }
    fprintf(f, "{\"pid\": %d, \"listening\": [{\"name\": \"relay\", \"proto\": \"tcp\", \"host\": \"127.0.0.1\", \"port\": %d}]}\n",
            (int)getpid(), ntohs(a.sin_port));
    if (fclose(f) || rename(draft, ready_file)) {
        perror(ready_file);
        exit(1);
    }
    return listener;
}

int main(int argc, char **argv) {
    struct rlimit files;
    if (argc != 3 || (game_count = atoi(argv[2])) < 1) {
        fprintf(stderr, "usage: relay_reference READY_FILE GAMES\n");
        return 2;
    }
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    games = checked(calloc((size_t)game_count, sizeof *games));
    selector = epoll_create1(0);
    int listener = listen_and_tell(argv[1]);
    struct epoll_event listening = {.events = EPOLLIN, .data.ptr = NULL}, events[512];
    epoll_ctl(selector, EPOLL_CTL_ADD, listener, &listening);
    for (;;) {
        int n = epoll_wait(selector, events, 512, -1);
        for (int i = 0; i < n; i++) {
            struct peer *p = events[i].data.ptr;
            if (!p) {
                accept_one(listener);
                continue;
            }
            if (!p->closed && events[i].events & EPOLLOUT)
                flush(p);
            if (!p->closed && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                receive(p);
        }
        end_round();
    }
}
