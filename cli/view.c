/* view.c: eidosctl book, account, order: the state of a running exchange, read-only. */
#include "cli/view.h"

#include <string.h>
#include <time.h>

#include "procs/lib/decimal.h"
#include "procs/lib/eth/hex.h"
#include "procs/lib/wire.h"
#include "shm/err.h"
#include "shm/market.h"
#include "shm/orders.h"

#define DURABLE_WAIT_NS  10000000000UL
#define DEPTH_TRIES      200U /* of 1 ms */
#define OPEN_ORDERS_SHOW 1000U

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* --- Names -------------------------------------------------------------------------------------*/

int view_wallet(const struct cli *c, const char *text, u8 wallet[WALLET_BYTES])
{
    if (hex_parse(text, strlen(text), wallet, WALLET_BYTES)) return 0;
    cli_fail(c, CLI_USAGE, "%s: expected a wallet: 0x and 40 hex digits", text);
    return -1;
}

int view_tx(const struct cli *c, const char *text, u8 tx_hash[TX_HASH_BYTES])
{
    if (hex_parse(text, strlen(text), tx_hash, TX_HASH_BYTES)) return 0;
    cli_fail(c, CLI_USAGE, "%s: expected a transaction: 0x and 64 hex digits", text);
    return -1;
}

u16 view_token(const struct cli *c, const struct rules *rules, const char *symbol)
{
    u16 token = rules_find_token(rules, symbol, strlen(symbol));
    if (token != NO_TOKEN) return token;
    cli_fail(c, CLI_USAGE, "%s: there is no such token; there are:", symbol);
    u32 count = atomic_load_explicit(&rules->token_count, memory_order_acquire);
    for (u32 i = 0; i < count; i++) fprintf(stderr, "  %s\n", rules->tokens[i].symbol);
    return NO_TOKEN;
}

u16 view_market(const struct cli *c, const struct rules *rules, const char *symbol)
{
    u16 market = rules_find_market(rules, symbol, strlen(symbol));
    if (market != NO_MARKET) return market;
    cli_fail(c, CLI_USAGE, "%s: there is no such market; there are:", symbol);
    u32 count = atomic_load_explicit(&rules->market_count, memory_order_acquire);
    for (u32 i = 0; i < count; i++) fprintf(stderr, "  %s\n", rules->markets[i].symbol);
    return NO_MARKET;
}

int view_durable(const struct cli *c, const struct segment *s, u64 seq)
{
    const struct durable *durable = segment_object(s, "durable");
    u64 until_ns = cli_monotonic_ns() + DURABLE_WAIT_NS;
    while (atomic_load_explicit(&durable->seq, memory_order_acquire) < seq) {
        if (cli_monotonic_ns() > until_ns) {
            cli_fail(c, CLI_FAILED,
                     "what this shows is not on disk yet, and the journal does not move; see "
                     "`eidosctl ps`");
            return -1;
        }
        nap();
    }
    return 0;
}

/* --- book --------------------------------------------------------------------------------------*/

static void print_side(const struct market *m, const struct market_level *levels, u32 count,
                       bool upwards)
{
    char price[DECIMAL_TEXT], amount[DECIMAL_TEXT];
    for (u32 k = 0; k < count; k++) {
        const struct market_level *l = &levels[upwards ? count - 1 - k : k];
        decimal_format_fixed((u128)l->price * m->tick_wad, 18, m->price_decimals, price);
        decimal_format_fixed((u128)l->lots * m->lot_wad, 18, m->amount_decimals, amount);
        printf("  %16s %20s %8lu\n", price, amount, l->orders);
    }
}

static void json_side(struct json_out *out, const struct market *m,
                      const struct market_level *levels, u32 count)
{
    json_put_open(out, '[');
    for (u32 k = 0; k < count; k++) {
        json_put_open(out, '[');
        wire_put_price(out, m, levels[k].price);
        wire_put_lots(out, m, levels[k].lots);
        json_put_u64(out, levels[k].orders);
        json_put_close(out, ']');
    }
    json_put_close(out, ']');
}

