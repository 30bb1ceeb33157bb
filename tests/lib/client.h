/* client.h: a trader's program: it signs with its own key and speaks HTTP, several requests at a
 * time over connections it keeps.
 *
 *   order_body / cancel_body / sign_request --> client_send --> (client_pump) --> done(answer)
 *
 * It knows protocol.md and nothing of the exchange's memory or records. One thread.
 */
#ifndef EIDOS_TESTS_LIB_CLIENT_H
#define EIDOS_TESTS_LIB_CLIENT_H

#include <curl/curl.h>
#include <jansson.h>

#include "procs/lib/client/sign.h"

#define CLIENT_CALLS_MAX 32
#define CLIENT_BODY      1200
#define CLIENT_MARKETS   2
#define E8               100000000UL /* prices and amounts here: decimal value x 10^8 */

/* The markets of the default configuration and their tokens. */
extern const char *const client_markets[CLIENT_MARKETS];
extern const char *const client_bases[CLIENT_MARKETS];

/* ---- Wallets ----------------------------------------------------------------------------------*/

/* The next number of a seeded sequence (splitmix64). */
u64 client_random(u64 *seed);

void wallet_make(struct client_wallet *w, u64 *seed);

/* ---- What is signed ---------------------------------------------------------------------------*/

/* Numbers as in signatures: see eip712.h. */
struct order_spec {
    u64 nonce;
    u64 price, amount, quote_amount; /* E8; 0 = not given */
    u8 market;                       /* index of client_markets */
    u8 side, type, tif, stp;
    bool v1; /* sign the older Order: limit GTC, or a plain market order */
};

/* The body of POST /orders, signed; always the same for the same order. */
void order_body(const struct client_wallet *w, const struct order_spec *o, char body[CLIENT_BODY]);

/* The body of DELETE /orders/{id}: a signed Cancel. */
void cancel_body(const struct client_wallet *w, u64 order_id, u64 nonce, char body[CLIENT_BODY]);

/* The Authorization header line of a request made now. `path` without query. */
void sign_request(const struct client_wallet *w, const char *method, const char *path,
                  char header[CLIENT_HEADER]);

/* Texts of the wire for the numbers above, and the number of a status, or -1. */
const char *client_side(u8 side);
const char *client_type(u8 type);
int client_status(const char *text);

/* A decimal string of a JSON object, x 10^8; UINT64_MAX when it is none. */
u64 client_e8(const json_t *object, const char *name);

/* An id in a string; 0 when it is none. */
u64 client_id(const json_t *object, const char *name);

/* Unix milliseconds. */
u64 client_unix_ms(void);

/* ---- Requests ---------------------------------------------------------------------------------*/

struct answer {
    long http;    /* 0 = no whole answer came: what became of the request is unknown */
    int code;     /* of the envelope; -1 without one */
    json_t *data; /* of the envelope, or NULL; lives until the callback returns */
};

typedef void answer_fn(void *context, const struct answer *a);

struct call {
    CURL *easy;
    struct curl_slist *headers;
    char body[CLIENT_BODY];
    char *text; /* of the answer */
    size_t length;
    answer_fn *done;
    void *context;
    bool busy;
};

struct client {
    CURLM *multi;
    u32 port;
    u32 count, busy; /* calls there are, and under way */
    struct call calls[CLIENT_CALLS_MAX];
    u64 requests, unanswered;
};

/* `calls` in [1, CLIENT_CALLS_MAX] requests at a time. */
void client_open(struct client *c, u32 calls, u32 port);
void client_close(struct client *c);

static inline bool client_is_full(const struct client *c)
{
    return c->busy == c->count;
}

/* Begin a request; CHECKs that the client is not full. `header` and `body` may be NULL; both are
 * copied. `done` runs inside client_pump. */
void client_send(struct client *c, const char *method, const char *target, const char *header,
                 const char *body, answer_fn *done, void *context);

/* Move bytes; waits at most `wait_ms` when nothing moves. */
void client_pump(struct client *c, int wait_ms);

/* Until nothing is under way. */
void client_drain(struct client *c);

/* One request and its envelope's data, which the caller frees with json_decref; NULL and the status
 * in *http (may be NULL) when the answer was not 200. */
json_t *client_ask(struct client *c, const char *method, const char *target, const char *header,
                   const char *body, long *http);

/* A signed GET of `path` with an optional query. */
json_t *client_get(struct client *c, const struct client_wallet *w, const char *path,
                   const char *query);

#endif
