/* demo_check.c: is what the exchange said true? Each answer by itself, the same order asked for
 * again, the balances against the fills, the pushes against the answers. */
#include <stdarg.h>
#include <string.h>

#include "cli/demo.h"
#include "procs/lib/decimal.h"
#include "procs/lib/wire.h"

void demo_fault(struct demo *d, const char *fmt, ...)
{
    va_list args;
    if (d->wrong < DEMO_FAULTS_MAX) {
        va_start(args, fmt);
        vsnprintf(d->faults[d->wrong], sizeof d->faults[0], fmt, args);
        va_end(args);
    }
    d->wrong++;
}

u8 check_status(const char *name)
{
    int status = name ? wire_status_of(name, strlen(name)) : -1;
    return status < 0 ? UINT8_MAX : (u8)status;
}

bool check_is_final(u8 status)
{
    return status == STATUS_FILLED || status == STATUS_CANCELLED || status == STATUS_EXPIRED ||
           status == STATUS_REJECTED;
}

/* --- One order ---------------------------------------------------------------------------------*/

/* A decimal field as a whole number of units of 10^-18 x unit_wad. */
static bool read_units(json_t *object, const char *field, u128 unit_wad, u64 *units)
{
    const char *text = json_string_value(json_object_get(object, field));
    u128 wad;
    if (!text || decimal_parse(text, strlen(text), 18, &wad) || wad % unit_wad) return false;
    *units = (u64)(wad / unit_wad);
    return true;
}

static u128 wad_of_decimals(u8 decimals)
{
    u128 wad = 1;
    for (u8 i = decimals; i < 18; i++) wad *= 10;
    return wad;
}

bool check_read(struct demo *d, const struct demo_market *m, json_t *order, struct told *t)
{
    const char *id = json_string_value(json_object_get(order, "order_id"));
    u64 left = 0;
    t->status = check_status(json_string_value(json_object_get(order, "status")));
    bool good =
        id && decimal_parse_u64(id, strlen(id), &t->order_id) == DECIMAL_OK &&
        t->status != UINT8_MAX && read_units(order, "amount", m->rules.lot_wad, &t->lots) &&
        read_units(order, "filled_amount", m->rules.lot_wad, &t->filled_lots) &&
        read_units(order, "filled_quote", wad_of_decimals(m->quote_decimals), &t->filled_quote) &&
        read_units(order, "remaining_amount", m->rules.lot_wad, &left);
    if (!good) demo_fault(d, "an order was told without a number it must have, or with a bad one");
    else if (t->lots >= t->filled_lots && left != t->lots - t->filled_lots)
        demo_fault(d, "order %lu: %lu lots, %lu filled and %lu remain", t->order_id, t->lots,
                   t->filled_lots, left);
    return good;
}

/* What holds of an order by itself, at any time. */
static void check_shape(struct demo *d, const struct placed *p, const struct told *t)
{
    bool by_quote = p->lots == 0;
    if (!by_quote && t->lots != p->lots)
        demo_fault(d, "order %lu was signed for %lu lots and is told with %lu", t->order_id,
                   p->lots, t->lots);
    if (!by_quote && t->filled_lots > p->lots)
        demo_fault(d, "order %lu filled %lu of %lu lots", t->order_id, t->filled_lots, p->lots);
    if (!by_quote && (t->status == STATUS_FILLED) != (t->filled_lots == p->lots))
        demo_fault(d, "order %lu is %s with %lu of %lu lots filled", t->order_id,
                   wire_status(t->status), t->filled_lots, p->lots);
    if (t->status == STATUS_OPEN && t->filled_lots)
        demo_fault(d, "order %lu is open, not partial, with fills", t->order_id);
    if ((t->filled_lots == 0) != (t->filled_quote == 0))
        demo_fault(d, "order %lu filled %lu lots for %lu units", t->order_id, t->filled_lots,
                   t->filled_quote);
}

void check_placed(struct demo *d, const struct placed *p, const struct told *t)
{
    check_shape(d, p, t);
    bool stays = p->tif == TIF_GTC || p->tif == TIF_GTX;
    if (!stays && !check_is_final(t->status))
        demo_fault(d, "order %lu may not rest and was answered as %s", t->order_id,
                   wire_status(t->status));
    if (t->status == STATUS_PENDING)
        demo_fault(d, "order %lu was answered before matching", t->order_id);
    if (p->tif == TIF_FOK && t->filled_lots && t->filled_lots != p->lots)
        demo_fault(d, "order %lu is fill-or-kill and filled in part", t->order_id);
}

void check_final(struct demo *d, struct placed *p, json_t *order)
{
    struct demo_market *m = &d->markets[p->market];
    struct told t;
    if (!check_read(d, m, order, &t)) return;
    check_shape(d, p, &t);
    d->found++;
    if (t.order_id != p->order_id)
        demo_fault(d, "asked for order %lu, got %lu", p->order_id, t.order_id);
    if (!check_is_final(t.status))
        demo_fault(d, "order %lu is still %s after all were cancelled", p->order_id,
                   wire_status(t.status));
    if (t.filled_lots < p->filled_lots)
        demo_fault(d, "order %lu had %lu lots filled and now has %lu", p->order_id, p->filled_lots,
                   t.filled_lots);
    if (check_is_final(p->status) && (t.status != p->status || t.filled_lots != p->filled_lots))
        demo_fault(d, "order %lu ended %s with %lu lots, and is now %s with %lu", p->order_id,
                   wire_status(p->status), p->filled_lots, wire_status(t.status), t.filled_lots);
    p->status = t.status;
    p->filled_lots = t.filled_lots;
    p->filled_quote = t.filled_quote;
    *(p->side == SIDE_BUY ? &m->bought : &m->sold) += t.filled_lots;
}

