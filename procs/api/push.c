#include "procs/api/push.h"

#include <time.h>

#include "procs/api/push_feeds.h"
#include "procs/api/push_mine.h"
#include "procs/api/push_put.h"
#include "procs/api/ws.h"
#include "procs/lib/wire.h"

#define FAST_NS  (10 * NS_PER_MS)  /* between two pushes of depth and trades to a wave */
#define SLOW_NS  (100 * NS_PER_MS) /* of tickers and candles */
#define IDLE_NS  NS_PER_S          /* tickers change by time alone, too */
#define SLICE_NS (2 * NS_PER_MS)   /* of pushing; then others have their turn */

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

bool push_ready(struct api *a, struct wave *w, const struct channel *c)
{
    if (c->kind >= CHANNEL_DEPTHS) return true;
    for (u16 i = first_market(c); i < end_market(a, c); i++)
        if (!depth_ready(w, c->kind, i)) return false;
    return true;
}

void push_begin(struct api *a, struct wave *w, const struct channel *c)
{
    for (u16 i = first_market(c); i < end_market(a, c); i++) {
        if (wave_wants(w, c->kind, i)) continue;
        if (c->kind < CHANNEL_DEPTHS) depth_begin(a, w, c->kind, i);
        else if (c->kind == CHANNEL_TRADES) trades_begin(a, w, i);
        else if (c->kind == CHANNEL_TICKER) ticker_begin(a, w, i);
        else kline_begin(a, w, c->kind - CHANNEL_KLINE, i);
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

static void refresh_all(struct api *a, struct wave *w)
{
    if (!w->stale) return;
    w->stale = false;
    for (u32 i = 0; i < TOPICS_MAX; i++)
        if (topic_count(&w->topics[i])) w->stale |= refresh(a, &w->topics[i]);
}

/* ---- The turn ---- */

static u64 clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (u64)t.tv_sec * NS_PER_S + (u64)t.tv_nsec;
}

static u32 market_count(const struct api *a)
{
    return atomic_load_explicit(&a->rules->market_count, memory_order_acquire);
}

/* Moves on when the public data of any market does. */
static u64 stamp_of(const struct api *a)
{
    u64 stamp = 1;
    for (u32 i = 0, n = market_count(a); i < n; i++)
        stamp += market_sequence(a->market, i) + market_trade_number(a->market, i);
    return stamp;
}

/* Put what is new of a market among what is due; false when some could not be read. */
static bool market_turn(struct api *a, struct wave *w, u16 market, bool slow)
{
    struct market m;
    if (!wire_market_at(a->rules, market, &m)) return true;
    bool whole = trades_turn(a, w, market, &m);
    whole &= depth_turn(a, w, market, &m);
    if (!slow) return whole;
    whole &= ticker_turn(a, w, market, &m);
    for (u32 i = 0; i < INTERVALS; i++) kline_turn(a, w, i, market, &m);
    return whole;
}

/* Is there news for a wave that it may be told? *slow: of tickers and candles, too. */
static bool is_due(const struct api *a, const struct wave *w, u64 stamp, bool *slow)
{
    if (!w->feeds || a->now_ns < w->next_ns) return false;
    *slow = a->now_ns >= w->slow_ns && (w->slow_stamp != stamp || a->now_ns - w->slow_ns > IDLE_NS);
    return *slow || w->stamp != stamp || w->stale;
}

static u32 wave_turn(struct api *a, struct wave *w, u64 stamp, bool slow)
{
    bool whole = true;
    for (u32 i = 0, n = market_count(a); i < n; i++)
        if (w->markets[i].subs || w->every) whole &= market_turn(a, w, (u16)i, slow);
    u32 n = push_flush(a, w);
    refresh_all(a, w);
    w->next_ns = a->now_ns + (n || !whole || w->stale ? FAST_NS : 0);
    if (whole) w->stamp = stamp;
    if (!slow) return n;
    if (whole) w->slow_stamp = stamp;
    w->slow_ns = a->now_ns + SLOW_NS;
    return n;
}

/* The waves in turn, from where the last slice ended; after a whole slice, rest for a quarter of
 * it.
 */
static u32 tell_waves(struct api *a)
{
    struct hub *h = a->hub;
    u64 begun_ns = clock_ns(), spent_ns = 0;
    u32 n = 0;
    for (u32 left = h->wave_count; left && spent_ns < SLICE_NS; left--) {
        struct wave *w = LINK_OF(link_pop(&h->waves), struct wave, of_hub);
        u64 stamp = stamp_of(a);
        bool slow;
        link_append(&h->waves, &w->of_hub);
        if (!is_due(a, w, stamp, &slow)) continue;
        n += wave_turn(a, w, stamp, slow);
        spent_ns = clock_ns() - begun_ns;
    }
    if (spent_ns >= SLICE_NS) h->rest_until_ns = a->now_ns + spent_ns + spent_ns / 2;
    return n;
}

u32 push_turn(struct api *a)
{
    u32 n = push_mine_turn(a);
    if (a->hub->feeds && a->now_ns >= a->hub->rest_until_ns) n += tell_waves(a);
    metric_add(a->block, METRIC_API_PUSHES, n);
    return n;
}

u64 push_sleep_ns(const struct api *a, u64 most_ns)
{
    u64 rest_ns = a->hub->rest_until_ns;
    return rest_ns > a->now_ns ? min_u64(rest_ns - a->now_ns, most_ns) : most_ns;
}
