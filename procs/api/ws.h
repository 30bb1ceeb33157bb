/* ws.h: WebSocket connections: frames in, frames out, life and death of a connection.
 *
 *   GET /ws --ws_upgrade--> open --messages--> ws_channels.c
 *                            |  \--ws_close(code, reason): the close frame goes out last
 *                            |        \--peer answers, or 2 s--> gone
 *                            `--peer closes, or its socket breaks--> gone
 *
 * Writes are gathered during a turn of the loop and go out at its end, one system call for each
 * connection. A connection that dies is only marked; ws_turn removes it when nobody looks at it.
 */
#ifndef EIDOS_API_WS_H
#define EIDOS_API_WS_H

#include "procs/api/http_parse.h"
#include "procs/api/hub.h"

#define WS_ACCEPT_BYTES 32U

enum { /* RFC 6455, 7.4.1 */
       WS_CLOSE_NORMAL = 1000,
       WS_CLOSE_AWAY = 1001,
       WS_CLOSE_PROTOCOL = 1002,
       WS_CLOSE_TYPE = 1003,
       WS_CLOSE_TEXT = 1007,
       WS_CLOSE_POLICY = 1008,
       WS_CLOSE_TOO_BIG = 1009,
       WS_CLOSE_AGAIN = 1013,
};

/* Make the hub. 0 or -1. */
int ws_start(struct api *a);
void ws_delete(struct api *a);

/* Is this request for the WebSocket's path? */
bool ws_wants_upgrade(const struct request *r);

/* What is wrong with it, or NULL and the value of Sec-WebSocket-Accept. `bytes` are the request's.
 */
const char *ws_upgrade(const struct request *r, const struct http_parse *p, const char *bytes,
                       char accept[WS_ACCEPT_BYTES]);

/* A connection over an open socket and its TLS session (or NULL), which become its own, to be
 * closed with it; `address` as in limit.h, to be given up with it, too; `extra` are bytes that were
 * read already. NULL when memory is short: the socket stays the caller's. */
struct ws *ws_open(struct api *a, int fd, struct ssl_st *tls, u64 address, const char *extra,
                   size_t extra_len);

/* The socket is ready (EPOLL bits). */
void ws_ready(struct ws *ws, u32 events);

/* {"type":..,"id":..,"timestamp":..,"data": ; the caller adds a value and the closing brace. */
void ws_put_head(struct json_out *o, const char *type, const char *id, u64 unix_ns);

/* Queue a text message. False when the connection is closing or was closed for being slow. */
bool ws_send(struct ws *ws, const char *text, size_t len);

/* The same with whole frames, made by frames_add. */
bool ws_send_frames(struct ws *ws, const struct frames *f);

/* Append a text message to frames that many will get. False when memory is short. */
bool frames_add(struct frames *f, const char *text, size_t len);

/* Say goodbye; later calls do nothing. `reason` has at most 123 bytes. */
void ws_close(struct ws *ws, u16 code, const char *reason);

/* Bytes the client has not taken yet. */
static inline size_t ws_backlog(const struct ws *ws)
{
    return ws->out_to - ws->out_from + ws->ref_len;
}

/* Write to all that have something to be written. */
void ws_write(struct api *a);

/* The answer of a request that came over a WebSocket may leave. Frees the request. */
void ws_answered(struct api *a, struct request *r);

/* Pings, timeouts, removal of the dead, and the writes of this turn. */
void ws_turn(struct api *a);

/* Close everything (1001). */
void ws_stop(struct api *a);

#endif