/* --- One wallet --------------------------------------------------------------------------------*/

/* Bounds of a balance: exact where both rates are equal. */
struct expected {
    u16 token;
    i64 least, most; /* ledger units */
};

/* Fees are in quote, rounded up once per order; how much of it took and how much made is not told,
 * so with two rates they are known within bounds. */
static void expect_order(const struct demo_market *m, const struct placed *p,
                         struct expected *quote, struct expected *base)
{
    u32 low = m->rules.maker_rate < m->rules.taker_rate ? m->rules.maker_rate : m->rules.taker_rate;
    i64 fee_least = (i64)rate_ceil((u128)p->filled_quote * low);
    i64 fee_most = (i64)rate_ceil((u128)p->filled_quote * market_rate_max(&m->rules));
    i64 lots = (i64)(p->filled_lots * m->rules.lot_units), paid = (i64)p->filled_quote;
    i64 sign = p->side == SIDE_BUY ? 1 : -1;
    base->least += sign * lots;
    base->most += sign * lots;
    quote->least -= sign * paid + fee_most;
    quote->most -= sign * paid + fee_least;
}

static json_t *balance_of(json_t *balances, const char *token)
{
    for (size_t i = 0; i < json_array_size(balances); i++) {
        json_t *balance = json_array_get(balances, i);
        const char *name = json_string_value(json_object_get(balance, "token"));
        if (name && strcmp(name, token) == 0) return balance;
    }
    return NULL;
}

static void check_balance(struct demo *d, const struct agent *a, json_t *balances,
                          const struct expected *e)
{
    const struct rules *rules = segment_object(&d->segment, "rules");
    const struct token *token = &rules->tokens[e->token];
    json_t *balance = balance_of(balances, token->symbol);
    u128 unit_wad = wad_of_decimals(token->decimals);
    u64 total = 0, held = 0, pending = 0;
    if (!read_units(balance, "total", unit_wad, &total) ||
        !read_units(balance, "settled_frozen", unit_wad, &held) ||
        !read_units(balance, "pending_frozen", unit_wad, &pending))
        demo_fault(d, "wallet %u: no balance of %s, or one without numbers", a->index,
                   token->symbol);
    else if ((i64)total < e->least || (i64)total > e->most)
        demo_fault(d, "wallet %u has %s %s; its fills leave %s to %s", a->index,
                   cli_decimal(total, token->decimals), token->symbol,
                   cli_decimal((u128)e->least, token->decimals),
                   cli_decimal((u128)e->most, token->decimals));
    else if (held || pending)
        demo_fault(d, "wallet %u has %s %s held and no open order", a->index,
                   cli_decimal((u128)held + pending, token->decimals), token->symbol);
}

void check_balances(struct demo *d, struct agent *a, json_t *balances)
{
    struct expected quote = {d->quote_token, a->funds[0], a->funds[0]}, base[DEMO_MARKETS];
    for (u32 i = 0; i < DEMO_MARKETS; i++)
        base[i] = (struct expected){d->markets[i].rules.base, a->funds[1 + i], a->funds[1 + i]};
    for (u32 i = a->first; i != NO_PLACED; i = d->placed[i].next)
        expect_order(&d->markets[d->placed[i].market], &d->placed[i], &quote,
                     &base[d->placed[i].market]);
    check_balance(d, a, balances, &quote);
    for (u32 i = 0; i < DEMO_MARKETS; i++) check_balance(d, a, balances, &base[i]);
}

/* --- All together ------------------------------------------------------------------------------*/

/* The public saw every trade: ours are among them, and each has two sides. Others may trade too. */
static void check_volume(struct demo *d, const struct demo_market *m)
{
    u64 more = max_u64(m->bought, m->sold);
    if (m->pushed_lots < more || 2 * m->pushed_lots < m->bought + m->sold)
        demo_fault(d, "%s: our orders bought %lu and sold %lu lots, but trades of %lu were pushed",
                   m->rules.symbol, m->bought, m->sold, m->pushed_lots);
}

/* The last push of an order says what GET says. */
static void check_pushes(struct demo *d, const struct socket *s)
{
    for (u32 i = d->agents[s->agent].first; i != NO_PLACED; i = d->placed[i].next) {
        const struct placed *p = &d->placed[i];
        if (p->pushed_status == p->status && p->pushed_filled == p->filled_lots) continue;
        demo_fault(d, "order %lu is %s with %lu lots filled; the last push said %s with %lu",
                   p->order_id, wire_status(p->status), p->filled_lots,
                   wire_status(p->pushed_status), p->pushed_filled);
    }
}

void check_totals(struct demo *d)
{
    if (d->found != d->acked)
        demo_fault(d, "%lu orders were acknowledged and %lu found", d->acked, d->found);
    for (u32 i = 0; i < d->socket_count; i++) {
        const struct socket *s = &d->sockets[i];
        if (s->broken) continue; /* what was pushed meanwhile is not known */
        if (!s->ready) demo_fault(d, "a WebSocket was never subscribed");
        else if (s->agent != NO_PLACED) check_pushes(d, s);
        else
            for (u32 k = 0; k < DEMO_MARKETS; k++) check_volume(d, &d->markets[k]);
    }
}
