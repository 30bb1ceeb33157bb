/* http_load.h: requests that were rendered ahead, sent over many connections from one thread, one
 * at a time on each; answers are looked at only as far as counting needs.
 *
 *   script: text | POST ...{...} | POST ...{...} | ...   ──►  connection 0..n, whichever is free
 *
 * Two paces: as fast as answers come (rate 0), or by the clock. By the clock a request's latency
 * begins when it was due, so one that had to wait for a free connection is not made to look fast.
 */
#ifndef EIDOS_TESTS_LIB_HTTP_LOAD_H
#define EIDOS_TESTS_LIB_HTTP_LOAD_H

#include "procs/lib/client/pump.h"

/* Requests back to back; request i is text[ends[i - 1], ends[i]). */
struct http_script {
    char *text;
    u64 *ends;
    u32 count, max;
    u64 room; /* bytes of text */
};

struct http_load {
    struct pump pump;
    u32 idle_count;
    u32 *idle;     /* connections without a request */
    u64 *begun_ns; /* of each connection's request */
    const struct http_script *script;
    u32 next;        /* request to send */
    u64 good;        /* 200 with an order */
    u64 bad;         /* anything else; the first is printed */
    u32 *latency_us; /* of answer i, as they came */
    u32 answered;    /* of this run */
};

void http_script_make(struct http_script *s, u32 requests_max, u64 bytes_max);
void http_script_free(struct http_script *s);

/* Add POST `path` with a JSON body. */
void http_script_post(struct http_script *s, const char *path, const char *body);

/* `count` connections to 127.0.0.1:port. */
void http_load_open(struct http_load *l, const struct http_script *s, u32 count, u32 port);
void http_load_close(struct http_load *l);

/* Send what follows in the script for `seconds`, `rate` a second (0 = as fast as answers come), and
 * wait for the last answer. Returns answers a second. CHECKs that the script is long enough and
 * that no connection ends. */
double http_load_run(struct http_load *l, double seconds, double rate);

/* The answer that `share` of [0, 1] were faster than, in microseconds, of the last run; sorts. */
u32 http_load_percentile(struct http_load *l, double share);

#endif
