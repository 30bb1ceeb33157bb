/* client/http.h: HTTP/1.1 as a client speaks it: one request out, one answer in, over bytes.
 *
 * Pure functions: whose socket it is, and how it waits, is the caller's. An answer must say its
 * length, as the exchange's do.
 */
#ifndef EIDOS_PROCS_LIB_CLIENT_HTTP_H
#define EIDOS_PROCS_LIB_CLIENT_HTTP_H

#include "shm/base.h"

#define CLIENT_HEAD_MAX 1024U /* bytes of a request's head */

struct client_answer {
    u32 status; /* 200 */
    u32 size;   /* of head and body */
    u32 body_len;
    const char *head, *body;
    bool closes; /* the connection ends with it */
};

/* Write a request of a keep-alive connection: `header` is a whole line without its end, or NULL,
 * and `body` JSON or NULL. Returns its length; CHECKs that it is below `room`. */
size_t client_http_request(const char *method, const char *target, const char *host,
                           const char *header, const char *body, size_t body_len, char *to,
                           size_t room);

/* The answer at bytes[0..len): 1 = whole, 0 = more must come, -1 = not an answer that says its
 * length. */
int client_http_read(const char *bytes, size_t len, struct client_answer *a);

/* The whole number of a header line, or `otherwise`. `name` with its colon: "Retry-After:". */
u64 client_http_number(const struct client_answer *a, const char *name, u64 otherwise);

/* The code of the envelope {"code":N,...}; -1 when the body has none. */
int client_http_code(const struct client_answer *a);

#endif
