/* The life of the market-data object and its state machine. Levels: market_levels.c, readers:
 * market_read.c, saving: market_save.c. */
#include "shm/market.h"

#include <string.h>

#include "shm/err.h"
#include "shm/market_cells.h"
#include "shm/rules.h"

#define LEVELS_MAX (1U << 28)
#define TRADES_MAX (1U << 20)

#define CANDLES_SLACK 4UL /* so that the oldest kept is not overwritten while it is copied */

_Static_assert(CHUNK_MERGE * 2 == CHUNK_CELLS, "halves of a split must not be merged again");

u64 market_align(void)
{
    return CACHE_LINE;
}

static const u32 candles_fewest[INTERVALS] = MARKET_CANDLES_FEWEST;

/* The shape that a configuration asks for; false when it is impossible. */
static bool shape_of(const struct market_config *c, struct market_shape *s)
{
    if (!c->markets_max || c->markets_max > MARKETS_MAX || !c->levels_max ||
        c->levels_max > LEVELS_MAX || !c->recent_trades || c->recent_trades > TRADES_MAX ||
        c->changes_max < 64 || c->changes_max > TRADES_MAX || !is_pow2(c->changes_max))
        return false;
    for (u32 i = 0; i < INTERVALS; i++)
        if (c->candles[i] < candles_fewest[i] || c->candles[i] > MARKET_CANDLES_MOST) return false;
    *s = (struct market_shape){.config = *c};
    /* More than are shown, so that the oldest shown is not overwritten while it is copied. */
    s->trades_cap = c->recent_trades + c->recent_trades / 8 + 16UL;
    /* Pairs of neighbours hold more than CHUNK_MERGE; each side has a first chunk besides. */
    s->chunks_max = 2UL * c->levels_max / (CHUNK_MERGE + 1) + 4UL * c->markets_max;
    s->candles_at = sizeof(struct market_data) + c->markets_max * sizeof(struct market_book);
    for (u32 i = 0; i < INTERVALS; i++) {
        s->candles_cap[i] = c->candles[i] + CANDLES_SLACK;
        s->candles_from[i] = s->candles_each;
        s->candles_each += s->candles_cap[i];
    }
    s->changes_at = s->candles_at + c->markets_max * s->candles_each * sizeof(struct candle);
    s->trades_at =
        s->changes_at + (u64)c->markets_max * c->changes_max * sizeof(struct market_change);
    s->chunks_at = s->trades_at + c->markets_max * s->trades_cap * sizeof(struct market_trade);
    s->chunks_at = align_up(s->chunks_at, CACHE_LINE);
    s->bytes = s->chunks_at + s->chunks_max * sizeof(struct level_chunk);
    return true;
}

u64 market_footprint(const struct market_config *config)
{
    struct market_shape s;
    return shape_of(config, &s) ? s.bytes : 0;
}

static void no_levels(struct market_data *m)
{
    m->levels = 0;
    m->chunks = m->chunks_fresh = 2 * m->shape.config.markets_max;
    m->chunks_free = 0;
}

void *market_new(void *memory, const struct market_config *config)
{
    struct market_data *m = memory;
    struct market_shape shape;
    if (!shape_of(config, &shape)) {
        err_set("market data: impossible sizes: markets %u (1..%d), levels %u (1..%u), recent "
                "trades %u (1..%u), changes %u (a power of two, 64..%u), or too few candles of an "
                "interval",
                config->markets_max, MARKETS_MAX, config->levels_max, LEVELS_MAX,
                config->recent_trades, TRADES_MAX, config->changes_max, TRADES_MAX);
        return NULL;
    }
    bool same = m->magic == MARKET_MAGIC && !memcmp(&m->shape, &shape, sizeof shape);
    if (same) market_set_ready(m, false);
    else {
        memset(memory, 0, sizeof *m);
        word_put(&m->epoch, 1);
        m->shape = shape;
    }
    for (u32 i = 0; i < config->markets_max; i++) {
        struct market_book zero = {0};
        words_put(&m->books[i], &zero, sizeof zero);
    }
    no_levels(m);
    m->levels_left = 0;
    m->random = 0x9e3779b97f4a7c15;
    memset(m->through, 0, sizeof m->through);
    m->magic = MARKET_MAGIC;
    return memory;
}

struct market_data *market_join(void *memory)
{
    struct market_data *m = memory;
    if (m->magic != MARKET_MAGIC) {
        err_set("market data: no such object here (magic %016lx); format it with market_new",
                m->magic);
        return NULL;
    }
    return m;
}

void *market_leave(struct market_data *m)
{
    return m;
}

void *market_delete(void *memory)
{
    struct market_data *m = memory;
    market_set_ready(m, false);
    m->magic = 0;
    return memory;
}

void market_set_ready(struct market_data *m, bool ready)
{
    u64 epoch = word_get(&m->epoch);
    if (!(epoch & 1) == ready) return;
    atomic_store_explicit(&m->epoch, epoch + 1, memory_order_release);
    atomic_thread_fence(memory_order_release);
}

