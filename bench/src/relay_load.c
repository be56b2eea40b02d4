/* Load for a Widelands game relay, from both ends: it is the host and all clients of each of its games.
 *
 * A client's packet goes client -> relay -> host -> relay -> all clients of the game. Every packet names its
 * sender and has a sequence number and a pattern made from both and the game; order, content and origin of
 * every packet are checked where it arrives. One process, one thread; prints one JSON object.
 *
 *   relay_load MODE --relay HOST:PORT [options]
 *
 *   MODE window   --senders clients of each game keep --window packets under way each
 *        paced    --senders clients of each game send --rate packets a second each, evenly spread
 *        stall    each host sends --rate packets a second to all its clients; after --warm seconds one
 *                 client of the first game stops reading
 *        idle     memory of --pid for the connections, which do nothing
 *   --lobby HOST:PORT   open the games there; without it games g0, g1, ... with password "pw" must be open
 *   --pid PID           the server, to be measured
 *   --games --clients (of each game) --senders (default: all clients) --size BYTES or FIRST-LAST (packets with
 *   their length) --window --rate --warm SECONDS --secs SECONDS
 *
 * Every wait is bounded. The exit status is not zero if anything was lost, wrong or out of order.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lobby.h"
#include "measure.h"

/* Commands of the relay protocol. */
enum {
    HELLO = 1, WELCOME = 2, DISCONNECT = 3, PING = 4, PONG = 5, CONNECT_CLIENT = 11, DISCONNECT_CLIENT = 12,
    TO_CLIENTS = 13, FROM_CLIENT = 14, TO_HOST = 21, FROM_HOST = 22
};
enum { HEADER = 5 }; /* of our packets: two bytes length, one sender, two sequence number */
enum kind { HOST, CLIENT, PLAYER /* in the lobby */ };
enum mode { WINDOW, PACED, STALL, IDLE };

#define READ_SIZE (1 << 20)
#define LATE_NS 5000000      /* a paced packet sent later than that after its time counts as late */
#define BURST 64             /* paced packets sent before looking at the sockets again */
#define SOURCE_BACKLOG (64 << 20)
#define SETTLE_S 1.5         /* pause after joining: the first pings are over by then */
#define DRAIN_S 10.0         /* for what is under way at the end */

struct buffer {
    uint8_t *data;
    size_t at, end, capacity;
};
struct peer {
    enum kind kind;
    int fd, game, index;
    int welcomed, closed, wants_write, stalled;
    struct buffer in, out;
    uint16_t next;           /* number of the next packet sent */
    uint16_t *expected;      /* number of the next packet, by sender */
    uint64_t *sent_at;       /* when a packet was sent, by number modulo sent_slots */
    unsigned in_flight;
};
struct game {
    struct peer *host, **clients;
    uint8_t *ids;            /* relay's ids of the clients, in order of joining */
    int known;
    char name[32], password[PASSWORD_SIZE];
};

static enum mode mode;
static const char *mode_name;
static int game_count = 16, client_count = 4, sender_count = -1, first_size = 200, last_size = 200, window = 32;
static double rate = 10, warm_s = 1, measured_s = 3;
static struct sockaddr_in relay_address, lobby_address;
static int pid, with_lobby;

static struct game *games;
static int selector;
static unsigned sent_slots = 256;
static uint8_t *scratch, pattern[65536 + 1024];
static int measuring, refilling;
static struct histogram round_trips;
static uint64_t delivered, sent, late, pings, errors;
static char first_error[160];

/* Of mode stall: delays by whose they are and when. */
static struct histogram same_before, same_until_cut, same_after_cut, others_before, others_during;
static uint64_t stalled_at, cut_at, last_arrival, longest_silence;

static void die(const char *why) {
    printf("{\"error\": \"%s (%s)\"}\n", why, strerror(errno));
    exit(2);
}

static void complain(const char *what, long a, long b) {
    if (errors++ == 0)
        snprintf(first_error, sizeof first_error, "%s (%ld, %ld)", what, a, b);
}

