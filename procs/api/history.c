/* history.c: own trades and the balance log, from eidos-history's window. A fill is one trade, and
 * in the balance log what came, what went and the fee.
 *
 * That process trails what is durable by a moment. A wallet that was told of its fill must find it,
 * so a request waits until the window has all that was durable when it came.
 */
#include "shm/history.h"
#include "procs/api/answer.h"
#include "procs/api/body.h"
#include "procs/api/list.h"
#include "procs/api/routes.h"
#include "procs/lib/wire.h"

#define LAG_MAX_NS   (2 * NS_PER_S)
#define LAG_SLEEP_NS NS_PER_MS
#define PAGE_MAX     100U

static int answer_behind(struct api *a, struct request *r)
{
    answer_busy(a, r, "the history of wallets is being read back");
    return -1;
}

/* 0 = the window has all it must; 1 = the request waits for it, or was answered. */
static int wait_for_window(struct api *a, struct request *r, const u8 *wallet)
{
    if (!r->history_seq) r->history_seq = a->durable_seq;
    if (!region_epoch(a->history_region)) return answer_behind(a, r), 1;
    if (history_through(a->history) >= r->history_seq) return 0;
    if (!r->deadline_ns) r->deadline_ns = a->now_ns + LAG_MAX_NS;
    if (a->now_ns > r->deadline_ns) return answer_behind(a, r), 1;
    if (wallet != r->wallet) memcpy(r->wallet, wallet, WALLET_BYTES);
    link_append(&a->lagging, &r->by_seq);
    return 1;
}

u32 history_turn(struct api *a)
{
    struct link again;
    struct problem p;
    u32 n = 0;
    u16 status;
    if (link_empty(&a->lagging)) return 0;
    link_init(&again);
    while (!link_empty(&a->lagging)) link_append(&again, link_pop(&a->lagging));
    while (!link_empty(&again)) {
        struct request *r = LINK_OF(link_pop(&again), struct request, by_seq);
        CHECK(route_find(a, r, &status, &p) == 0); /* as it did when it came */
        r->route->handle(a, r, r->wallet);
        n += r->state != REQUEST_ASKED;
    }
    return n;
}

u64 history_sleep_ns(const struct api *a)
{
    return link_empty(&a->lagging) ? UINT64_MAX : LAG_SLEEP_NS;
}

static u32 account_of(struct api *a, const u8 *wallet)
{
    return region_epoch(a->state) ? ledger_find(a->ledger, wallet) : NO_ACCOUNT;
}

/* ---- Trades ---- */

struct trades {
    struct list_query q;
    struct list_page page;
    u16 market;   /* NO_MARKET = any */
    u64 order_id; /* 0 = any */
    u64 trade_id; /* 0 = any */
    struct history_row rows[PAGE_MAX];
};

static bool visit_trade(void *context, const struct history_row *row)
{
    struct trades *t = context;
    if (row->kind != HISTORY_TRADE || !list_in_time(&t->q, row->time_ns)) return true;
    if (t->market != NO_MARKET && row->market != t->market) return true;
    if (t->order_id && row->order_id != t->order_id) return true;
    if (t->trade_id && row->ref_id != t->trade_id) return true;
    if (list_take(&t->q, &t->page)) t->rows[t->page.count - 1] = *row;
    return !t->trade_id;
}

static void put_trade(struct json_out *o, const struct rules *rules, const struct history_row *row)
{
    struct wire_trade t = {.trade_id = row->ref_id,
                           .order_id = row->order_id,
                           .price = row->price,
                           .lots = row->lots,
                           .quote = row->quote,
                           .fee = row->fee,
                           .time_ns = row->time_ns,
                           .market = row->market,
                           .side = row->side,
                           .takes = row->takes};
    wire_put_trade(o, rules, &t);
}

static int read_trades_query(struct api *a, struct trades *t, struct problem *p)
{
    struct span text;
    if (list_read(&a->target, &t->q, p)) return -1;
    if (target_param(&a->target, "order_id", &text) && id_read(text, "order_id", &t->order_id, p))
        return -1;
    return list_read_market(a, &t->market, p);
}