void market_publish(struct market_data *m)
{
    atomic_store_explicit(&m->publications, word_get(&m->publications) + 1, memory_order_release);
}

const _Atomic u64 *market_head(const struct market_data *m)
{
    return &m->publications;
}

bool market_is_open(const struct market_data *m, u32 market)
{
    return market < m->shape.config.markets_max &&
           atomic_load_explicit(&m->books[market].open, memory_order_acquire);
}

int market_add(struct market_data *m, u32 market, u16 matching, u64 tick_lot)
{
    if (market >= m->shape.config.markets_max)
        return err_set(
            "market data: market %u is beyond klines.markets_max %u; raise it and restart", market,
            m->shape.config.markets_max);
    if (matching >= MARKET_LOGS_MAX || !tick_lot)
        return err_set("market data: market %u: matching %u must be below %u, tick_lot above 0",
                       market, matching, MARKET_LOGS_MAX);
    struct market_book *b = &m->books[market];
    if (market_is_open(m, market)) {
        if (b->matching == matching && b->tick_lot == tick_lot) return 0;
        return err_set("market data: market %u is matching %u, tick_lot %lu, and cannot become "
                       "matching %u, tick_lot %lu",
                       market, b->matching, b->tick_lot, matching, tick_lot);
    }
    b->matching = matching;
    b->tick_lot = tick_lot;
    word_put(&b->first, 1);
    word_put(&b->trade_first, 1);
    levels_reset(m, market);
    atomic_store_explicit(&b->open, 1, memory_order_release);
    return 0;
}

struct market_use market_use(const struct market_data *m)
{
    return (struct market_use){m->levels, m->shape.config.levels_max, m->chunks,
                               (u32)m->shape.chunks_max};
}

u64 market_through(const struct market_data *m, u16 matching)
{
    CHECK(matching < MARKET_LOGS_MAX);
    return m->through[matching];
}

int market_add_level(struct market_data *m, u32 market, u8 side, u64 price, u64 lots, u32 orders)
{
    struct level_at at;
    if (!market_is_open(m, market)) return err_set("market data: market %u is not open", market);
    if ((side != SIDE_BUY && side != SIDE_SELL) || !price || !lots || !orders)
        return err_set("market data: market %u: no level has side %u, price %lu, lots %lu, "
                       "orders %u",
                       market, side, price, lots, orders);
    levels_find(m, market, side, price, &at);
    if (at.lots) return err_set("market data: market %u: level %lu exists", market, price);
    if (m->levels == m->shape.config.levels_max)
        return err_set("market data: all %u levels are in use; raise levels_max and restart",
                       m->levels);
    levels_set(m, &at, lots, orders);
    return 0;
}

void market_leave_levels(struct market_data *m)
{
    no_levels(m);
    m->levels_left = 1;
    for (u32 i = 0; i < m->shape.config.markets_max; i++)
        if (market_is_open(m, i)) levels_reset(m, i);
}

void market_keep_levels(struct market_data *m)
{
    m->levels_left = 0;
    for (u32 i = 0; i < m->shape.config.markets_max; i++) {
        struct market_book *b = &m->books[i];
        u64 head = word_get(&b->head);
        if (!market_is_open(m, i)) continue;
        candles_settle(m, i);
        word_put(&b->first, head + 1);
        word_put(&b->claim, head);
        word_put(&b->applied, head);
    }
}

/* What a record does to one level. */
struct level_step {
    u8 side;
    bool take; /* else put */
    u8 orders; /* that come or go, 0 or 1 */
    u64 price, lots;
};

/* The level after the step, or -1 with err when the record contradicts it. */
static int level_after(const struct market_data *m, const struct level_at *at,
                       const struct level_step *s, u64 *lots, u64 *orders)
{
    if ((s->side != SIDE_BUY && s->side != SIDE_SELL) || !s->price || !s->lots)
        return err_set("no level has side %u, price %lu, %lu lots", s->side, s->price, s->lots);
    if (s->take) {
        *lots = at->lots - s->lots;
        *orders = at->orders - s->orders;
        if (s->lots > at->lots || !*lots != !*orders)
            return err_set("it takes %lu lots and %u orders off price %lu, where %lu lots in %lu "
                           "orders stand",
                           s->lots, s->orders, s->price, at->lots, at->orders);
        return 0;
    }
    if (!at->lots && m->levels == m->shape.config.levels_max)
        return err_set("all %u levels are in use; raise levels_max and restart", m->levels);
    *lots = at->lots + s->lots;
    *orders = at->orders + s->orders;
    if (*lots < s->lots) return err_set("price %lu would hold 2^64 lots or more", s->price);
    return 0;
}

