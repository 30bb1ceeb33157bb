/* driver.c: the real machines behind the model's operations (README.md): JSON lines in, JSON lines
 * out. run.py compares what it says with what the model says. */
#include <jansson.h>
#include <string.h>

#include "procs/lib/decimal.h"
#include "procs/lib/eth/hex.h"
#include "procs/lib/eth/keccak.h"
#include "procs/lib/wire.h"
#include "shm/err.h"
#include "shm/market.h"
#include "tests/lib/engine.h"

#define ORDERS_MAX 16384
#define WAD        18U
#define NS_PER_MS  1000000UL

#define RESTART_OPS   17
#define CANDLES_SHOWN 40 /* the newest of each interval */

static struct engine engine;
static struct market_data *market_data[2]; /* the second takes over at every restart */
static u32 market_now;
static struct msg_reply_order order_reply;
static struct msg_reply_withdraw withdraw_reply;
static struct msg_reply_cancel cancel_replies[ORDERS_MAX];
static u32 cancel_reply_count;
static u16 ops_code;
static u64 id_of[ORDERS_MAX]; /* by number of the order operation; 0 = made no order */
static u32 order_ops;
static char *wallets[1024]; /* in order of first credit */
static u32 wallet_count;

static void on_reply(void *context, const struct msg *m)
{
    (void)context;
    const void *body = m;
    if (m->kind == MSG_REPLY_ORDER) order_reply = *(const struct msg_reply_order *)body;
    if (m->kind == MSG_REPLY_WITHDRAW) withdraw_reply = *(const struct msg_reply_withdraw *)body;
    if (m->kind == MSG_REPLY_OPS) ops_code = ((const struct msg_reply_ops *)body)->code;
    if (m->kind == MSG_REPLY_CANCEL)
        cancel_replies[cancel_reply_count++] = *(const struct msg_reply_cancel *)body;
}

static __attribute__((noreturn)) void bad(const char *what, const char *value)
{
    fprintf(stderr, "driver: %s: %s\n", what, value ? value : "missing");
    exit(1);
}

static const char *text(const json_t *op, const char *key)
{
    return json_string_value(json_object_get(op, key));
}

/* A decimal field at a scale, or 0 when it is absent. */
static u128 number(const json_t *op, const char *key, unsigned scale)
{
    const char *s = text(op, key);
    u128 v = 0;
    if (s && decimal_parse(s, strlen(s), scale, &v) != DECIMAL_OK) bad(key, s);
    return v;
}

static u64 integer(const json_t *op, const char *key, u64 otherwise)
{
    const json_t *v = json_object_get(op, key);
    return v ? (u64)json_integer_value(v) : otherwise;
}

static void wallet(const json_t *op, u8 *out)
{
    const char *s = text(op, "wallet");
    if (!s || !hex_parse(s, strlen(s), out, WALLET_BYTES)) bad("wallet", s);
}

static u16 market_at(const char *symbol)
{
    u16 m = symbol ? rules_find_market(engine.trading.rules, symbol, strlen(symbol)) : NO_MARKET;
    if (m == NO_MARKET) bad("market", symbol);
    return m;
}

static u16 token_at(const char *symbol)
{
    u16 t = symbol ? rules_find_token(engine.trading.rules, symbol, strlen(symbol)) : NO_TOKEN;
    if (t == NO_TOKEN) bad("token", symbol);
    return t;
}

static void do_token(const json_t *op)
{
    struct cmd_token c = {.head = {.kind = CMD_TOKEN, .length = sizeof c}};
    c.token = (u16)engine.trading.rules->token_count;
    c.decimals = (u8)integer(op, "decimals", 0);
    c.version = 1;
    snprintf(c.symbol, sizeof c.symbol, "%s", text(op, "token"));
    trading_config(&engine.trading, &c.head);
}

static u64 power(unsigned n)
{
    u64 p = 1;
    while (n--) p *= 10;
    return p;
}

