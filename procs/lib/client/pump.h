/* client/pump.h: thousands of client connections from one cheap thread: epoll, one read and one
 * write for whatever is due together.
 *
 *   pump_connect --> connecting --opened()--> open --bytes()...--> closed()
 *                        \_________refused_________________________/
 *
 * All connections read into memory they share; only the beginning of a message that is not whole
 * yet is kept apart. Nothing here knows HTTP or WebSocket. One thread; callbacks run in pump_turn
 * and may send, close and connect.
 */
#ifndef EIDOS_PROCS_LIB_CLIENT_PUMP_H
#define EIDOS_PROCS_LIB_CLIENT_PUMP_H

#include <sys/socket.h>

#include "shm/base.h"

#define PUMP_ROOM       (256U << 10) /* bytes of one read, with what was kept */
#define PUMP_PER_SOURCE 20000U       /* connections that leave from one loopback address */

struct pump_calls {
    void (*opened)(void *context, u32 peer);
    /* bytes[0..len), bytes[len] = 0: returns how many are done with; the rest comes again, with
     * more behind. `now_ns` is CLOCK_REALTIME when they were read. */
    size_t (*bytes)(void *context, u32 peer, const char *bytes, size_t len, u64 now_ns);
    /* It is closed; `why` lives until the callback returns. Not called after pump_close. */
    void (*closed)(void *context, u32 peer, const char *why);
};

struct pump_peer {
    int fd; /* -1 = closed */
    bool open;
    u32 kept_len, kept_room, out_from, out_len, out_room;
    char *kept; /* the beginning of a message */
    char *out;  /* what the socket did not take */
};

struct pump {
    int epoll;
    u32 count, connected; /* places, and connections that are open */
    struct pump_peer *peers;
    const struct pump_calls *calls;
    void *context;
    char *scratch; /* PUMP_ROOM + 1 */
    struct sockaddr_storage to;
    socklen_t to_len;
    u64 reads, writes, bytes_in;
};

/* Where a server is: "host:port", a name or an address, [::1]:80. 0, or -1 with the error text. */
int pump_resolve(const char *where, struct sockaddr_storage *to, socklen_t *to_len);

/* `count` places, all closed, for connections to `where`. 0, or -1 with the error text. */
int pump_open(struct pump *p, u32 count, const char *where, const struct pump_calls *calls,
              void *context);

/* Closes all without a callback. */
void pump_close_all(struct pump *p);

/* Begin to connect a closed place. Every PUMP_PER_SOURCE connections to a loopback address leave
 * from an address of their own, 127.0.0.1, 127.0.0.2 and so on, because one address has 28,000
 * ports. 0, or -1 with the error text. */
int pump_connect(struct pump *p, u32 peer);

/* Give up a connection: no callback. */
void pump_close(struct pump *p, u32 peer);

/* Send; what the socket does not take now follows when it can. */
void pump_send(struct pump *p, u32 peer, const char *bytes, size_t len);

/* Wait at most `wait_ns` and do what is ready; returns how many connections had something. */
u32 pump_turn(struct pump *p, u64 wait_ns);

/* Read nothing from it until further notice: a stuck reader. */
void pump_ignore(struct pump *p, u32 peer);

#endif