/* ---- buffers and sockets ---- */

static uint8_t *extend(struct buffer *b, size_t size) {
    if (b->end + size > b->capacity) {
        memmove(b->data, b->data + b->at, b->end - b->at);
        b->end -= b->at;
        b->at = 0;
        if (b->end + size > b->capacity) {
            b->capacity = (b->end + size) * 2;
            b->data = realloc(b->data, b->capacity);
            if (!b->data)
                die("memory");
        }
    }
    b->end += size;
    return b->data + b->end - size;
}

static void watch(struct peer *p, int operation) {
    struct epoll_event e = {.data.ptr = p, .events = EPOLLRDHUP};
    if (!p->stalled)
        e.events |= EPOLLIN;
    if (p->wants_write)
        e.events |= EPOLLOUT;
    if (epoll_ctl(selector, operation, p->fd, &e))
        die("epoll_ctl");
}

static void note_cut(void) {
    if (mode == STALL && stalled_at && !cut_at)
        cut_at = now_ns();
}

static void drop(struct peer *p) {
    if (p->closed)
        return;
    if (p->stalled)
        note_cut();
    else
        complain("connection lost", p->game, p->index);
    p->closed = 1;
    close(p->fd);
}

static void flush(struct peer *p) {
    struct buffer *b = &p->out;
    while (!p->closed && b->at < b->end) {
        ssize_t n = send(p->fd, b->data + b->at, b->end - b->at, MSG_NOSIGNAL);
        if (n >= 0) {
            b->at += (size_t)n;
            continue;
        }
        if (errno != EAGAIN) {
            drop(p);
        } else if (!p->wants_write) {
            p->wants_write = 1;
            watch(p, EPOLL_CTL_MOD);
        }
        return;
    }
    b->at = b->end = 0;
    if (p->wants_write && !p->closed) {
        p->wants_write = 0;
        watch(p, EPOLL_CTL_MOD);
    }
}

static int dial(const struct sockaddr_in *to, int receive_buffer) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct timeval patience = {10, 0};
    if (fd < 0)
        die("socket");
    if (receive_buffer)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(fd, (const void *)to, sizeof *to))
        die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

/* ---- packets ---- */

static int size_of(uint16_t number) { return first_size + (int)(number * 7919u % (unsigned)(last_size - first_size + 1)); }

static const uint8_t *pattern_of(int game, int sender, uint16_t number) {
    return pattern + ((unsigned)game * 37 + (unsigned)sender * 11 + number) % 1024;
}

/* Sequences begin differently everywhere, so that a packet gone astray shows even without a pattern. */
static uint16_t first_number(int game, int sender) { return (uint16_t)(game * 257 + sender * 31); }

static void write_packet(uint8_t *to, struct peer *p, int sender, int size) {
    uint16_t number = p->next++;
    p->sent_at[number % sent_slots] = now_ns();
    to[0] = (uint8_t)(size >> 8);
    to[1] = (uint8_t)size;
    to[2] = (uint8_t)sender;
    to[3] = (uint8_t)(number >> 8);
    to[4] = (uint8_t)number;
    memcpy(to + HEADER, pattern_of(p->game, sender, number), (size_t)(size - HEADER));
}

static void send_to_host(struct peer *client) {
    int size = size_of(client->next);
    uint8_t *frame = extend(&client->out, 1 + (size_t)size);
    frame[0] = TO_HOST;
    write_packet(frame + 1, client, client->index, size);
    client->in_flight++;
    sent++;
}

static uint8_t *begin_to_clients(struct peer *host, size_t size) {
    struct game *g = &games[host->game];
    size_t ids = (size_t)g->known;
    uint8_t *frame = extend(&host->out, 2 + ids + size);
    frame[0] = TO_CLIENTS;
    memcpy(frame + 1, g->ids, ids);
    frame[1 + ids] = 0;
    return frame + 2 + ids;
}

