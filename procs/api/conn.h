/* conn.h: one HTTP connection: bytes in, one request at a time, one answer out.
 *
 *   idle --bytes--> reading --whole request--> waiting for its answer --written--> idle
 *    | idle_timeout   | read_timeout: 408                socket full: | \--last one--> closing
 *    `--> gone        `--malformed: 4xx, closing       stalled <------'                 | 2 s, EOF
 *                                                         `-- 20 s --> gone             `--> gone
 *
 * A socket is registered with epoll once, edge-triggered; how far it is read is noted here. What
 * comes is read into memory that all connections share; only bytes of a request that is not
 * complete yet, or behind the one being answered, get a buffer of their own from a pool.
 */
#ifndef EIDOS_API_CONN_H
#define EIDOS_API_CONN_H

#include "procs/api/api.h"
#include "procs/api/http_parse.h"

#define CONN_STALL_NS   (20 * NS_PER_S) /* the client takes nothing of an answer */
#define CONN_CLOSE_NS   (2 * NS_PER_S)  /* it still sends after the last answer */
#define CONN_ROOM_SMALL 4096U           /* first buffer of a connection */
#define CONN_SPARE_MAX  256U            /* buffers of a size that are kept for later */

struct conn {
    struct link timed;  /* in the list of what it waits for; none while its request is answered */
    struct link writes; /* in http.writes: its answer may leave */
    struct link *list;  /* the one `timed` is in */
    u64 since_ns;       /* when it came into it */
    u64 address;        /* limit.h: key of the client's; 0 = exempt */
    int fd;             /* -1: gone, in http.dead or http.free */
    struct ssl_st *tls; /* stream.h */
    bool readable;      /* the socket may have more */
    bool again;         /* TLS wants to write before it reads on */
    bool hung_up;       /* the client will send no more; the end has not been read yet */
    bool ended;         /* the end has been read */
    bool closing;       /* the last answer was written */
    bool keep_alive;
    bool head_only; /* the answer leaves without its body (HEAD) */
    u8 minor;       /* of the request's version */
    struct request *request;
    bool bare; /* it gets 503 without a request: the pool is empty */
    char *in;  /* bytes not used yet; NULL = none */
    u32 in_from, in_to, in_room;
    char *out; /* what the socket did not take; NULL = nothing */
    size_t out_from, out_to;
    struct http_parse parse;
};

/* Buffers of one size that nobody uses, linked through their first bytes. */
struct spare {
    void *first;
    u32 count;
};

struct http {
    struct api *api;
    int listener;
    bool accepting;     /* more connections may wait */
    u64 accept_ns;      /* not before, because descriptors ran out */
    struct conn *conns; /* connections_max of them; those from `made` on were never used */
    u32 made;
    u32 open, told; /* connections that are no WebSockets; all, as the metric says */
    struct link free, dead, writes;
    struct link idle, reading, stalled, closing; /* by since_ns */
    char *scratch;                               /* room bytes: what is being read */
    u32 room;                                    /* the most one request needs */
    struct spare spare[2];                       /* of CONN_ROOM_SMALL and of room bytes */
    u64 date_s;
    char date[40]; /* the header line, once a second */
};

/* Is an answer due? Nothing is read meanwhile. */
static inline bool conn_busy(const struct conn *c)
{
    return c->request || c->bare;
}

/* Take over an accepted socket of a client that limit_connect has let in. False: it stays the
 * caller's; no place is free. */
bool conn_open(struct http *h, int fd, u64 address);

/* epoll says something about it. */
void conn_ready(struct http *h, struct conn *c, u32 events);

/* Read and parse until a request is complete or nothing more is there. */
void conn_advance(struct http *h, struct conn *c);

/* Write the answer, head and body, and go on with what came meanwhile. */
void conn_answer(struct http *h, struct conn *c, const char *head, size_t head_len,
                 const char *body, size_t body_len);

/* Write a few bytes that a fresh answer's place certainly has; what fails ends the connection. */
bool conn_say(struct http *h, struct conn *c, const char *text, size_t len);

/* Give up what it waits for and its socket (`keep_fd`: it belongs to somebody else now, who counts
 * on as its client's connection). */
void conn_end(struct http *h, struct conn *c, bool keep_fd);

/* What has waited too long. Returns how many ended or were refused. */
u32 conn_timeouts(struct http *h);

/* Take back those that ended in this turn. */
void conn_bury(struct http *h);

/* Free the pools. */
void conn_free_spares(struct http *h);

/* http.c: a whole request is in bytes[0..parse.at), malformed ones say so. `rest` bytes follow. */
void http_request(struct http *h, struct conn *c, char *bytes, u32 rest);
void http_refuse(struct http *h, struct conn *c, u16 status, const char *field, const char *detail);

#endif
