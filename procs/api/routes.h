/* routes.h: which handler answers which method and path. The table in routes.c is the list of all
 * that HTTP clients can ask; schema/openapi.json documents each row, and a test holds them
 * together.
 */
#ifndef EIDOS_API_ROUTES_H
#define EIDOS_API_ROUTES_H

#include "procs/api/api.h"

enum access {
    ACCESS_PUBLIC,
    ACCESS_WALLET, /* a signed Request in the header, checked before the handler runs */
    ACCESS_OWN,    /* the handler passes the proof on to verify */
};

/* Answers the request (answer.h), now or later. `wallet` is who asks, or NULL. */
typedef void route_fn(struct api *a, struct request *r, const u8 *wallet);

struct route {
    enum method method;
    enum access access;
    const char *pattern;
    route_fn *handle;
};

extern const struct route routes[]; /* ends with pattern NULL */

/* Take the target apart into a->target, find the route and remember it with its arguments. -1 with
 * the HTTP status in *status and the problem: 404 no such path, 405 not with this method, 400. */
int route_find(struct api *a, struct request *r, u16 *status, struct problem *p);

/* Run the handler, the header checked first where the route wants that. */
void route_run(struct api *a, struct request *r);

route_fn orders_place, orders_prepare, orders_list, orders_open, orders_one;
route_fn cancel_one, cancel_many;
route_fn account_balances, account_balance;
route_fn deposits_list, deposits_one, withdrawals_list, withdrawals_one, withdrawals_ask,
    withdrawals_cancel;
route_fn history_trades, history_trade, history_entries;
route_fn markets_list, markets_depth, markets_klines, markets_trades, markets_ticker,
    markets_tickers, markets_time, markets_versions;
route_fn health_live, health_ready, health_metrics;
route_fn docs_document, docs_page;

/* Requests that waited for eidos-history, run again where it has caught up; returns how many were
 * answered. Then: how long the loop may sleep for their sake. */
u32 history_turn(struct api *a);
u64 history_sleep_ns(const struct api *a);

/* The same for a WebSocket, whose params are parsed already. */
void orders_ask(struct api *a, struct request *r, json_t *body);
void cancel_ask(struct api *a, struct request *r, json_t *params, bool all);

#endif