/* Digits after the point in the shortest form of a wad. */
static u8 places(u128 wad)
{
    u8 n = WAD;
    for (; n && wad % 10 == 0; n--) wad /= 10;
    return n;
}

static void do_market(const json_t *op)
{
    const struct rules *r = engine.trading.rules;
    struct cmd_market c = {.head = {.kind = CMD_MARKET, .length = sizeof c}};
    c.market = (u16)r->market_count;
    c.base = token_at(text(op, "base"));
    c.quote = token_at(text(op, "quote"));
    u8 base = r->tokens[c.base].decimals, quote = r->tokens[c.quote].decimals;
    c.tick_wad = (u64)number(op, "tick_size", WAD);
    c.lot_wad = (u64)number(op, "lot_size", WAD);
    if (!c.tick_wad || !c.lot_wad) bad("tick_size or lot_size", "0");
    c.lot_units = c.lot_wad / power(WAD - base);
    c.tick_lot = (u64)((u128)c.tick_wad * c.lot_wad / ((u128)power(WAD) * power(WAD - quote)));
    c.price_max = (u64)(number(op, "max_price", WAD) / c.tick_wad);
    c.lots_min = (u64)(number(op, "min_amount", WAD) / c.lot_wad);
    c.lots_max = (u64)(number(op, "max_amount", WAD) / c.lot_wad);
    c.notional_min = (u64)number(op, "min_notional", quote);
    c.notional_max = (u64)number(op, "max_notional", quote);
    c.maker_rate = (u32)number(op, "maker_fee_rate", 9);
    c.taker_rate = (u32)number(op, "taker_fee_rate", 9);
    c.price_decimals = places(c.tick_wad);
    c.amount_decimals = places(c.lot_wad);
    c.version = 1;
    snprintf(c.symbol, sizeof c.symbol, "%s", text(op, "market"));
    if (rules_check_market(r, &c)) bad("market", err_text());
    trading_config(&engine.trading, &c.head);
}

static void do_limits(const json_t *op)
{
    struct cmd_limits c = {.head = {.kind = CMD_LIMITS, .length = sizeof c}};
    c.open_orders = (u32)integer(op, "open_orders_per_market", 200);
    c.resting_orders = (u32)integer(op, "resting_orders_per_market", 100000);
    c.expiry_max_ns = integer(op, "expiry_days_max", 30) * 86400 * 1000 * NS_PER_MS;
    c.version = 1;
    trading_config(&engine.trading, &c.head);
}

static json_t *amount(u128 value, unsigned scale)
{
    char s[DECIMAL_TEXT];
    decimal_format(value, scale, s);
    return json_string(s);
}

static json_t *units(u16 token, u64 value)
{
    return amount(value, engine.trading.rules->tokens[token].decimals);
}

static json_t *lots(const struct market *m, u64 value)
{
    return amount((u128)value * m->lot_wad, WAD);
}

static json_t *price(const struct market *m, u64 ticks)
{
    return amount((u128)ticks * m->tick_wad, WAD);
}

static int number_of(u64 order_id)
{
    for (u32 i = 0; i < order_ops; i++)
        if (id_of[i] == order_id) return (int)i;
    bad("an order nobody placed", "");
}

static json_t *average(const struct order_view *v, const struct market *m)
{
    if (!v->filled_lots) return json_string("0");
    u8 quote = engine.trading.rules->tokens[m->quote].decimals;
    u8 base = engine.trading.rules->tokens[m->base].decimals;
    u128 filled = (u128)v->filled_lots * m->lot_units;
    u128 scaled = (u128)v->filled_quote * power(m->price_decimals) * power(base);
    return amount(scaled / power(quote) / filled, m->price_decimals);
}

static json_t *order_json(const struct order_view *v)
{
    const struct market *m = &engine.trading.rules->markets[v->market];
    u64 left = v->quote_amount ? 0 : v->lots - v->filled_lots;
    return json_pack("{s:s,s:o,s:o,s:o,s:o,s:o}", "status", wire_status(v->status), "filled_amount",
                     lots(m, v->filled_lots), "filled_quote", units(m->quote, v->filled_quote),
                     "remaining_amount", lots(m, left), "avg_price", average(v, m), "fee",
                     units(m->quote, v->fee));
}

