#include "procs/api/routes.h"

#include "procs/api/answer.h"
#include "procs/api/auth.h"

// clang-format off
const struct route routes[] = {
    {METHOD_GET,    ACCESS_PUBLIC, API_BASE "/markets",              markets_list},
    {METHOD_GET,    ACCESS_PUBLIC, API_BASE "/depth/{}",             markets_depth},
    {METHOD_GET,    ACCESS_PUBLIC, API_BASE "/klines/{}",            markets_klines},
    {METHOD_GET,    ACCESS_PUBLIC, API_BASE "/trades/{}/recent",     markets_trades},
    {METHOD_GET,    ACCESS_PUBLIC, API_BASE "/ticker/{}",            markets_ticker},
    {METHOD_GET,    ACCESS_PUBLIC, API_BASE "/tickers",              markets_tickers},
    {METHOD_GET,    ACCESS_PUBLIC, API_BASE "/time",                 markets_time},
    {METHOD_GET,    ACCESS_PUBLIC, API_BASE "/config/version",       markets_versions},

    /* as older clients call them */
    {METHOD_GET,    ACCESS_PUBLIC, API_BASE "/markets/{}/depth",     markets_depth},
    {METHOD_GET,    ACCESS_PUBLIC, API_BASE "/markets/{}/klines",    markets_klines},
    {METHOD_GET,    ACCESS_PUBLIC, API_BASE "/markets/{}/trades",    markets_trades},
    {METHOD_GET,    ACCESS_PUBLIC, API_BASE "/markets/{}/ticker",    markets_ticker},

    {METHOD_POST,   ACCESS_OWN,    API_BASE "/orders",               orders_place},
    {METHOD_POST,   ACCESS_WALLET, API_BASE "/orders/prepare",       orders_prepare},
    {METHOD_GET,    ACCESS_WALLET, API_BASE "/orders",               orders_list},
    {METHOD_GET,    ACCESS_WALLET, API_BASE "/orders/open",          orders_open},
    {METHOD_GET,    ACCESS_WALLET, API_BASE "/orders/{}",            orders_one},
    {METHOD_DELETE, ACCESS_OWN,    API_BASE "/orders/{}",            cancel_one},
    {METHOD_DELETE, ACCESS_OWN,    API_BASE "/orders",               cancel_many},
    {METHOD_GET,    ACCESS_WALLET, API_BASE "/balances",             account_balances},
    {METHOD_GET,    ACCESS_WALLET, API_BASE "/deposits",             deposits_list},
    {METHOD_GET,    ACCESS_WALLET, API_BASE "/deposits/{}",          deposits_one},
    {METHOD_GET,    ACCESS_WALLET, API_BASE "/withdrawals",          withdrawals_list},
    {METHOD_GET,    ACCESS_WALLET, API_BASE "/withdrawals/{}",       withdrawals_one},
    {METHOD_POST,   ACCESS_OWN,    API_BASE "/withdrawals",          withdrawals_ask},
    {METHOD_DELETE, ACCESS_OWN,    API_BASE "/withdrawals/{}",       withdrawals_cancel},
    {METHOD_POST,   ACCESS_OWN,    API_BASE "/balances/withdraw",    withdrawals_ask}, /* older */
    {METHOD_GET,    ACCESS_WALLET, API_BASE "/balances/history",     history_entries}, /* older */
    {METHOD_GET,    ACCESS_WALLET, API_BASE "/transactions",         history_entries},
    {METHOD_GET,    ACCESS_WALLET, API_BASE "/mytrades",             history_trades},
    {METHOD_GET,    ACCESS_WALLET, API_BASE "/mytrades/{}",          history_trade},
    {METHOD_GET,    ACCESS_WALLET, API_BASE "/balances/{}",          account_balance},

    {METHOD_GET,    ACCESS_PUBLIC, "/health/live",                   health_live},
    {METHOD_GET,    ACCESS_PUBLIC, "/health/ready",                  health_ready},
    {METHOD_GET,    ACCESS_PUBLIC, "/metrics",                       health_metrics},
    {METHOD_GET,    ACCESS_PUBLIC, "/openapi.json",                  docs_document},
    {METHOD_GET,    ACCESS_PUBLIC, "/docs",                          docs_page},
    {0, 0, NULL, NULL},
};
// clang-format on

/* The header that goes with 405 (RFC 9110, 15.5.6), by the bits of enum method that a path takes.
 */
#define GET_    (1U << METHOD_GET)
#define POST_   (1U << METHOD_POST)
#define DELETE_ (1U << METHOD_DELETE)
static const char *const allow[GET_ + POST_ + DELETE_ + 1] = {
    [GET_] = "Allow: GET, HEAD, OPTIONS",
    [POST_] = "Allow: POST, OPTIONS",
    [DELETE_] = "Allow: DELETE, OPTIONS",
    [GET_ + POST_] = "Allow: GET, HEAD, POST, OPTIONS",
    [GET_ + DELETE_] = "Allow: GET, HEAD, DELETE, OPTIONS",
    [POST_ + DELETE_] = "Allow: POST, DELETE, OPTIONS",
    [GET_ + POST_ + DELETE_] = "Allow: GET, HEAD, POST, DELETE, OPTIONS",
};

int route_find(struct api *a, struct request *r, u16 *status, struct problem *p)
{
    *status = 400;
    if (target_read(&a->target, r->text, r->text_len, p)) return -1;
    u32 methods = 0;
    bool named = false; /* by a row without {}, which stands before those with */
    for (const struct route *route = routes; route->pattern; route++) {
        bool literal = !strchr(route->pattern, '{');
        if (named && !literal) continue;
        if (!path_matches(a->target.path, route->pattern, r->args)) continue;
        named = literal;
        methods |= 1U << route->method;
        if (route->method != r->method) continue;
        r->route = route;
        return 0;
    }
    bool path_known = methods != 0;
    *status = path_known ? 405 : 404;
    r->header = allow[methods];
    return problem_set(p, CODE_INVALID_PARAMS, path_known ? "method" : "path", NULL, "%s",
                       path_known ? "this path does not take this method"
                                  : "there is no such path; the API is below " API_BASE);
}

void route_run(struct api *a, struct request *r)
{
    u8 wallet[WALLET_BYTES];
    struct problem p;
    if (r->route->access != ACCESS_WALLET) {
        r->route->handle(a, r, NULL);
        return;
    }
    if (auth_request(a, r, wallet, &p)) answer_problem(a, r, &p, NULL, 0);
    else r->route->handle(a, r, wallet);
}