static u64 walk(struct api *a, const u8 *wallet, history_visit_fn *visit, void *context)
{
    u32 account = account_of(a, wallet);
    return history_walk(a->history, account == NO_ACCOUNT ? 0 : account,
                        a->config->history.rows_per_wallet, visit, context);
}

void history_trades(struct api *a, struct request *r, const u8 *wallet)
{
    static struct trades t;
    struct problem p;
    t.page = (struct list_page){0};
    t.order_id = t.trade_id = 0;
    if (read_trades_query(a, &t, &p)) {
        answer_problem(a, r, &p, NULL, 0);
        return;
    }
    if (wait_for_window(a, r, wallet)) return;
    u64 gone_ns = walk(a, wallet, visit_trade, &t);
    if (list_check(&t.q, t.page.total, gone_ns, &p)) {
        answer_problem(a, r, &p, NULL, 0);
        return;
    }
    struct json_out *o = answer_begin(a, r);
    list_begin(o);
    for (u32 i = 0; i < t.page.count; i++) put_trade(o, a->rules, &t.rows[i]);
    list_end(o, &t.q, t.page.total, gone_ns);
    answer_end(a, r, 0);
}

void history_trade(struct api *a, struct request *r, const u8 *wallet)
{
    static struct trades t;
    struct problem p;
    t.q = (struct list_query){.paging = {1, 1}, .end_ns = UINT64_MAX};
    t.page = (struct list_page){0};
    t.market = NO_MARKET;
    if (id_read(r->args[0], "trade_id", &t.trade_id, &p)) {
        answer_problem(a, r, &p, NULL, 0);
        return;
    }
    if (wait_for_window(a, r, wallet)) return;
    u64 gone_ns = walk(a, wallet, visit_trade, &t);
    if (!t.page.count) {
        problem_set(&p, CODE_TRADE_NOT_FOUND, "trade_id", NULL, "this wallet has no such trade%s",
                    gone_ns ? ", or it is older than data.oldest" : "");
        if (gone_ns) p.oldest_ms = gone_ns / NS_PER_MS + 1;
        answer_problem(a, r, &p, NULL, 0);
        return;
    }
    put_trade(answer_begin(a, r), a->rules, &t.rows[0]);
    answer_end(a, r, 0);
}

/* ---- The balance log ---- */

enum entry_type {
    ENTRY_DEPOSIT,
    ENTRY_WITHDRAW,
    ENTRY_RETURN,
    ENTRY_TRADE,
    ENTRY_FEE,
    ENTRY_TYPES
};

static const char *const TYPES[ENTRY_TYPES] = {"deposit", "withdraw", "withdraw_return", "trade",
                                               "fee"};
static const char *const REFS[ENTRY_TYPES] = {"deposit", "withdrawal", "withdrawal", "trade",
                                              "trade"};

/* One line of the balance log. */
struct entry {
    u64 id; /* a function of the log: the same after every restart */
    u64 time_ns, ref_id;
    u64 units, after; /* ledger units */
    u16 token;
    u8 type;
    bool out; /* it left the balance */
};

struct entries {
    const struct rules *rules;
    struct list_query q;
    struct list_page page;
    u16 token; /* NO_TOKEN = any */
    u8 types;  /* bit per enum entry_type; 0 = any */
    struct entry rows[PAGE_MAX];
};

static void offer(struct entries *e, const struct entry *entry)
{
    if (e->token != NO_TOKEN && entry->token != e->token) return;
    if (e->types && !(e->types >> entry->type & 1)) return;
    if (list_take(&e->q, &e->page)) e->rows[e->page.count - 1] = *entry;
}