static void print(json_t *answer)
{
    char *s = json_dumps(answer, JSON_COMPACT | JSON_SORT_KEYS);
    puts(s);
    free(s);
    json_decref(answer);
}

/* A trade from its two records. */
static json_t *fill_json(const struct account_trade *maker, const struct account_trade *taker)
{
    const struct market *m = &engine.trading.rules->markets[maker->now.order.market];
    CHECK(maker->trade_id == taker->trade_id && !maker->takes && taker->takes);
    return json_pack("{s:i,s:o,s:o,s:o,s:o,s:o}", "maker", number_of(taker->other_id), "price",
                     price(m, maker->price), "amount", lots(m, maker->lots), "quote_amount",
                     units(m->quote, maker->quote), "maker_fee", units(m->quote, maker->fee),
                     "taker_fee", units(m->quote, taker->fee));
}

/* Read what the last operation wrote to the account log. */
static void read_accounts(u64 taker, json_t *fills, json_t *cancelled, json_t *expired)
{
    const struct rec *rec;
    struct account_trade maker = {.takes = 1};
    for (; (rec = log_peek(&engine.accounts)); log_advance(&engine.accounts, rec)) {
        const struct account_order *o = (const void *)rec;
        const struct account_trade *side = (const void *)rec;
        if (rec->kind == ACCOUNT_TRADE && !side->takes) maker = *side;
        if (rec->kind == ACCOUNT_TRADE && side->takes && fills)
            json_array_append_new(fills, fill_json(&maker, side));
        if (rec->kind != ACCOUNT_ORDER) continue;
        if (o->event == EVENT_CANCELLED && cancelled && o->now.order.order_id != taker)
            json_array_append_new(cancelled, json_integer(number_of(o->now.order.order_id)));
        if (o->event == EVENT_EXPIRED && expired)
            json_array_append_new(expired, json_integer(number_of(o->now.order.order_id)));
    }
}

static void do_time(const json_t *op)
{
    json_t *expired = json_array();
    engine_clock(&engine, integer(op, "now", 0) * NS_PER_MS);
    read_accounts(0, NULL, NULL, expired);
    print(json_pack("{s:o,s:b}", "expired", expired, "ok", 1));
}

static void do_credit(const json_t *op)
{
    struct msg_credit m = {.head = {.length = sizeof m, .kind = MSG_CREDIT, .request = 1}};
    m.token = token_at(text(op, "token"));
    m.amount = (u64)number(op, "amount", engine.trading.rules->tokens[m.token].decimals);
    wallet(op, m.wallet);
    if (ledger_find(engine.trading.ledger, m.wallet) == NO_ACCOUNT)
        wallets[wallet_count++] = strdup(text(op, "wallet"));
    trading_credit(&engine.trading, &m, NO_SOURCE, 0);
    engine_settle(&engine);
    print(json_pack("{s:i}", "code", ops_code));
}

static void read_order(const json_t *op, struct msg_order *m)
{
    const char *client = text(op, "client_order_id"), *tif = text(op, "time_in_force");
    const char *side = text(op, "side"), *type = text(op, "type"), *stp = text(op, "stp");
    memset(m, 0, sizeof *m);
    m->head = (struct msg){.length = sizeof *m, .kind = MSG_ORDER, .request = 1};
    m->price = wad_make(number(op, "price", WAD));
    m->amount = wad_make(number(op, "amount", WAD));
    m->quote_amount = wad_make(number(op, "quote_amount", WAD));
    m->nonce = (u64)strtoull(text(op, "nonce"), NULL, 10);
    m->expire_s = integer(op, "expire_at", 0) / 1000;
    m->market = market_at(text(op, "market"));
    m->side = (u8)wire_side_of(side, strlen(side));
    m->type = (u8)wire_type_of(type, strlen(type));
    m->tif = tif ? (u8)wire_tif_of(tif, strlen(tif)) : TIF_GTC;
    m->stp = stp ? (u8)wire_stp_of(stp, strlen(stp)) : STP_REJECT;
    m->slippage_bps = m->type == TYPE_MARKET ? (u16)integer(op, "slippage_bps", 100) : 0;
    m->signature_type = SIG_V2;
    wallet(op, m->wallet);
    if (client) {
        m->client_id_length = (u8)strlen(client);
        memcpy(m->client_id, client, m->client_id_length);
    }
    keccak_256(m, offsetof(struct msg_order, evidence), m->evidence.digest);
}

