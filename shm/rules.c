#include "shm/rules.h"

#include <string.h>

#include "shm/err.h"

void rules_new(void *memory)
{
    struct rules *r = memory;
    memset(r, 0, sizeof *r);
    r->open_orders_max = 200;
    r->resting_orders_max = 100000;
    r->expiry_max_ns = 30UL * 86400 * 1000000000;
    r->magic = RULES_MAGIC;
}

struct rules *rules_join(void *memory)
{
    struct rules *r = memory;
    CHECK(r->magic == RULES_MAGIC);
    return r;
}

static void begin_change(struct rules *r)
{
    atomic_fetch_add_explicit(&r->version, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
}

static void end_change(struct rules *r)
{
    atomic_fetch_add_explicit(&r->version, 1, memory_order_release);
}

static void apply_start(struct rules *r, const struct cmd_start *c)
{
    const struct cmd_start_2 *c2 = (const void *)c;
    r->resting_max = c->head.version >= 2 ? c2->resting_max : 0;
}

static void apply_token(struct rules *r, const struct cmd_token *c)
{
    CHECK(c->token < TOKENS_MAX && c->token <= r->token_count);
    struct token *t = &r->tokens[c->token];
    memcpy(t->symbol, c->symbol, sizeof t->symbol);
    t->version = c->version;
    t->decimals = c->decimals;
    r->config_version = (u32)max_u64(r->config_version, c->version);
    if (c->token == r->token_count)
        atomic_store_explicit(&r->token_count, c->token + 1U, memory_order_release);
}

static void apply_market(struct rules *r, const struct cmd_market *c)
{
    CHECK(c->market < MARKETS_MAX && c->market <= r->market_count);
    struct market *m = &r->markets[c->market];
    memcpy(m->symbol, c->symbol, sizeof m->symbol);
    m->base = c->base;
    m->quote = c->quote;
    m->matching = c->matching;
    m->mode = c->mode;
    m->price_decimals = c->price_decimals;
    m->amount_decimals = c->amount_decimals;
    m->version = c->version;
    m->maker_rate = c->maker_rate;
    m->taker_rate = c->taker_rate;
    m->tick_wad = c->tick_wad;
    m->lot_wad = c->lot_wad;
    m->lot_units = c->lot_units;
    m->tick_lot = c->tick_lot;
    m->price_max = c->price_max;
    m->lots_min = c->lots_min;
    m->lots_max = c->lots_max;
    m->notional_min = c->notional_min;
    m->notional_max = c->notional_max;
    r->config_version = (u32)max_u64(r->config_version, c->version);
    if (c->market == r->market_count)
        atomic_store_explicit(&r->market_count, c->market + 1U, memory_order_release);
}

static void apply_limits(struct rules *r, const struct cmd_limits *c)
{
    r->open_orders_max = c->open_orders;
    r->resting_orders_max = c->resting_orders;
    r->expiry_max_ns = c->expiry_max_ns;
    r->config_version = (u32)max_u64(r->config_version, c->version);
}

_Static_assert(COUNT_OF(((struct cmd_withdraw_limits *)0)->least) == TOKENS_MAX, "one each");

static void apply_withdraw_limits(struct rules *r, const struct cmd_withdraw_limits *c)
{
    struct withdraw_limits *w = &r->withdraw;
    w->single = c->single;
    w->daily = c->daily;
    w->per_hour = c->per_hour;
    w->per_day = c->per_day;
    w->token = c->token;
    w->version = c->version;
    memcpy(w->least, c->least, sizeof w->least);
    r->config_version = (u32)max_u64(r->config_version, c->version);
}

static void apply_mode(struct rules *r, const struct cmd_mode *c)
{
    if (c->market == NO_MARKET) r->mode = c->mode, r->mode_reason = c->reason;
    else if (c->market < r->market_count) r->markets[c->market].mode = c->mode;
}

void rules_apply(struct rules *r, const struct rec *rec)
{
    const void *body = rec;
    begin_change(r);
    switch (rec->kind) {
    case CMD_START: apply_start(r, body); break;
    case CMD_TOKEN: apply_token(r, body); break;
    case CMD_MARKET: apply_market(r, body); break;
    case CMD_LIMITS: apply_limits(r, body); break;
    case CMD_MODE: apply_mode(r, body); break;
    case CMD_WITHDRAW_LIMITS: apply_withdraw_limits(r, body); break;
    default: break;
    }
    end_change(r);
}

int rules_check_market(const struct rules *r, const struct cmd_market *m)
{
    const char *name = m->symbol;
    if (m->base >= r->token_count || m->quote >= r->token_count || m->base == m->quote)
        return err_set("market %.*s: base and quote must be two tokens that exist", SYMBOL_BYTES,
                       name);
    if (!m->tick_wad || !m->lot_wad || !m->lot_units || !m->tick_lot)
        return err_set(
            "market %.*s: tick_size x lot_size must be a whole number of quote ledger units, "
            "lot_size of base ledger units, both above 0",
            SYMBOL_BYTES, name);
    if (!m->price_max || !m->lots_max || m->lots_min > m->lots_max)
        return err_set(
            "market %.*s: min_amount must not exceed max_amount, max_price must be above 0",
            SYMBOL_BYTES, name);
    if (m->maker_rate > RATE_ONE || m->taker_rate > RATE_ONE)
        return err_set("market %.*s: fee rates must be in [0, 1]", SYMBOL_BYTES, name);
    u64 rate = m->maker_rate > m->taker_rate ? m->maker_rate : m->taker_rate;
    u128 notional = (u128)m->price_max * m->lots_max;
    if (notional >> 63 || notional * m->tick_lot >> 63 ||
        (notional * m->tick_lot * (RATE_ONE + rate) / RATE_ONE) >> 63)
        return err_set(
            "market %.*s: max_price x max_amount x (1 + fees) reaches 2^63 quote ledger "
            "units; lower max_price or max_amount, or give the quote token fewer decimals",
            SYMBOL_BYTES, name);
    if ((u128)m->lots_max * m->lot_units >> 62)
        return err_set("market %.*s: max_amount reaches 2^62 base ledger units; lower it",
                       SYMBOL_BYTES, name);
    return 0;
}

u16 rules_find_market(const struct rules *r, const char *symbol, size_t length)
{
    u32 count = atomic_load_explicit(&r->market_count, memory_order_acquire);
    for (u32 i = 0; i < count && length < SYMBOL_BYTES; i++)
        if (!memcmp(r->markets[i].symbol, symbol, length) && !r->markets[i].symbol[length])
            return (u16)i;
    return NO_MARKET;
}

u16 rules_find_token(const struct rules *r, const char *symbol, size_t length)
{
    u32 count = atomic_load_explicit(&r->token_count, memory_order_acquire);
    for (u32 i = 0; i < count && length < SYMBOL_BYTES; i++)
        if (!memcmp(r->tokens[i].symbol, symbol, length) && !r->tokens[i].symbol[length])
            return (u16)i;
    return NO_TOKEN;
}

void rules_read_market(const struct rules *r, u16 index, struct market *out)
{
    u32 before, after;
    do {
        before = atomic_load_explicit(&r->version, memory_order_acquire);
        memcpy(out, &r->markets[index], sizeof *out);
        atomic_thread_fence(memory_order_acquire);
        after = atomic_load_explicit(&r->version, memory_order_relaxed);
    } while ((before & 1) || before != after);
}

bool rules_copy(const struct rules *r, struct rules *out)
{
    u32 before = atomic_load_explicit(&r->version, memory_order_acquire);
    racy_copy(out, r, sizeof *out);
    atomic_thread_fence(memory_order_acquire);
    return !(before & 1) && atomic_load_explicit(&r->version, memory_order_relaxed) == before;
}
