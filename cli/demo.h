/* demo.h: what `eidosctl demo` consists of.
 *
 *   demo.c         options, funding, the loop, the report
 *   demo_agent.c   one wallet: chooses, signs, sends, understands the answer
 *   demo_sign.c    its orders in the terms of the client library
 *   demo_ws.c      WebSocket connections
 *   demo_push.c    what comes over WebSocket, compared with what was expected
 *   demo_check.c   afterwards: is what was said true?
 *
 *   agent:  TRADE --time is up--> CANCEL all --> ORDERS one by one --> BALANCES --> DONE
 *
 * Everything goes through the public API; only funds come through the operators' ring, and market
 * parameters from the segment.
 */
#ifndef EIDOS_CLI_DEMO_H
#define EIDOS_CLI_DEMO_H

#include <curl/curl.h>
#include <jansson.h>

#include "cli/cli.h"
#include "procs/lib/client/sign.h"
#include "shm/rules.h"

#define DEMO_MARKETS     2U
#define DEMO_WALLETS_MAX 2000U
#define DEMO_SOCKETS_MAX 5U /* one for public data, the others for wallets */
#define DEMO_BODY        2048U
#define DEMO_ANSWER      (256U << 10)
#define DEMO_FAULTS_MAX  10U /* that are told in words */
#define NO_PLACED        UINT32_MAX

enum agent_step {
    AGENT_TRADE,
    AGENT_CANCEL,
    AGENT_ORDERS,
    AGENT_BALANCES,
    AGENT_DONE,
};

/* What an agent waits for. */
enum call {
    CALL_NONE,
    CALL_ORDER,
    CALL_CANCEL,
    CALL_CANCEL_ALL,
    CALL_GET_ORDER,
    CALL_GET_BALANCES
};

/* An order of ours and what we were told about it. */
struct placed {
    u64 order_id;
    u64 lots;                      /* as signed; 0: by quote amount */
    u64 filled_lots, filled_quote; /* as last told */
    u32 agent;
    u32 next; /* of the same agent, NO_PLACED = none */
    u8 market, side, type, tif, status;
    u8 pushed_status;  /* by the last push */
    bool cancelled;    /* we were told that a cancel hit it */
    bool closed;       /* it can not be open any more */
    u64 pushed_filled; /* lots, by the last push */
};

struct demo_market {
    struct market rules;
    u8 base_decimals, quote_decimals;
    u64 mid;          /* ticks, walks */
    u64 pushed_lots;  /* traded, by public pushes */
    u64 last_trade;   /* its id */
    u64 depth_seq;    /* last public depth sequence, 0 = none yet */
    u64 bought, sold; /* lots, by the final state of all our orders */
};

/* A push about an order that was not answered yet: pushes and answers go different ways. */
struct early {
    u64 order_id, filled_lots;
    u8 status;
};
#define DEMO_EARLY 64U

/* A WebSocket; demo_ws.c */
struct socket {
    struct demo *demo;
    u32 agent; /* whose, NO_PLACED = public */
    int fd;    /* -1 = closed */
    char *in;  /* DEMO_ANSWER bytes */
    size_t in_len;
    u32 mask;
    bool ready;   /* subscribed */
    bool broken;  /* was lost at least once: pushes may be missing */
    u64 again_ns; /* when to connect again */
    u64 pushes;
    u32 early_count;
    struct early early[DEMO_EARLY]; /* the newest, in a ring */
};

struct agent {
    u32 index;
    struct client_wallet wallet;
    char url[96]; /* of its gateway: http://host:port */
    u64 order_nonce, cancel_nonce;
    enum agent_step step;
    enum call call;
    bool in_flight; /* the call was sent; else it is sent (again) at next_ns */
    bool by_socket; /* over the wallet's WebSocket */
    struct socket *socket;
    u64 next_ns;  /* when to act, or to send again what got no answer */
    u64 began_ns; /* the call, first attempt */
    u64 sent_ns;  /* this attempt */
    u32 attempts;
    u64 call_id;
    char method[8], path[128], body[DEMO_BODY];
    struct placed order;   /* being placed */
    u32 subject;           /* being cancelled or asked for */
    u32 first, last, open; /* of its orders; how many we believe open */
    i64 funds[3];          /* credited: USDC, then the bases, ledger units */
    CURL *easy;
    struct curl_slist *headers;
    char *answer;
    size_t answer_len;
};

struct demo {
    const struct cli *cli;
    struct segment own, segment; /* as ROLE_OPS, as an onlooker */
    struct config config;
    struct eip712 domain;
    u64 seconds, wallets, rate, random;
    char host[64];
    u16 port;
    struct demo_market markets[DEMO_MARKETS];
    u16 quote_token;
    struct agent *agents;
    struct placed *placed;
    u32 placed_count, placed_max;
    u32 *latency_us;
    u32 latency_count;
    struct socket sockets[DEMO_SOCKETS_MAX];
    u32 socket_count;
    CURLM *multi;
    u64 stop_ns;
    u64 orders, acked, rejected, cancels, resent, errors, limited, found;
    u64 trades, pushes;
    u64 wrong; /* statements that proved false */
    char faults[DEMO_FAULTS_MAX][200];
};

/* A statement of the exchange proved false: count it and remember the words. */
void demo_fault(struct demo *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A number in [0, n). */
u64 demo_random(struct demo *d, u64 n);

/* --- demo_sign.c --- */

/* The body of a v2 order, signed. */
struct demo_order {
    u8 market, side, type, tif, stp;
    u64 ticks, lots, quote; /* quote: ledger units, 0 = none */
};
void sign_order(const struct demo *d, struct agent *a, const struct demo_order *o,
                struct json_out *out);

/* --- demo_agent.c --- */

void agent_act(struct demo *d, struct agent *a, u64 now_ns);
/* An HTTP answer, or none (`result`). */
void agent_answered(struct demo *d, struct agent *a, CURLcode result);
/* The same for an order sent over the socket; `code` 0 = `order` is the Order. */
void agent_acked(struct demo *d, struct agent *a, u64 id, u16 code, json_t *order);
/* The socket is gone: what was sent over it goes again over HTTP. */
void agent_socket_lost(struct demo *d, struct agent *a);
/* Start the HTTP request in a->method, path, body. */
void agent_send(struct demo *d, struct agent *a);

/* --- demo_check.c --- */

/* Numbers of an Order object; false and a fault when one is missing or malformed. */
struct told {
    u64 order_id, lots, filled_lots, filled_quote;
    u8 status;
};
bool check_read(struct demo *d, const struct demo_market *m, json_t *order, struct told *t);
/* An Order as answered to the request that placed it. */
void check_placed(struct demo *d, const struct placed *p, const struct told *t);
/* The same order, asked for at the end. */
void check_final(struct demo *d, struct placed *p, json_t *order);
void check_balances(struct demo *d, struct agent *a, json_t *balances);
/* What only all orders together tell. */
void check_totals(struct demo *d);
u8 check_status(const char *name);
bool check_is_final(u8 status);

/* --- demo_ws.c, demo_push.c --- */

void socket_connect(struct socket *s, u64 now_ns);
void socket_turn(struct socket *s, u64 now_ns);
void socket_close(struct socket *s);
bool socket_send(struct socket *s, const char *text, size_t length);
/* Open: say who we are and what we want. */
void push_hello(struct socket *s);
void push_message(struct socket *s, const char *text, size_t length);
/* An order was answered: what was pushed about it before? */
void push_recall(const struct socket *s, struct placed *p);

#endif