static void send_from_host(struct peer *host) {
    int size = size_of(host->next);
    uint8_t *packet = begin_to_clients(host, (size_t)size);
    write_packet(packet, host, 0, size);
    sent++;
}

static void record_stall(struct peer *p, uint64_t now, uint64_t delay) {
    if (p->game != 0) {
        histogram_add(stalled_at ? &others_during : &others_before, delay);
        return;
    }
    histogram_add(!stalled_at ? &same_before : cut_at ? &same_after_cut : &same_until_cut, delay);
    if (stalled_at) {
        if (now - last_arrival > longest_silence)
            longest_silence = now - last_arrival;
        last_arrival = now;
    }
}

static void check_packet(struct peer *p, const uint8_t *packet, int size, uint64_t now) {
    int sender = packet[2];
    uint16_t number = (uint16_t)(packet[3] << 8 | packet[4]);
    if (size < HEADER || sender >= client_count) {
        complain("strange packet", size, sender);
        return;
    }
    if (number != p->expected[sender])
        complain("sequence", number, p->expected[sender]);
    p->expected[sender] = (uint16_t)(number + 1);
    if (size != size_of(number) || memcmp(packet + HEADER, pattern_of(p->game, sender, number), (size_t)(size - HEADER)))
        complain("content differs", number, size);
    delivered++;
    if (p->kind == HOST)
        return;
    if (mode == STALL) {
        if (measuring)
            record_stall(p, now, now - games[p->game].host->sent_at[number % sent_slots]);
    } else if (sender == p->index) {
        p->in_flight--;
        if (measuring)
            histogram_add(&round_trips, now - p->sent_at[number % sent_slots]);
        if (refilling)
            send_to_host(p);
    }
}

static void from_client(struct peer *host, const uint8_t *frame, int size, uint64_t now) {
    struct game *g = &games[host->game];
    if (frame[4] < client_count && g->ids[frame[4]] != frame[1])
        complain("id is not that of the sender", frame[1], frame[4]);
    check_packet(host, frame + 2, size, now);
    memcpy(begin_to_clients(host, (size_t)size), frame + 2, (size_t)size);
}

/* The length of the frame at `f`, of which `left` bytes are there; 0 if it is incomplete, -1 if it is none. */
static long frame_length(const uint8_t *f, size_t left) {
    const uint8_t *end;
    size_t need;
    switch (f[0]) {
    case PING: case CONNECT_CLIENT: case DISCONNECT_CLIENT:
        need = 2;
        break;
    case FROM_HOST:
        need = left < 3 ? 3 : 1 + ((size_t)f[1] << 8 | f[2]);
        break;
    case FROM_CLIENT:
        need = left < 4 ? 4 : 2 + ((size_t)f[2] << 8 | f[3]);
        break;
    case WELCOME: case DISCONNECT: {
        size_t text = f[0] == WELCOME ? 2 : 1;
        end = left > text ? memchr(f + text, 0, left - text) : NULL;
        return end ? end - f + 1 : 0;
    }
    default:
        return -1;
    }
    return left < need ? 0 : (long)need;
}

static void handle_frame(struct peer *p, const uint8_t *f, long length, uint64_t now) {
    struct game *g = &games[p->game];
    switch (f[0]) {
    case FROM_HOST:
        check_packet(p, f + 1, (int)length - 1, now);
        break;
    case FROM_CLIENT:
        from_client(p, f, (int)length - 2, now);
        break;
    case PING: {
        uint8_t *answer = extend(&p->out, 2);
        answer[0] = PONG;
        answer[1] = f[1];
        pings++;
        break;
    }
    case WELCOME:
        p->welcomed = 1;
        break;
    case CONNECT_CLIENT:
        if (g->known < client_count)
            g->ids[g->known++] = f[1];
        break;
    case DISCONNECT_CLIENT:
        if (p->game == 0 && stalled_at)
            note_cut();
        else
            complain("a client was lost", p->game, f[1]);
        break;
    default:
        complain("disconnected", p->game, p->index);
    }
}