static void json_book(const struct market *m, const struct market_depth *d, u32 bids, u32 asks)
{
    struct json_out out;
    cli_json_begin(&out);
    json_put_open(&out, '{');
    json_put_key(&out, "market"), json_put_cstring(&out, m->symbol);
    json_put_key(&out, "sequence"), json_put_u64(&out, d->sequence);
    json_put_key(&out, "bids"), json_side(&out, m, d->bids, bids);
    json_put_key(&out, "asks"), json_side(&out, m, d->asks, asks);
    json_put_close(&out, '}');
    cli_json_end(&out);
}

static int read_depth(const struct cli *c, struct segment *s, u16 market, u32 levels,
                      struct market_depth *depth)
{
    void *object = cli_object(s, "market");
    struct market_data *data = object ? market_join(object) : NULL;
    if (!data) return cli_fail(c, CLI_FAILED, "%s", err_text());
    for (u32 i = 0; i < DEPTH_TRIES; i++) {
        int answer = market_read_depth(data, market, levels, depth);
        if (answer == 0) return CLI_OK;
        nap();
    }
    return cli_fail(c, CLI_FAILED,
                    "eidos-market does not answer for this market; see `eidosctl ps`");
}

int cmd_book(int argc, char **argv)
{
    static struct segment s;
    static struct market_depth depth;
    struct market m;
    struct cli c;
    u64 levels;
    int result = cli_parse(&c, argc, argv);
    if (result) return result;
    if (!cli_number(&c, "--levels", 1, MARKET_DEPTH_MAX, 10, &levels)) return CLI_USAGE;
    if ((result = cli_attach(&c, &s, ROLE_COUNT))) return result;
    struct rules *rules = cli_object(&s, "rules");
    if (!rules) return cli_fail(&c, CLI_FAILED, "%s", err_text());
    u16 market = view_market(&c, rules, c.arg[0]);
    if (market == NO_MARKET) return CLI_USAGE;
    rules_read_market(rules, market, &m);
    if ((result = read_depth(&c, &s, market, (u32)levels, &depth))) return result;
    u32 bids = (u32)min_u64(depth.bid_count, levels), asks = (u32)min_u64(depth.ask_count, levels);
    if (cli_value(&c, "--json")) {
        json_book(&m, &depth, bids, asks);
        return CLI_OK;
    }
    printf("%s, sequence %lu\n  %16s %20s %8s\n", m.symbol, depth.sequence, "price", "amount",
           "orders");
    print_side(&m, depth.asks, asks, true);
    printf("  %s\n", asks && bids ? "----------------  asks above, bids below  ------"
                     : asks       ? "(no bids)"
                     : bids       ? "(no asks)"
                                  : "(empty)");
    print_side(&m, depth.bids, bids, false);
    return CLI_OK;
}

/* --- account -----------------------------------------------------------------------------------*/

/* What is shown of a wallet; large. */
struct account_view {
    u8 wallet[WALLET_BYTES];
    u32 index;
    struct balance balances[TOKENS_MAX];
    u32 balance_count;
    struct order_view open[OPEN_ORDERS_SHOW];
    u32 open_shown;
    u64 open_total;
    u64 seq;
    u64 nonce_floor[NONCE_USES];
    u32 nonces_held[NONCE_USES];
};

/* 0, or READ_BUSY. */
static int read_account(struct account_view *v, const struct ledger *l, const struct orders *o)
{
    const struct account *a = ledger_account(l, v->index);
    struct orders_query query = {
        .account = v->index, .market = NO_MARKET, .open = true, .max = OPEN_ORDERS_SHOW};
    struct orders_found found;
    u32 version = 0;
    int balances = ledger_read_balances(l, v->index, v->balances, TOKENS_MAX, &v->seq);
    int open = orders_read_list(o, l, &query, v->open, &found);
    bool whole = false;
    for (u32 i = 0; i < READ_TRIES && !whole; i++) {
        whole = account_read_begin(a, &version);
        for (u32 use = 0; use < NONCE_USES; use++)
            v->nonces_held[use] =
                nonce_count(l, v->index, (enum nonce_use)use, &v->nonce_floor[use]);
        whole = whole && account_read_end(a, version);
    }
    if (balances == READ_BUSY || open == READ_BUSY || !whole) return READ_BUSY;
    v->balance_count = (u32)balances;
    v->open_shown = (u32)open;
    v->open_total = found.total;
    v->seq = max_u64(v->seq, found.seq);
    return 0;
}