static void do_order(const json_t *op)
{
    struct msg_order m;
    json_t *fills = json_array(), *cancelled = json_array();
    read_order(op, &m);
    memset(&order_reply, 0, sizeof order_reply);
    u64 seq = engine.command.seq;
    trading_order(&engine.trading, &m, NO_SOURCE, 0);
    bool made = engine.command.seq > seq;
    engine_settle(&engine);
    order_ops++;
    if (made && order_reply.has_order) id_of[order_ops - 1] = order_reply.order.order_id;
    read_accounts(order_reply.order.order_id, fills, cancelled, NULL);
    json_t *order = order_reply.has_order ? order_json(&order_reply.order) : json_null();
    print(json_pack("{s:i,s:o,s:o,s:o}", "code", order_reply.code, "order", order, "fills", fills,
                    "cancelled_makers", cancelled));
}

static struct msg_cancel *new_cancel(const json_t *op, u16 count)
{
    static u8 memory[sizeof(struct msg_cancel) + 8] __attribute__((aligned(8)));
    struct msg_cancel *m = (void *)memory;
    memset(memory, 0, sizeof memory);
    m->head = (struct msg){.length = sizeof memory, .kind = MSG_CANCEL, .request = 1};
    m->auth = AUTH_REQUEST;
    m->market = NO_MARKET;
    m->count = count;
    wallet(op, m->wallet);
    cancel_reply_count = 0;
    return m;
}

static void do_cancel(const json_t *op)
{
    struct msg_cancel *m = new_cancel(op, 1);
    const json_t *order = json_object_get(op, "order");
    m->order_ids[0] = json_is_integer(order) ? id_of[json_integer_value(order)] : 4000000000UL;
    trading_cancel(&engine.trading, m, NO_SOURCE, 0);
    engine_settle(&engine);
    read_accounts(0, NULL, NULL, NULL);
    if (cancel_reply_count != 1) bad("answers to one cancel", "not one");
    const struct msg_reply_cancel *r = &cancel_replies[0];
    print(json_pack("{s:i,s:o}", "code", r->code, "order",
                    r->code ? json_null() : order_json(&r->order)));
}

static void do_cancel_all(const json_t *op)
{
    struct msg_cancel *m = new_cancel(op, 0);
    const char *side = text(op, "side"), *market = text(op, "market");
    if (market) m->market = market_at(market);
    if (side) m->side = (u8)wire_side_of(side, strlen(side));
    trading_cancel(&engine.trading, m, NO_SOURCE, 0);
    engine_settle(&engine);
    read_accounts(0, NULL, NULL, NULL);
    json_t *list = json_array();
    for (u32 i = 0; i < cancel_reply_count; i++)
        if (cancel_replies[i].total)
            json_array_append_new(list, json_integer(number_of(cancel_replies[i].order_id)));
    print(json_pack("{s:o}", "cancelled", list));
}

/* ---- Withdrawals ---- */

static u64 withdrawals[ORDERS_MAX]; /* ids by number of the operation; 0 = it made none */
static u32 withdraw_ops;

