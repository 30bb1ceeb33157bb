#include "procs/api/push.h"

#include <time.h>

#include "procs/api/push_feeds.h"
#include "procs/api/push_mine.h"
#include "procs/api/push_put.h"
#include "procs/api/ws.h"
#include "procs/lib/wire.h"

#define SLOT_NS      (10 * NS_PER_MS)
#define SLOW_SLOT_NS (100 * NS_PER_MS) /* tickers and candles */

/* The markets that a channel is about: [from, to). */
static u16 first_market(const struct channel *c)
{
    return c->market == EVERY_MARKET ? 0 : c->market;
}

static u16 end_market(const struct api *a, const struct channel *c)
{
    u32 count = atomic_load_explicit(&a->rules->market_count, memory_order_acquire);
    return (u16)(c->market == EVERY_MARKET ? count : c->market + 1U);
}

/* ---- Beginning and catching up ---- */

bool push_ready(struct api *a, const struct channel *c)
{
    if (c->kind >= CHANNEL_DEPTHS) return true;
    for (u16 i = first_market(c); i < end_market(a, c); i++)
        if (!depth_ready(a, c->kind, i)) return false;
    return true;
}

void push_begin(struct api *a, const struct channel *c)
{
    for (u16 i = first_market(c); i < end_market(a, c); i++) {
        if (hub_wants(a->hub, c->kind, i)) continue;
        if (c->kind < CHANNEL_DEPTHS) depth_begin(a, c->kind, i);
        else if (c->kind == CHANNEL_TRADES) trades_begin(a, i);
        else if (c->kind == CHANNEL_TICKER) ticker_begin(a, i);
        else kline_begin(a, c->kind - CHANNEL_KLINE, i);
    }
}

void push_first(struct api *a, struct sub *s)
{
    const struct channel *c = &s->channel;
    for (u16 i = first_market(c); i < end_market(a, c); i++) {
        if (c->kind < CHANNEL_DEPTHS) depth_snapshot(a, s, i);
        else if (c->kind == CHANNEL_TICKER) ticker_snapshot(a, s, i);
        else if (c->kind != CHANNEL_TRADES) kline_snapshot(a, s, i);
    }
    s->stale = false;
}

/* Readers that were slow and have caught up; true while some have not. */
static bool refresh(struct api *a, struct topic *t)
{
    bool left = false;
    for (struct link *l = t->subs.next, *next; l != &t->subs; l = next) {
        struct sub *s = LINK_OF(l, struct sub, of_topic);
        next = l->next;
        if (s->stale && ws_backlog(s->ws) < WS_SLOW_BYTES / 2) push_first(a, s);
        left |= s->stale;
    }
    return left;
}

static void refresh_all(struct api *a)
{
    struct hub *h = a->hub;
    if (!h->stale) return;
    h->stale = false;
    for (u32 i = 0; i < TOPICS_MAX; i++)
        if (topic_count(&h->topics[i])) h->stale |= refresh(a, &h->topics[i]);
}

/* ---- The turn ---- */

static void market_turn(struct api *a, u16 market, bool slow)
{
    struct market_feed *f = &a->hub->markets[market];
    struct market m;
    if (!wire_market_at(a->rules, market, &m)) return;
    trades_turn(a, market, &m, f);
    depth_turn(a, market, &m, f);
    if (!slow) return;
    ticker_turn(a, market, &m, f);
    for (u32 i = 0; i < INTERVALS; i++) kline_turn(a, i, market, &m, f);
}

static u64 clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (u64)t.tv_sec * NS_PER_S + (u64)t.tv_nsec;
}

/* A new slot, and rested since the last? Then *slow tells whether tickers and candles are due. */
static bool due(struct api *a, bool *slow)
{
    struct hub *h = a->hub;
    if (!h->feeds || a->now_ns / SLOT_NS == h->slot || a->now_ns < h->rest_until_ns) return false;
    h->slot = a->now_ns / SLOT_NS;
    *slow = a->now_ns / SLOW_SLOT_NS != h->slow_slot;
    h->slow_slot = a->now_ns / SLOW_SLOT_NS;
    return true;
}

u32 push_turn(struct api *a)
{
    struct hub *h = a->hub;
    bool slow;
    u32 n = push_mine_turn(a);
    if (due(a, &slow)) {
        u32 markets = atomic_load_explicit(&a->rules->market_count, memory_order_acquire);
        h->pushing_ns = clock_ns();
        for (u32 i = 0; i < markets; i++)
            if (h->markets[i].subs || h->every) market_turn(a, (u16)i, slow);
        n += push_flush(a);
        refresh_all(a);
    }
    metric_add(a->block, METRIC_API_PUSHES, n);
    return n;
}

void push_rest(struct api *a)
{
    struct hub *h = a->hub;
    if (!h->pushing_ns) return;
    u64 now = clock_ns();
    h->rest_until_ns = now + (now - h->pushing_ns);
    h->pushing_ns = 0;
}
