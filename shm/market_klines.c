/* The candles of a market as other processes read them: ranges of one interval, and sums. */
#include "shm/market_cells.h"

/* What one look finds in a ring of candles. */
struct ring_view {
    const struct market_view *v;
    const struct candle_ring *ring;
    u32 interval;
    u64 oldest, head; /* numbers; head 0 = none */
};

static struct ring_view ring_open(const struct market_view *v, u32 interval)
{
    struct ring_view r = {.v = v, .ring = &v->b->candles[interval], .interval = interval};
    r.head = atomic_load_explicit(&r.ring->head, memory_order_acquire);
    r.oldest = candles_oldest(&v->shape, interval, r.head);
    return r;
}

static bool ring_read(const struct ring_view *r, u64 number, struct market_candle *out)
{
    const struct market_view *v = r->v;
    return candle_read(market_candle_at(v->m, &v->shape, v->market, r->interval, number), out);
}

/* Are candles from `number` on still those that were copied? */
static bool ring_held(const struct ring_view *r, u64 number)
{
    atomic_thread_fence(memory_order_acquire);
    return word_get(&r->ring->claim) < number + r->v->shape.candles_cap[r->interval];
}

/* Number of the first candle with an index of at least `index`; head + 1 = there is none. False:
 * they kept changing. */
static bool ring_find(const struct ring_view *r, u64 index, u64 *number)
{
    u64 low = r->oldest, high = r->head + 1;
    struct market_candle c;
    while (low < high) {
        u64 mid = low + (high - low) / 2;
        if (!ring_read(r, mid, &c)) return false;
        if (c.index < index) low = mid + 1;
        else high = mid;
    }
    *number = low;
    return true;
}

bool candles_sum(const struct market_view *v, u32 interval, u64 from, u64 to,
                 struct market_candle *sum)
{
    struct ring_view r = ring_open(v, interval);
    struct market_candle c;
    u64 number;
    if (!r.head) return true;
    if (!ring_find(&r, from, &number)) return false;
    u64 first = number;
    for (; number <= r.head; number++) {
        if (!ring_read(&r, number, &c)) return false;
        if (c.index > to) break;
        candle_merge(sum, &c);
    }
    return ring_held(&r, first);
}

/* Cut a range to what there is; false = nothing. *number = the candle at or after its beginning. */
static bool range_cut(const struct ring_view *r, struct market_range *range, u32 max, u64 *number,
                      bool *nothing)
{
    struct market_candle oldest, newest;
    if (!ring_read(r, r->oldest, &oldest) || !ring_read(r, r->head, &newest)) return false;
    u64 last = max_u64(newest.index, interval_index(r->interval, range->now_ns));
    range->to = min_u64(range->to, last);
    range->from = max_u64(range->from, oldest.index);
    *nothing = !max || range->from > range->to;
    if (*nothing) return true;
    if (range->to - range->from >= max) {
        if (range->newest) range->from = range->to - max + 1;
        else range->to = range->from + max - 1;
    }
    return ring_find(r, range->from, number);
}

/* The candles of a range, quiet ones between. How many, or -1: look again. */
static int range_read(const struct ring_view *r, const struct market_range *range, u64 number,
                      struct market_candle *out)
{
    struct market_candle next = {.index = UINT64_MAX}, before = {0};
    u64 first = number > r->oldest ? number - 1 : number;
    int count = 0;
    if (first < number && !ring_read(r, first, &before)) return -1;
    if (number <= r->head && !ring_read(r, number, &next)) return -1;
    for (u64 index = range->from; index <= range->to; index++) {
        u64 flat = before.close;
        if (index == next.index) {
            before = next;
            next.index = UINT64_MAX;
            if (++number <= r->head && !ring_read(r, number, &next)) return -1;
        } else {
            before = (struct market_candle){
                .index = index, .open = flat, .high = flat, .low = flat, .close = flat};
        }
        out[count++] = before;
    }
    return ring_held(r, first) ? count : -1;
}

int market_read_candles(const struct market_data *m, u32 market, const struct market_range *range,
                        struct market_candle *out, u32 max, u64 *cause)
{
    struct market_view v;
    int answer = market_view_open(&v, m, market);
    if (answer) return answer;
    for (u32 i = 0; i < READ_RESTARTS; i++) {
        struct ring_view r = ring_open(&v, range->interval);
        struct market_range cut = *range;
        bool nothing = !r.head;
        u64 number = 0;
        int count = 0;
        if (!nothing && !range_cut(&r, &cut, max, &number, &nothing)) continue;
        if (!nothing) count = range_read(&r, &cut, number, out);
        /* A candle that begins meanwhile must not look quiet. */
        if (count < 0 || word_get(&r.ring->head) != r.head) continue;
        if (cause) *cause = word_get(&v.b->cause);
        return market_view_held(&v) ? count : MARKET_BUSY;
    }
    return MARKET_BUSY;
}