static void do_withdraw_limits(const json_t *op)
{
    struct cmd_withdraw_limits c = {.head = {.kind = CMD_WITHDRAW_LIMITS, .length = sizeof c}};
    c.token = token_at(text(op, "token"));
    u8 decimals = engine.trading.rules->tokens[c.token].decimals;
    c.single = (u64)number(op, "single", decimals);
    c.daily = (u64)number(op, "daily", decimals);
    c.per_hour = (u32)integer(op, "per_hour", 0);
    c.per_day = (u32)integer(op, "per_day", 0);
    c.version = 1;
    trading_config(&engine.trading, &c.head);
}

static void print_withdrawal(void)
{
    const struct transfer_view *v = &withdraw_reply.transfer;
    json_t *w = json_null();
    if (withdraw_reply.has_transfer)
        w = json_pack("{s:s,s:o,s:s}", "token", engine.trading.rules->tokens[v->token].symbol,
                      "amount", units(v->token, v->amount), "status",
                      wire_withdraw_status(v->status));
    print(json_pack("{s:i,s:o}", "code", withdraw_reply.code, "withdrawal", w));
}

static void do_withdraw(const json_t *op)
{
    struct msg_withdraw m = {.head = {.length = sizeof m, .kind = MSG_WITHDRAW, .request = 1}};
    m.amount = wad_make(number(op, "amount", WAD));
    m.token = token_at(text(op, "token"));
    m.nonce = (u64)strtoull(text(op, "nonce"), NULL, 10);
    wallet(op, m.wallet);
    memcpy(m.to_address, "0x00000000000000000000000000000000000000ee", TO_BYTES);
    keccak_256(&m, offsetof(struct msg_withdraw, evidence), m.evidence.digest);
    memset(&withdraw_reply, 0, sizeof withdraw_reply);
    u64 seq = engine.command.seq;
    trading_withdraw(&engine.trading, &m, NO_SOURCE, 0);
    bool made = engine.command.seq > seq && withdraw_reply.has_transfer;
    withdrawals[withdraw_ops++] = made ? withdraw_reply.transfer.id : 0;
    read_accounts(0, NULL, NULL, NULL);
    print_withdrawal();
}

static u64 withdrawal_of(const json_t *op)
{
    const json_t *number = json_object_get(op, "withdrawal");
    u64 id = json_is_integer(number) ? withdrawals[json_integer_value(number)] : 0;
    return id ? id : 4000000000UL;
}

static void do_withdraw_cancel(const json_t *op)
{
    struct msg_withdraw_cancel m = {
        .head = {.length = sizeof m, .kind = MSG_WITHDRAW_CANCEL, .request = 1},
        .transfer_id = withdrawal_of(op)};
    wallet(op, m.wallet);
    memset(&withdraw_reply, 0, sizeof withdraw_reply);
    trading_withdraw_cancel(&engine.trading, &m, NO_SOURCE, 0);
    read_accounts(0, NULL, NULL, NULL);
    print_withdrawal();
}