static size_t handle_frames(struct peer *p, const uint8_t *data, size_t size) {
    uint64_t now = now_ns();
    size_t at = 0;
    while (at < size) {
        long length = frame_length(data + at, size - at);
        if (length == 0)
            break;
        if (length < 0) {
            complain("unknown frame", data[at], p->game);
            drop(p);
            return size;
        }
        handle_frame(p, data + at, length, now);
        at += (size_t)length;
    }
    return at;
}

static void receive(struct peer *p) {
    size_t kept = p->in.end;
    memcpy(scratch, p->in.data, kept);
    ssize_t n = recv(p->fd, scratch + kept, READ_SIZE, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        drop(p);
        return;
    }
    size_t size = kept + (size_t)n, used;
    used = p->kind == PLAYER ? lobby_answer_pings(p->fd, scratch, size) : handle_frames(p, scratch, size);
    p->in.at = p->in.end = 0;
    if (used < size)
        memcpy(extend(&p->in, size - used), scratch + used, size - used);
    if (p->out.at < p->out.end && !p->wants_write)
        flush(p);
}

static void serve(int64_t wait_ns) {
    struct epoll_event events[512];
    struct timespec wait = {wait_ns / 1000000000, wait_ns % 1000000000};
    int n = epoll_pwait2(selector, events, 512, &wait, NULL);
    for (int i = 0; i < n; i++) {
        struct peer *p = events[i].data.ptr;
        if (!p->closed && events[i].events & EPOLLOUT)
            flush(p);
        if (p->closed)
            continue;
        if (events[i].events & EPOLLIN)
            receive(p);
        else if (events[i].events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP))
            drop(p);
    }
}

static void serve_for(double seconds) {
    uint64_t end = now_ns() + (uint64_t)(seconds * 1e9);
    for (uint64_t now = now_ns(); now < end; now = now_ns())
        serve(end - now < 50000000 ? (int64_t)(end - now) : 50000000);
}

/* ---- games ---- */

static struct peer *new_peer(enum kind kind, int fd, int game, int index) {
    struct peer *p = calloc(1, sizeof *p);
    if (!p)
        die("memory");
    p->kind = kind;
    p->fd = fd;
    p->game = game;
    p->index = index;
    return p;
}

static void start_serving(struct peer *p) {
    fcntl(p->fd, F_SETFL, O_NONBLOCK);
    watch(p, EPOLL_CTL_ADD);
}

static void open_games(void) {
    for (int i = 0; i < game_count; i++) {
        struct game *g = &games[i];
        if (!with_lobby) {
            snprintf(g->name, sizeof g->name, "g%d", i);
            strcpy(g->password, "pw");
            continue;
        }
        char player[32];
        snprintf(g->name, sizeof g->name, "bench %d", i);
        snprintf(player, sizeof player, "bench%d", i);
        struct peer *p = new_peer(PLAYER, dial(&lobby_address, 0), i, 0);
        const char *problem = lobby_open_game(p->fd, player, g->name, g->password);
        if (problem)
            die(problem);
        start_serving(p);
        serve(0);
    }
}

static struct peer *join(enum kind kind, int game, int index, int receive_buffer) {
    struct game *g = &games[game];
    struct peer *p = new_peer(kind, dial(&relay_address, receive_buffer), game, index);
    int senders = client_count > 0 ? client_count : 1;
    p->expected = calloc((size_t)senders, sizeof *p->expected);
    for (int i = 0; i < senders; i++)
        p->expected[i] = first_number(game, i);
    p->next = first_number(game, kind == HOST ? 0 : index);
    if (mode != IDLE && (mode == STALL) == (kind == HOST))
        p->sent_at = calloc(sent_slots, sizeof *p->sent_at);
    uint8_t hello[128] = {HELLO, 1};
    size_t size = 2;
    size += (size_t)sprintf((char *)hello + size, "%s", g->name) + 1;
    size += (size_t)sprintf((char *)hello + size, "%s", kind == HOST ? g->password : "client") + 1;
    if (send(p->fd, hello, size, MSG_NOSIGNAL) != (ssize_t)size)
        die("send");
    for (int i = 0; i < 100 && !p->welcomed && !p->closed; i++)
        receive(p);
    if (!p->welcomed)
        die(errors ? first_error : "no Welcome");
    start_serving(p);
    return p;
}

