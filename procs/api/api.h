/* api.h: the gateway process. One thread, one loop; every file here works on this state.
 *
 *   main.c       start, the turn of the loop, stop
 *   http.c       conn.c, http_parse.c: requests in, answers out     ws.c          WebSocket frames
 *   routes.c     method and path -> handler, one table             ws_message.c  what clients say
 *   request.c, body.c, order_read.c, cancel_read.c: text -> facts  ws_channels.c who gets what
 *   orders.c, cancel.c, account.c, markets.c, health.c,            push.c        what is new
 *   history.c, list.c: handlers
 *   docs.c       /openapi.json, /docs
 *   answer.c     envelope, waiting for trading and for the disk    auth.c        who is asking
 *   stamps.c     trace ids, and when a request passed where
 *   origin.c     web pages that may ask
 *   limit.c      how much may be asked                             stream.c      TLS, or not
 */
#ifndef EIDOS_API_H
#define EIDOS_API_H

#include "procs/api/request.h"
#include "procs/lib/config.h"
#include "procs/lib/eth/eip712.h"
#include "procs/lib/trace_id.h"
#include "shm/history.h"
#include "shm/ledger.h"
#include "shm/log.h"
#include "shm/market.h"
#include "shm/metrics.h"
#include "shm/orders.h"
#include "shm/proc.h"
#include "shm/ring.h"
#include "shm/rules.h"
#include "shm/segment.h"
#include "shm/trace.h"

#define VERIFY_MAX     64U
#define REQUEST_ID_MAX 65U
#define SCRATCH_BYTES  (1UL << 20) /* the longest answer there is: 1000 levels, 100 orders */
#define NS_PER_MS      1000000UL
#define NS_PER_S       1000000000UL

struct http;
struct conn;
struct ws;
struct hub;
struct limiter;
struct tls;

/* One place in a ring of requests; lists are intrusive. */
struct link {
    struct link *prev, *next;
};

enum request_state {
    REQUEST_ASKED,    /* its handler looks at it, or trading will answer */
    REQUEST_ANSWERED, /* the answer is written and waits for durable.seq >= seq */
    REQUEST_DONE,     /* the answer may leave */
};

struct route;

/* What the X-RateLimit headers tell; limit 0: nothing. */
struct rate_told {
    u32 limit, remaining;
    u64 reset_s; /* Unix time */
};

struct request {
    struct link by_age, by_seq; /* in api.waiting, and in api.undurable or api.lagging */
    struct conn *connection;    /* NULL: came over `socket`, or its connection is gone */
    struct ws *socket;
    const struct route *route;
    struct span args[PATH_ARGS]; /* into `text` */
    enum method method;
    enum request_state state;

    u64 id;                    /* named in messages to verify; 0 = nobody was asked */
    u64 seq;                   /* command sequence the answer depends on */
    u64 begun_ns, deadline_ns; /* monotonic */
    u64 history_seq;         /* the window must have all through this command; 0 = not asked yet */
    u8 wallet[WALLET_BYTES]; /* who asks, while the request is in api.lagging */

    /* See stamps.h. */
    struct trace_id trace;
    u64 asked_id; /* `id`, kept when it is forgotten; 0 = nobody was asked */
    u64 asked_ns, replied_ns;
    bool is_order, has_parent; /* the client sent a traceparent */

    /* What came. */
    const char *authorization; /* NULL = no header */
    const char *body;          /* both are the connection's, while the handler runs */
    u32 body_len;
    u32 text_len;
    char text[TARGET_MAX];           /* path and query as sent */
    char socket_id[72];              /* the WebSocket message's id, as JSON; "" = none */
    char request_id[REQUEST_ID_MAX]; /* X-Request-Id as it came; "" = none */

    /* Replies to a cancel of several orders. */
    bool many;
    u64 trading_epoch; /* of trading when it was asked */
    u32 reply_total, reply_count;
    struct cancel_result {
        u64 order_id;
        u64 code;
    } * replies;

    /* What leaves. */
    const char *content_type;
    const char *header; /* one more line of the head, without its end; NULL = none */
    char *answer;       /* malloc'ed */
    size_t answer_len;
    u16 status;
    u32 retry_after_s;
    struct rate_told told;
    u8 origin;      /* origin.h */
    bool preflight; /* the answer says what a browser may ask */
    u64 wallet_key; /* limit.h; 0 = nothing that goes to verify */
    u8 wallet_kind;
};

struct api {
    const struct config *config;
    struct segment *segment;
    struct proc_block *block;
    u32 instance;

    /* Regions it reads. */
    const struct rules *rules; /* own copy: whole and known even while trading recovers */
    const struct region *rules_region;
    u64 rules_epoch;
    u32 rules_version;
    const struct ledger *ledger;
    const struct orders *orders;
    const struct region *state; /* of the ledger; its epoch tells when trading rebuilds its state */
    u32 copy;                   /* which of trading's copies these three are */
    const struct market_data *market;
    const struct history_data *history;
    const struct region *history_region;
    const struct durable *durable;
    const struct proc_block *trading; /* for its clock */

    /* Towards verify, and back from trading. */
    u32 verify_count;
    struct ring_tx verify[VERIFY_MAX];
    struct ring_rx replies;
    struct log_reader account;

    struct eip712 eip712;
    struct auth_cache *auth_cache;
    struct limiter *limiter;
    u32 origin_count;
    struct span origins[16]; /* of web pages, in the configuration; origin.h */
    struct tls *tls;         /* NULL = connections are plain */

    /* HTTP. */
    struct http *http;
    int epoll; /* the listener, connections, WebSockets */

    /* WebSocket. */
    struct hub *hub;

    /* Requests. */
    struct request *pool;
    struct link free, waiting, undurable; /* `waiting` by age: the first times out first */
    struct link lagging;                  /* wait for eidos-history */
    struct request **asked;               /* by id & asked_mask */
    u64 asked_mask;
    u64 next_id; /* without the instance */
    u64 named;   /* likewise, of trace ids */
    u64 boot_ns; /* the instance's, in trace ids of our own */
    struct trace *trace;
    u64 warned_ns; /* the second in which `warnings` about requests were logged */
    u32 warnings;
    u64 last_nonce; /* given out by prepare */

    u64 now_ns;      /* monotonic, once a turn */
    u64 unix_ns;     /* Unix time, once a turn */
    u64 durable_seq; /* once a turn */

    struct json_out out; /* the answer being written, in `scratch` */
    char *scratch;
    struct target target; /* of the request being handled */
};

static inline void link_init(struct link *head)
{
    head->prev = head->next = head;
}

static inline bool link_empty(const struct link *head)
{
    return head->next == head;
}

static inline void link_append(struct link *head, struct link *item)
{
    item->prev = head->prev;
    item->next = head;
    head->prev->next = item;
    head->prev = item;
}

/* Put an item before all others. */
static inline void link_prepend(struct link *head, struct link *item)
{
    link_append(head->next, item);
}

/* Take an item out of the list it is in. */
static inline void link_unlink(struct link *item)
{
    CHECK(item->next);
    item->prev->next = item->next;
    item->next->prev = item->prev;
    item->prev = item->next = NULL;
}

/* The same, if it is in one. */
static inline void link_remove(struct link *item)
{
    if (item->next) link_unlink(item);
}

/* Take the first item out of a list that is not empty. */
static inline struct link *link_pop(struct link *head)
{
    struct link *first = head->next;
    link_unlink(first);
    CHECK(head->next != first); /* nothing is in a list twice */
    return first;
}

#define LINK_OF(link_, type, member) ((type *)(void *)((char *)(link_)-offsetof(type, member)))

#endif