static void do_withdraw_step(const json_t *op)
{
    const char *status = text(op, "status");
    struct msg_withdraw_step m = {
        .head = {.length = sizeof m, .kind = MSG_WITHDRAW_STEP, .request = 1},
        .transfer_id = withdrawal_of(op),
        .status = (u8)wire_withdraw_status_of(status, strlen(status))};
    trading_withdraw_step(&engine.trading, &m, NO_SOURCE, 0);
    read_accounts(0, NULL, NULL, NULL);
    print(json_pack("{s:i}", "code", ops_code));
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void print_balances(void)
{
    const struct rules *r = engine.trading.rules;
    const char *tokens[TOKENS_MAX] = {0};
    for (u32 i = 0; i < r->token_count; i++) tokens[i] = r->tokens[i].symbol;
    qsort(tokens, r->token_count, sizeof tokens[0], by_text);
    qsort(wallets, wallet_count, sizeof wallets[0], by_text);
    for (u32 w = 0; w < wallet_count; w++)
        for (u32 i = 0; i < r->token_count; i++) {
            u8 address[WALLET_BYTES];
            u16 token = token_at(tokens[i]);
            CHECK(hex_parse(wallets[w], strlen(wallets[w]), address, WALLET_BYTES));
            u32 account = ledger_find(engine.trading.ledger, address);
            const struct balance *b = ledger_balance(engine.trading.ledger, account, token);
            if (!b || !(b->available + b->frozen)) continue;
            print(json_pack("{s:s,s:s,s:o,s:o}", "wallet", wallets[w], "token", tokens[i],
                            "available", units(token, b->available), "frozen",
                            units(token, b->frozen)));
        }
}

static void print_fees(void)
{
    json_t *fees = json_object();
    for (u16 token = 0; token < engine.trading.rules->token_count; token++) {
        struct ledger_sum sum;
        ledger_sum(engine.trading.ledger, token, &sum);
        if (!sum.conserved) bad("not conserved", engine.trading.rules->tokens[token].symbol);
        if (sum.fees)
            json_object_set_new(fees, engine.trading.rules->tokens[token].symbol,
                                units(token, sum.fees));
    }
    print(json_pack("{s:o}", "fees", fees));
}

static json_t *side_json(u16 market, u8 side)
{
    const struct market *m = &engine.trading.rules->markets[market];
    const struct books *b = engine.matching.books;
    json_t *list = json_array();
    for (u32 c = book_first(b, market, side); c; c = book_next(b, c)) {
        struct book_order o;
        book_at(b, c, &o);
        json_array_append_new(
            list, json_pack("[o,o,i]", price(m, o.price), lots(m, o.lots), number_of(o.id)));
    }
    return list;
}

/* ---- Market data ---- */

static struct market_data *new_market_data(struct market_data *old)
{
    static const struct market_config config = {
        .markets_max = 8,
        .levels_max = ORDERS_MAX,
        .recent_trades = 64,
        .changes_max = 64,
        .candles = {4096, 4096, 4096, 4096, 4096, 4096, 512, 128}};
    u64 bytes = align_up(market_footprint(&config), market_align());
    void *memory = old ? old : aligned_alloc(market_align(), bytes);
    CHECK(memory);
    if (!old) memset(memory, 0, bytes);
    CHECK(market_new(memory, &config));
    return market_join(memory);
}

static void follow_matches(void)
{
    const struct rules *r = engine.trading.rules;
    struct market_data *m = market_data[market_now];
    const struct rec *rec;
    for (u32 i = 0; i < r->market_count; i++)
        if (market_add(m, i, 0, r->markets[i].tick_lot)) bad("market data", err_text());
    for (; (rec = log_peek(&engine.matched)); log_advance(&engine.matched, rec))
        if (market_apply(m, 0, rec)) bad("market data", err_text());
}

static u8 *tape;
static u64 tape_end, tape_room, tape_at;

static int tape_write(void *context, const void *data, u64 bytes)
{
    (void)context;
    if (tape_end + bytes > tape_room) {
        tape_room = 2 * (tape_end + bytes);
        u8 *room = realloc(tape, tape_room);
        CHECK(room);
        tape = room;
    }
    memcpy(tape + tape_end, data, bytes);
    tape_end += bytes;
    return 0;
}

static int tape_read(void *context, void *data, u64 bytes)
{
    (void)context;
    CHECK(tape_at + bytes <= tape_end);
    memcpy(data, tape + tape_at, bytes);
    tape_at += bytes;
    return 0;
}

/* As if eidos-market had been killed after a snapshot: another object goes on. */
static void restart_market_data(void)
{
    struct market_data *to = new_market_data(market_data[!market_now]);
    tape_end = tape_at = 0;
    if (market_save(market_data[market_now], tape_write, NULL) || market_load(to, tape_read, NULL))
        bad("market data", err_text());
    market_now = !market_now;
}

static void print_candles(u16 market, u32 interval)
{
    static struct market_candle candles[CANDLES_SHOWN];
    const struct market *m = &engine.trading.rules->markets[market];
    struct market_range newest = {
        .interval = interval, .to = UINT64_MAX, .now_ns = engine.trading.now_ns, .newest = true};
    int n =
        market_read_candles(market_data[market_now], market, &newest, candles, CANDLES_SHOWN, NULL);
    json_t *list = json_array();
    for (int i = 0; i < n; i++) {
        const struct market_candle *c = &candles[i];
        json_array_append_new(
            list, json_pack("[I,o,o,o,o,o,o,I]",
                            (json_int_t)(interval_open_ns(interval, c->index) / NS_PER_MS),
                            price(m, c->open), price(m, c->high), price(m, c->low),
                            price(m, c->close), amount(c->lots * m->lot_wad, WAD),
                            amount(c->quote, engine.trading.rules->tokens[m->quote].decimals),
                            (json_int_t)c->count));
    }
    print(json_pack("{s:s,s:s,s:o}", "market", m->symbol, "interval",
                    market_intervals[interval].name, "klines", list));
}

static void print_ticker(u16 market)
{
    const struct market *m = &engine.trading.rules->markets[market];
    struct market_ticker t;
    CHECK(market_read_ticker(market_data[market_now], market, engine.trading.now_ns, &t) == 0);
    print(json_pack("{s:s,s:[o,o,o,o,o,o,I]}", "market", m->symbol, "ticker", price(m, t.open),
                    price(m, t.high), price(m, t.low), price(m, t.last),
                    amount(t.lots * m->lot_wad, WAD),
                    amount(t.quote, engine.trading.rules->tokens[m->quote].decimals),
                    (json_int_t)t.trade_count));
}

static void print_market_data(void)
{
    follow_matches();
    market_set_ready(market_data[market_now], true);
    for (u16 m = 0; m < engine.trading.rules->market_count; m++) {
        for (u32 i = 0; i < INTERVALS; i++) print_candles(m, i);
        print_ticker(m);
    }
}

/* ---- The end ---- */

static void print_final(void)
{
    print(json_pack("{s:b}", "final", 1));
    print_balances();
    print_fees();
    for (u16 m = 0; m < engine.trading.rules->market_count; m++)
        print(json_pack("{s:s,s:o,s:o}", "market", engine.trading.rules->markets[m].symbol, "bids",
                        side_json(m, SIDE_BUY), "asks", side_json(m, SIDE_SELL)));
    print_market_data();
}

static const struct {
    const char *name;
    void (*run)(const json_t *op);
} operations[] = {
    {"token", do_token},
    {"market", do_market},
    {"limits", do_limits},
    {"time", do_time},
    {"credit", do_credit},
    {"order", do_order},
    {"cancel", do_cancel},
    {"cancel_all", do_cancel_all},
    {"withdraw", do_withdraw},
    {"withdraw_limits", do_withdraw_limits},
    {"withdraw_cancel", do_withdraw_cancel},
    {"withdraw_step", do_withdraw_step},
};

static void run(const json_t *op)
{
    const char *name = text(op, "op");
    for (size_t i = 0; name && i < COUNT_OF(operations); i++)
        if (!strcmp(operations[i].name, name)) {
            operations[i].run(op);
            engine_settle(&engine);
            return;
        }
    bad("operation", name);
}

int main(void)
{
    char line[4096];
    engine_init(&engine, &engine_small, on_reply, NULL);
    market_data[0] = new_market_data(NULL);
    market_data[1] = new_market_data(NULL);
    for (u32 ops = 1; fgets(line, sizeof line, stdin); ops++) {
        json_t *op = json_loads(line, 0, NULL);
        if (!op) bad("not JSON", line);
        run(op);
        follow_matches();
        if (ops % RESTART_OPS == 0) restart_market_data();
        json_decref(op);
    }
    print_final();
    for (u32 i = 0; i < wallet_count; i++) free(wallets[i]);
    free(tape);
    for (u32 i = 0; i < 2; i++) free(market_data[i]);
    engine_free(&engine);
    return 0;
}