/* The last change first: fee, then quote, then base. */
static void offer_trade(struct entries *e, const struct history_row *row, struct entry entry)
{
    struct market m;
    if (!wire_market_at(e->rules, row->market, &m)) return;
    bool buys = row->side == SIDE_BUY;
    entry.token = m.quote;
    entry.type = ENTRY_FEE;
    entry.id += 2;
    entry.units = row->fee;
    entry.after = row->quote_after;
    entry.out = true;
    if (row->fee) offer(e, &entry);
    entry.type = ENTRY_TRADE;
    entry.id--;
    entry.units = row->quote;
    entry.after = row->quote_after + row->fee;
    entry.out = buys;
    offer(e, &entry);
    entry.token = m.base;
    entry.id--;
    entry.units = row->lots * m.lot_units;
    entry.after = row->base_after;
    entry.out = !buys;
    offer(e, &entry);
}

static bool visit_entries(void *context, const struct history_row *row)
{
    struct entries *e = context;
    struct entry entry = {.id = row->seq * 4, .time_ns = row->time_ns, .ref_id = row->ref_id};
    if (!list_in_time(&e->q, row->time_ns)) return true;
    if (row->kind == HISTORY_TRADE) {
        offer_trade(e, row, entry);
        return true;
    }
    entry.token = row->market;
    entry.type = row->reason == BALANCE_DEPOSIT    ? ENTRY_DEPOSIT
                 : row->reason == BALANCE_WITHDRAW ? ENTRY_WITHDRAW
                                                   : ENTRY_RETURN;
    entry.units = row->quote;
    entry.after = row->base_after;
    entry.out = row->gone;
    offer(e, &entry);
    return true;
}

static void put_entry(struct json_out *o, const struct rules *r, const u8 *wallet,
                      const struct entry *e)
{
    const struct token *token = &r->tokens[e->token];
    json_put_open(o, '{');
    json_put_key(o, "transaction_id"), json_put_id(o, e->id);
    json_put_key(o, "wallet"), wire_put_wallet(o, wallet);
    json_put_key(o, "token"), json_put_cstring(o, token->symbol);
    json_put_key(o, "type"), json_put_cstring(o, TYPES[e->type]);
    json_put_key(o, "amount"), json_put_signed(o, e->out, e->units, token->decimals);
    json_put_key(o, "balance_after"), wire_put_units(o, r, e->token, e->after);
    json_put_key(o, "ref_type"), json_put_cstring(o, REFS[e->type]);
    json_put_key(o, "ref_id"), json_put_id(o, e->ref_id);
    json_put_key(o, "created_at"), json_put_u64(o, e->time_ns / NS_PER_MS);
    json_put_close(o, '}');
}

static int read_entries_query(struct api *a, struct entries *e, struct problem *p)
{
    struct span text;
    e->types = 0;
    if (list_read(&a->target, &e->q, p) || list_read_token(a, &e->token, p)) return -1;
    if (!target_param(&a->target, "type", &text)) return 0;
    for (u32 i = 0; i < ENTRY_TYPES; i++)
        if (span_is(text, TYPES[i])) e->types = (u8)(1U << i);
    if (e->types) return 0;
    return problem_set(p, CODE_INVALID_PARAMS, "type",
                       "deposit, withdraw, withdraw_return, trade, fee", "no such type");
}

void history_entries(struct api *a, struct request *r, const u8 *wallet)
{
    static struct entries e;
    struct problem p;
    e.rules = a->rules;
    e.page = (struct list_page){0};
    if (read_entries_query(a, &e, &p)) {
        answer_problem(a, r, &p, NULL, 0);
        return;
    }
    if (wait_for_window(a, r, wallet)) return;
    u64 gone_ns = walk(a, wallet, visit_entries, &e);
    if (list_check(&e.q, e.page.total, gone_ns, &p)) {
        answer_problem(a, r, &p, NULL, 0);
        return;
    }
    struct json_out *o = answer_begin(a, r);
    list_begin(o);
    for (u32 i = 0; i < e.page.count; i++) put_entry(o, a->rules, wallet, &e.rows[i]);
    list_end(o, &e.q, e.page.total, gone_ns);
    answer_end(a, r, 0);
}