static void join_games(void) {
    for (int i = 0; i < game_count; i++) {
        struct game *g = &games[i];
        g->ids = calloc((size_t)client_count + 1, 1);
        g->clients = calloc((size_t)client_count + 1, sizeof *g->clients);
        g->host = join(HOST, i, 0, 0);
        for (int k = 0; k < client_count; k++)
            g->clients[k] = join(CLIENT, i, k, mode == STALL && i == 0 && k == client_count - 1 ? 32768 : 0);
        serve(0);
    }
    for (int tries = 0; tries < 1000; tries++) {
        int missing = 0;
        for (int i = 0; i < game_count; i++)
            missing += client_count - games[i].known;
        if (!missing)
            return;
        serve(10000000);
    }
    die("hosts did not hear of all clients");
}

/* ---- measuring ---- */

struct moment {
    uint64_t at, delivered;
    struct usage server, self;
};

static struct moment look(void) {
    struct moment m = {now_ns(), delivered, usage_of(&pid, pid != 0), usage_of_self()};
    return m;
}

static void print_rates(const struct moment *a, const struct moment *b) {
    double seconds = (double)(b->at - a->at) / 1e9, messages = (double)(b->delivered - a->delivered);
    double cpu = b->server.cpu - a->server.cpu;
    printf(", \"seconds\": %.3f, \"deliveries_per_s\": %.0f, \"server_cores\": %.4f, \"generator_cores\": %.3f",
           seconds, messages / seconds, cpu / seconds, (b->self.cpu - a->self.cpu) / seconds);
    if (messages > 0)
        printf(", \"us_per_delivery\": %.4f", cpu * 1e6 / messages);
    printf(", \"server_waited\": %.4f, \"generator_waited\": %.4f", (b->server.waited - a->server.waited) / seconds,
           (b->self.waited - a->self.waited) / seconds);
}

static unsigned long in_flight(void) {
    unsigned long sum = 0;
    for (int i = 0; i < game_count; i++)
        for (int k = 0; k < client_count; k++)
            sum += games[i].clients[k]->in_flight;
    return sum;
}

static void drain(void) {
    uint64_t end = now_ns() + (uint64_t)(DRAIN_S * 1e9);
    while (in_flight() && now_ns() < end)
        serve(5000000);
    if (in_flight())
        complain("packets never came back", (long)in_flight(), 0);
}

static void run_window(void) {
    refilling = 1;
    for (int i = 0; i < game_count; i++)
        for (int k = 0; k < sender_count; k++) {
            struct peer *p = games[i].clients[k];
            for (int j = 0; j < window; j++)
                send_to_host(p);
            flush(p);
        }
    serve_for(warm_s);
    measuring = 1;
    struct moment a = look();
    serve_for(measured_s);
    struct moment b = look();
    measuring = refilling = 0;
    print_rates(&a, &b);
    histogram_print("round_trip", &round_trips);
    drain();
}

static int *shuffled(int count) {
    int *order = malloc((size_t)count * sizeof *order);
    uint64_t random = 88172645463325252ull;
    for (int i = 0; i < count; i++)
        order[i] = i;
    for (int i = count - 1; i > 0; i--) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        int j = (int)(random % (uint64_t)(i + 1)), other = order[i];
        order[i] = order[j];
        order[j] = other;
    }
    return order;
}