static const char *const nonce_names[NONCE_USES] = {"order", "cancel", "withdraw"};

static void json_account(const struct account_view *v, const struct rules *rules)
{
    struct json_out out;
    cli_json_begin(&out);
    json_put_open(&out, '{');
    json_put_key(&out, "wallet"), wire_put_wallet(&out, v->wallet);
    json_put_key(&out, "sequence"), json_put_u64(&out, v->seq);
    json_put_key(&out, "balances"), json_put_open(&out, '[');
    for (u32 i = 0; i < v->balance_count; i++) {
        const struct balance *b = &v->balances[i];
        struct wire_balance w = {.settled_available = b->available,
                                 .settled_frozen = b->frozen,
                                 .pending_available = b->pending_available,
                                 .pending_frozen = b->pending_frozen,
                                 .updated_ns = b->updated_ns,
                                 .wallet = v->wallet,
                                 .token = b->token};
        wire_put_balance(&out, rules, &w);
    }
    json_put_close(&out, ']');
    json_put_key(&out, "nonces"), json_put_open(&out, '{');
    for (u32 use = 0; use < NONCE_USES; use++) {
        json_put_key(&out, nonce_names[use]), json_put_open(&out, '{');
        json_put_key(&out, "floor"), json_put_id(&out, v->nonce_floor[use]);
        json_put_key(&out, "held"), json_put_u64(&out, v->nonces_held[use]);
        json_put_close(&out, '}');
    }
    json_put_close(&out, '}');
    json_put_key(&out, "open_total"), json_put_u64(&out, v->open_total);
    json_put_key(&out, "open_orders"), json_put_open(&out, '[');
    for (u32 i = 0; i < v->open_shown; i++) wire_put_order(&out, rules, &v->open[i]);
    json_put_close(&out, ']');
    json_put_close(&out, '}');
    cli_json_end(&out);
}

static void print_order_line(const struct rules *rules, const struct order_view *o)
{
    const struct market *m = &rules->markets[o->market];
    char price[DECIMAL_TEXT], amount[DECIMAL_TEXT], filled[DECIMAL_TEXT];
    decimal_format((u128)o->price * m->tick_wad, 18, price);
    decimal_format((u128)o->lots * m->lot_wad, 18, amount);
    decimal_format((u128)o->filled_lots * m->lot_wad, 18, filled);
    printf("  %-20lu %-12s %-4s %-6s %-3s %14s %16s %16s %s\n", o->order_id, m->symbol,
           wire_side(o->side), wire_type(o->type), wire_tif(o->tif), price, amount, filled,
           wire_status(o->status));
}

static void print_order_head(void)
{
    printf("  %-20s %-12s %-4s %-6s %-3s %14s %16s %16s %s\n", "order", "market", "side", "type",
           "tif", "price", "amount", "filled", "status");
}

static void print_account(const struct account_view *v, const struct rules *rules)
{
    char text[HEX_ADDRESS_TEXT];
    hex_format_address(v->wallet, text);
    printf("%s at sequence %lu\n\n  %-10s %24s %24s\n", text, v->seq, "token", "available", "held");
    for (u32 i = 0; i < v->balance_count; i++) {
        const struct balance *b = &v->balances[i];
        u8 decimals = rules->tokens[b->token].decimals;
        printf("  %-10s %24s %24s\n", rules->tokens[b->token].symbol,
               cli_decimal((u128)b->available + b->pending_available, decimals),
               cli_decimal((u128)b->frozen + b->pending_frozen, decimals));
    }
    printf("\n  nonces: ");
    for (u32 use = 0; use < NONCE_USES; use++)
        printf("%s%s %u held, above %lu", use ? "; " : "", nonce_names[use], v->nonces_held[use],
               v->nonce_floor[use]);
    printf("\n\n  open orders: %lu\n", v->open_total);
    if (v->open_shown) print_order_head();
    for (u32 i = 0; i < v->open_shown; i++) print_order_line(rules, &v->open[i]);
    if (v->open_total > v->open_shown)
        printf("  and %lu older ones\n", v->open_total - v->open_shown);
}

