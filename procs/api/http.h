/* http.h: HTTP/1.1 on the run loop's own epoll: connections in, answers out.
 *
 *   http_ready --conn.c: bytes--> http_parse.c --> struct request --> route_run
 *                                           answered at once, or later: http_answered queues it
 *   http_turn: accept, write what is queued (one system call an answer), end what waits too long
 *   GET /ws with an upgrade: ws_open takes the socket over
 */
#ifndef EIDOS_API_HTTP_H
#define EIDOS_API_HTTP_H

#include "procs/api/api.h"

/* Listen on `listener`, a bound socket, or if that is -1 on one of its own at the configured
 * address; the port goes into the process block. 0 or -1. */
int http_start(struct api *a, int listener);

/* epoll's word: `tag` is what the socket was registered with, of a connection (bit 0 is set) or of
 * the listener (0). */
void http_ready(struct api *a, u64 tag, u32 events);

/* The end of a turn. Returns how much was done; not 0 when there is more to do at once. */
u32 http_turn(struct api *a);

/* The answer of a request that came over a connection may leave; it is written in http_turn. */
void http_answered(struct api *a, struct request *r);

/* Answer what waits with 503, close everything. */
void http_stop(struct api *a);

#endif
