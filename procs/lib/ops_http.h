/* ops_http.h: /health/live, /health/ready and /metrics of one process of an attached segment.
 *
 * A thread of its own reads the process's block and answers; it touches nothing else, so it serves
 * for any process: its own, or (the supervisor) one that may have no socket.
 *
 *   GET /health/live    200 while the heart beats, else 503
 *   GET /health/ready   200 {"status":"ok","checks":{...}}, or 503 with the failing check
 *   GET /metrics        Prometheus text; the supervisor's port tells of all processes
 */
#ifndef EIDOS_PROCS_LIB_OPS_HTTP_H
#define EIDOS_PROCS_LIB_OPS_HTTP_H

#include "shm/segment.h"

struct ops_http;

/* Serve process `proc` (index in the topology) at an IPv4 or IPv6 address; port 0 = any free one.
 * The segment must stay attached until ops_http_stop. NULL with err_set: address in use, ... */
struct ops_http *ops_http_start(const struct segment *s, u32 proc, const char *listen, u32 port);

/* The port it got. */
u32 ops_http_port(const struct ops_http *http);

/* NULL is allowed. */
void ops_http_stop(struct ops_http *http);

/* What /health answers, out of `size` bytes: the HTTP status. `now_ns` is CLOCK_MONOTONIC. */
int ops_health(const struct segment *s, u32 proc, bool ready, u64 now_ns, char *out, size_t size);

#endif