/* Rules, ledger and orders of a running exchange. CLI_OK, or it said why not. */
static int join_state(const struct cli *c, struct segment *s, struct rules **rules,
                      struct ledger **ledger, struct orders **orders)
{
    int result = cli_attach(c, s, ROLE_COUNT);
    if (result) return result;
    void *r = cli_object(s, "rules");
    void *l = r ? cli_object(s, "ledger") : NULL;
    void *o = l ? cli_object(s, "orders") : NULL;
    if (!o) {
        cli_fail(c, CLI_FAILED, "%s", err_text());
        return CLI_FAILED;
    }
    *rules = rules_join(r);
    *ledger = ledger_join(l);
    *orders = orders_join(o);
    return CLI_OK;
}

int cmd_account(int argc, char **argv)
{
    static struct segment s;
    static struct account_view v;
    struct rules *rules;
    struct ledger *ledger;
    struct orders *orders;
    struct cli c;
    int result = cli_parse(&c, argc, argv);
    if (result) return result;
    if (view_wallet(&c, c.arg[0], v.wallet)) return CLI_USAGE;
    if ((result = join_state(&c, &s, &rules, &ledger, &orders))) return result;
    v.index = ledger_find(ledger, v.wallet);
    if (v.index == NO_ACCOUNT)
        return cli_fail(&c, CLI_FAILED, "%s was never funded and is not known here", c.arg[0]);
    if (read_account(&v, ledger, orders) == READ_BUSY)
        return cli_fail(&c, CLI_FAILED, "trading is recovering; try again in a moment");
    if (view_durable(&c, &s, v.seq)) return CLI_FAILED;
    if (cli_value(&c, "--json")) json_account(&v, rules);
    else print_account(&v, rules);
    return CLI_OK;
}

/* --- order -------------------------------------------------------------------------------------*/

int cmd_order(int argc, char **argv)
{
    static struct segment s;
    struct rules *rules;
    struct ledger *ledger;
    struct orders *orders;
    struct order_view view;
    struct cli c;
    u64 id, seq;
    int result = cli_parse(&c, argc, argv);
    if (result) return result;
    if (decimal_parse_u64(c.arg[0], strlen(c.arg[0]), &id) != DECIMAL_OK)
        return cli_fail(&c, CLI_USAGE, "%s: expected an order id, a whole number", c.arg[0]);
    if ((result = join_state(&c, &s, &rules, &ledger, &orders))) return result;
    int found = orders_read(orders, ledger, id, &view, &seq);
    if (found == READ_BUSY)
        return cli_fail(&c, CLI_FAILED, "trading is recovering; try again in a moment");
    if (!found)
        return cli_fail(&c, CLI_FAILED,
                        "order %lu never was, or closed so long ago that its place was reused", id);
    if (view_durable(&c, &s, seq)) return CLI_FAILED;
    if (cli_value(&c, "--json")) {
        struct json_out out;
        cli_json_begin(&out);
        wire_put_order(&out, rules, &view);
        cli_json_end(&out);
        return CLI_OK;
    }
    char wallet[HEX_ADDRESS_TEXT];
    hex_format_address(view.wallet, wallet);
    print_order_head();
    print_order_line(rules, &view);
    printf("  of %s, nonce %lu, at sequence %lu\n", wallet, view.nonce, seq);
    if (view.code) printf("  rejected: %u %s\n", view.code, wire_message(view.code));
    return CLI_OK;
}