static void run_paced(void) {
    int senders = game_count * sender_count, *order = shuffled(senders);
    double gap = 1e9 / rate / senders;
    uint64_t start = now_ns(), measure_from = start + (uint64_t)(warm_s * 1e9);
    uint64_t end = measure_from + (uint64_t)(measured_s * 1e9), turn = 0;
    struct moment a = {0}, b;
    for (uint64_t now = start; now < end; now = now_ns()) {
        if (!measuring && now >= measure_from) {
            measuring = 1;
            a = look();
        }
        uint64_t due = start + (uint64_t)((double)turn * gap);
        for (int burst = 0; due <= now && burst < BURST; burst++) {
            int who = order[turn++ % (uint64_t)senders];
            struct peer *p = games[who / sender_count].clients[who % sender_count];
            late += now - due > LATE_NS;
            if (p->in_flight < sent_slots) {
                send_to_host(p);
                if (!p->wants_write)
                    flush(p);
            } else {
                complain("too much under way: the server does not keep up", p->game, p->index);
            }
            due = start + (uint64_t)((double)turn * gap);
        }
        now = now_ns();
        serve(due > now ? (int64_t)(due - now) : 0);
    }
    b = look();
    measuring = 0;
    print_rates(&a, &b);
    histogram_print("round_trip", &round_trips);
    printf(", \"offered_per_s\": %.0f, \"late_share\": %.4f", rate * senders * (1 + client_count), (double)late / (double)turn);
    drain();
    free(order);
}

static void run_stall(void) {
    struct peer *victim = games[0].clients[client_count - 1];
    uint64_t start = now_ns(), stall_from = start + (uint64_t)(warm_s * 1e9);
    uint64_t end = stall_from + (uint64_t)(measured_s * 1e9), turn = 0, look_at_memory = start;
    long memory_before = 0, memory_most = 0;
    struct moment a = look(), b;
    measuring = 1;
    for (uint64_t now = start; now < end; now = now_ns()) {
        if (!stalled_at && now >= stall_from) {
            memory_before = memory_most = memory_of(&pid, 1);
            stalled_at = last_arrival = now;
            victim->stalled = 1;
            watch(victim, EPOLL_CTL_MOD);
        }
        if (stalled_at && now >= look_at_memory) {
            long memory = memory_of(&pid, 1);
            memory_most = memory > memory_most ? memory : memory_most;
            look_at_memory = now + 100000000;
        }
        uint64_t due = start + (uint64_t)((double)turn * 1e9 / rate);
        for (int burst = 0; due <= now && burst < BURST; burst++) {
            for (int i = 0; i < game_count; i++) {
                struct peer *host = games[i].host;
                if (!host->closed && host->out.end - host->out.at < SOURCE_BACKLOG) {
                    send_from_host(host);
                    if (!host->wants_write)
                        flush(host);
                }
            }
            due = start + (uint64_t)((double)++turn * 1e9 / rate);
        }
        now = now_ns();
        serve(due > now ? (int64_t)(due - now) : 0);
    }
    b = look();
    print_rates(&a, &b);
    histogram_print("same_game_before", &same_before);
    histogram_print("same_game_until_cut", &same_until_cut);
    histogram_print("same_game_after_cut", &same_after_cut);
    histogram_print("others_before", &others_before);
    histogram_print("others_during", &others_during);
    printf(", \"longest_silence_ms\": %.2f, \"cut_after_s\": %.3f, \"memory_growth_kib\": %ld", (double)longest_silence / 1e6,
           cut_at ? (double)(cut_at - stalled_at) / 1e9 : -1, memory_most - memory_before);
}

static void run_idle(long memory_started, long memory_opened, struct usage joined_from) {
    int connections = game_count * (client_count + 1);
    double join_cpu = usage_of(&pid, 1).cpu - joined_from.cpu;
    serve_for(warm_s);
    long memory = memory_of(&pid, 1);
    struct moment a = look(), b;
    serve_for(measured_s);
    b = look();
    print_rates(&a, &b);
    printf(", \"connections\": %d, \"bytes_per_connection\": %.0f, \"join_us_per_connection\": %.1f, \"bytes_per_opened_game\": %.0f",
           connections, (double)(memory - memory_opened) * 1024 / connections, join_cpu * 1e6 / connections,
           (double)(memory_opened - memory_started) * 1024 / game_count);
}

