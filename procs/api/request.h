/* request.h: one question from outside, whichever way it came, and its way to an answer.
 *
 *   HTTP connection \                                     / answered at once (public data)
 *                    request --route, parse, check--> --<   waits for durable.seq >= seq (reads)
 *   WebSocket frame /                                     \ waits for replies of trading, then that
 *
 * This file knows no socket: what a request asks is text here (method, target, header, body), so
 * that parsing is tested and fuzzed alone.
 */
#ifndef EIDOS_API_REQUEST_H
#define EIDOS_API_REQUEST_H

#include "procs/lib/json.h"
#include "shm/codes.h"
#include "shm/msg.h"

#define TARGET_MAX  1024U /* path and query, as sent */
#define PARAMS_MAX  24U   /* query parameters */
#define AUTH_MAX    256U  /* the Authorization header */
#define DETAIL_MAX  160U
#define PATH_ARGS   2U
#define API_BASE    "/api/v1"
#define AUTH_WINDOW 300000UL /* ms: |now - timestamp|, protocol.md 3 */

enum method { METHOD_GET, METHOD_POST, METHOD_DELETE, METHOD_OTHER };

/* Text that somebody else owns; not terminated. */
struct span {
    const char *at;
    size_t len;
};

/* Why a request is refused: the code, and what helps to do better. */
struct problem {
    u16 code;
    u32 retry_after_ms; /* 0 = does not apply */
    const char *field;  /* NULL = not about one field */
    const char *limit;  /* what is allowed, NULL = nothing to say */
    u64 oldest_ms;      /* Unix ms from when on there is something, 0 = does not apply */
    char detail[DETAIL_MAX];
};

struct param {
    struct span name, value;
};

/* The request line taken apart. `text` holds the decoded query. */
struct target {
    struct span path; /* as sent */
    u32 count;
    struct param params[PARAMS_MAX];
    char text[TARGET_MAX];
};

/* The header `Authorization: EIP712 {wallet}:{timestamp_ms}:{signature}`, well formed. */
struct credentials {
    u8 wallet[WALLET_BYTES];
    u8 signature[SIGNATURE_BYTES];
    u64 timestamp_ms;
};

/* Fill a problem. Always returns -1. `field` and `limit` are static texts or NULL. */
int problem_set(struct problem *p, u16 code, const char *field, const char *limit, const char *fmt,
                ...) __attribute__((format(printf, 5, 6)));

enum method method_of(const char *name);

static inline bool span_is(struct span s, const char *text)
{
    return strlen(text) == s.len && !memcmp(s.at, text, s.len);
}

/* Take `text`, of len < TARGET_MAX, apart; `t` borrows its path. 0, or -1 with the problem: more
 * parameters than PARAMS_MAX, one twice, or bad percent-encoding. */
int target_read(struct target *t, const char *text, size_t len, struct problem *p);

/* The value of a query parameter; false when it is absent. An empty value is present. */
bool target_param(const struct target *t, const char *name, struct span *value);

/* Does a path match a pattern such as "/api/v1/depth/{}"? Each {} takes one segment that is not
 * empty, into `args`. */
bool path_matches(struct span path, const char *pattern, struct span args[PATH_ARGS]);

/* A whole number in [least, most] from a query parameter; `value` keeps its default when the
 * parameter is absent. 0, or -1 with 10003. `limit` says the range in words. */
int param_number(const struct target *t, const char *name, u64 least, u64 most, const char *limit,
                 u64 *value, struct problem *p);

/* page and page_size; defaults 1 and 20. */
struct paging {
    u64 page, page_size;
};
int param_paging(const struct target *t, struct paging *paging, struct problem *p);

/* Read the header; `text` NULL = none was sent. 0, or -1 with 10007 to 10010. */
int credentials_read(struct credentials *c, const char *text, struct problem *p);

/* The same from fields: {wallet, timestamp, signature}. */
int credentials_from_json(struct credentials *c, json_t *fields, struct problem *p);

/* Is the timestamp within the window around now? -1 with 10002 when it is past, 10007 when it lies
 * ahead. */
int credentials_in_time(const struct credentials *c, u64 now_ms, struct problem *p);

#endif