/* Number the change and show it in the ring, then touch the level: see market.h. */
static void level_step(struct market_data *m, u32 market, const struct level_at *at,
                       const struct market_change *change)
{
    struct market_book *b = &m->books[market];
    word_put(&b->claim, change->sequence);
    atomic_thread_fence(memory_order_release);
    words_put(market_change_at(m, &m->shape, market, change->sequence), change, sizeof *change);
    atomic_store_explicit(&b->head, change->sequence, memory_order_release);
    levels_set(m, at, change->lots, change->orders);
    atomic_store_explicit(&b->applied, change->sequence, memory_order_release);
}

static void trade_step(struct market_data *m, u16 matching, const struct match_trade *t)
{
    struct market_book *b = &m->books[t->market];
    struct market_trade trade = {
        .number = word_get(&b->trade_head) + 1,
        .trade_id = trade_id_of(matching, t->head.seq),
        .price = t->price,
        .lots = t->lots,
        .quote = t->price * t->lots * b->tick_lot,
        .time_ns = t->head.time_ns,
        .cause = t->head.cause,
    };
    u64 side = t->taker_side; /* and zeros, as one word: it is copied by words at once */
    memcpy(&trade.taker_side, &side, sizeof side);
    if (m->levels_left) candles_defer(m, t->market, &trade);
    else candles_add(m, t->market, &trade);
    word_put(&b->trade_claim, trade.number);
    atomic_thread_fence(memory_order_release);
    words_put(market_trade_at(m, &m->shape, t->market, trade.number), &trade, sizeof trade);
    atomic_store_explicit(&b->trade_head, trade.number, memory_order_release);
}

/* Which level a record changes, and how; 0 = none, -1 with err = not a record we know. */
static int step_of(const struct rec *rec, u32 *market, struct level_step *s)
{
    const struct match_order *o = (const void *)rec;
    const struct match_trade *t = (const void *)rec;
    if (rec->version != RECORD_VERSION)
        return err_set("version %u of kind %u is unknown to this build; install a newer one",
                       rec->version, rec->kind);
    switch (rec->kind) {
    case MATCH_OPENED:
        *market = o->market;
        *s = (struct level_step){o->side, false, 1, o->price, o->lots};
        return 1;
    case MATCH_CANCELED:
        *market = o->market;
        *s = (struct level_step){o->side, true, 1, o->price, o->lots};
        return o->was_resting;
    case MATCH_TRADE:
        *market = t->market;
        *s = (struct level_step){t->taker_side == SIDE_BUY ? SIDE_SELL : SIDE_BUY, true,
                                 !t->maker_left, t->price, t->lots};
        return 1;
    case MATCH_REJECTED:
    case MATCH_MISSED:
    case MATCH_BEST:
    case MATCH_FILLED: return 0;
    default: return err_set("kind %u is unknown to this build; install a newer one", rec->kind);
    }
}

/* The change of a level that a record brings; -1 with err when it contradicts the levels. */
static int change_of(const struct market_data *m, const struct rec *rec, const struct level_step *s,
                     const struct level_at *at, struct market_change *change)
{
    u64 lots = 0, orders = 0;
    if (level_after(m, at, s, &lots, &orders)) return -1;
    *change = (struct market_change){
        .price = s->price,
        .lots = lots,
        .orders = (u32)orders,
        .side = s->side,
        .time_ns = rec->time_ns,
        .cause = rec->cause,
    };
    return 0;
}

static int apply_record(struct market_data *m, u16 matching, const struct rec *rec)
{
    u32 market = NO_MARKET;
    struct level_step s = {0};
    struct level_at at;
    struct market_change change;
    int step = step_of(rec, &market, &s);
    if (step <= 0) return step;
    if (!market_is_open(m, market) || m->books[market].matching != matching)
        return err_set("market %u is not open here for matching %u", market, matching);
    struct market_book *b = &m->books[market];
    if (!m->levels_left) {
        levels_find(m, market, s.side, s.price, &at);
        if (change_of(m, rec, &s, &at, &change)) return -1;
    }
    word_put(&b->cause, rec->cause);
    word_put(&b->time_ns, rec->time_ns);
    if (rec->kind == MATCH_TRADE) trade_step(m, matching, (const void *)rec);
    u64 sequence = word_get(&b->head) + 1;
    if (m->levels_left) {
        word_put(&b->head, sequence);
        return 0;
    }
    change.sequence = sequence;
    level_step(m, market, &at, &change);
    return 0;
}

int market_apply(struct market_data *m, u16 matching, const struct rec *rec)
{
    CHECK(matching < MARKET_LOGS_MAX);
    if (rec->seq <= m->through[matching]) return 0;
    if (rec->seq != m->through[matching] + 1)
        return err_set("market data: match log %u goes on at record %lu, but %lu comes next",
                       matching, rec->seq, m->through[matching] + 1);
    if (apply_record(m, matching, rec))
        return err_wrap("market data: match log %u, record %lu", matching, rec->seq);
    m->through[matching] = rec->seq;
    return 0;
}