/* ---- command line ---- */

static struct sockaddr_in address_of(const char *text) {
    struct sockaddr_in a = {.sin_family = AF_INET};
    char host[64];
    int port;
    if (sscanf(text, "%63[^:]:%d", host, &port) != 2 || inet_pton(AF_INET, host, &a.sin_addr) != 1)
        die("an address must be IPV4:PORT");
    a.sin_port = htons((uint16_t)port);
    return a;
}

static void set_option(const char *name, const char *value) {
    if (!strcmp(name, "--relay"))
        relay_address = address_of(value);
    else if (!strcmp(name, "--lobby")) {
        lobby_address = address_of(value);
        with_lobby = 1;
    } else if (!strcmp(name, "--pid"))
        pid = atoi(value);
    else if (!strcmp(name, "--games"))
        game_count = atoi(value);
    else if (!strcmp(name, "--clients"))
        client_count = atoi(value);
    else if (!strcmp(name, "--senders"))
        sender_count = atoi(value);
    else if (!strcmp(name, "--size")) {
        if (sscanf(value, "%d-%d", &first_size, &last_size) < 2)
            last_size = first_size;
    } else if (!strcmp(name, "--window"))
        window = atoi(value);
    else if (!strcmp(name, "--rate"))
        rate = atof(value);
    else if (!strcmp(name, "--warm"))
        warm_s = atof(value);
    else if (!strcmp(name, "--secs"))
        measured_s = atof(value);
    else
        die("unknown option");
}

static void read_options(int argc, char **argv) {
    static const char *const names[] = {"window", "paced", "stall", "idle"};
    mode_name = argc > 1 ? argv[1] : "";
    for (mode = WINDOW; mode <= IDLE && strcmp(mode_name, names[mode]); mode++)
        ;
    if (mode > IDLE || argc % 2)
        die("usage: relay_load window|paced|stall|idle --relay HOST:PORT ...; see the head of relay_load.c");
    for (int i = 2; i + 1 < argc; i += 2)
        set_option(argv[i], argv[i + 1]);
    if (sender_count < 0)
        sender_count = client_count;
    if (game_count < 1 || game_count > 5000 || client_count < 0 || client_count > 240 || sender_count > client_count ||
        first_size < HEADER || last_size < first_size || last_size > 60000 || window < 1 || window > 256 || rate <= 0 ||
        warm_s < 0 || warm_s > 600 || measured_s <= 0 || measured_s > 600 || !relay_address.sin_port ||
        (mode == STALL && client_count < 2))
        die("an option is out of range");
    if (mode == STALL)
        sent_slots = 65536;
}

int main(int argc, char **argv) {
    struct rlimit files;
    read_options(argc, argv);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (uint8_t)(i * 131 ^ (i >> 8) * 31);
    scratch = malloc(2 * READ_SIZE);
    games = calloc((size_t)game_count, sizeof *games);
    selector = epoll_create1(0);
    if (!scratch || !games || selector < 0)
        die("memory");

    long memory_started = memory_of(&pid, pid != 0);
    open_games();
    long memory_opened = memory_of(&pid, pid != 0);
    struct usage joined_from = usage_of(&pid, pid != 0);
    join_games();
    printf("{\"mode\": \"%s\", \"games\": %d, \"clients\": %d", mode_name, game_count, client_count);
    if (mode == IDLE) {
        run_idle(memory_started, memory_opened, joined_from);
    } else {
        serve_for(SETTLE_S);
        if (mode == WINDOW)
            run_window();
        else if (mode == PACED)
            run_paced();
        else
            run_stall();
    }
    printf(", \"sent\": %llu, \"pings\": %llu, \"errors\": %llu, \"first_error\": \"%s\"}\n", (unsigned long long)sent,
           (unsigned long long)pings, (unsigned long long)errors, first_error);
    return errors != 0;
}
