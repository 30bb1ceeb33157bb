/* book_query.c: questions to a book, its orders in priority order, and loading a snapshot. */
#include "shm/book_accounts.h"
#include "shm/book_cells.h"
#include "shm/book_ids.h"
#include "shm/book_levels.h"
#include "shm/book_rest.h"
#include "shm/err.h"

/* The half a question is about, or NULL. */
static const struct book_half *ask(const struct books *b, u32 market, u8 side)
{
    bool exists = book_is_open(b, market) && (side == BOOK_BUY || side == BOOK_SELL);
    return exists ? book_half(b, book_half_of(market, side)) : NULL;
}

static struct book_level as_level(const struct books *b, u32 half, u32 level)
{
    return (struct book_level){.price = book_key(half, book_entry(b, level)->key),
                               .lots = book_level_lots(b, level)};
}

bool books_is_open(const struct books *b, u32 market)
{
    return book_is_open(b, market);
}

bool book_best(const struct books *b, u32 market, u8 side, struct book_level *level)
{
    const struct book_half *h = ask(b, market, side);
    u32 best = h ? book_level_best(b, h) : 0;
    if (best) *level = as_level(b, book_half_of(market, side), best);
    return best != 0;
}

static u64 top_price(const struct books *b, u32 half)
{
    u32 best = book_half_best(b, book_half(b, half));
    return best ? book_key(half, book_key_at(b, best)) : 0;
}

struct book_top book_top(const struct books *b, u32 market)
{
    if (UNLIKELY(!book_is_open(b, market))) return (struct book_top){0};
    return (struct book_top){.bid = top_price(b, book_half_of(market, BOOK_BUY)),
                             .ask = top_price(b, book_half_of(market, BOOK_SELL))};
}

u32 book_depth(const struct books *b, u32 market, u8 side, struct book_level *levels, u32 max)
{
    const struct book_half *h = ask(b, market, side);
    u32 n = 0;
    for (u32 q = h ? book_level_best(b, h) : 0; q && n < max; q = book_level_next(b, q), n++) {
        levels[n] = as_level(b, book_half_of(market, side), q);
        for (u32 i = book_level_first(b, q); i; i = book_level_later(b, i)) levels[n].orders++;
    }
    return n;
}

u64 book_lots_at(const struct books *b, u32 market, u8 side, u64 price)
{
    if (!ask(b, market, side) || price - 1 >= BOOK_PRICE_MAX) return 0;
    u32 half = book_half_of(market, side);
    u32 level = book_level_find(b, half, book_key(half, price));
    return level ? book_level_lots(b, level) : 0;
}

u32 book_orders(const struct books *b, u32 market)
{
    if (!book_is_open(b, market)) return 0;
    return book_half(b, market << 1)->orders + book_half(b, market << 1 | 1)->orders;
}

u32 book_levels(const struct books *b, u32 market)
{
    u32 n = 0;
    for (u32 side = BOOK_BUY; side <= BOOK_SELL; side++) {
        const struct book_half *h = ask(b, market, (u8)side);
        for (u32 q = h ? book_level_best(b, h) : 0; q; q = book_level_next(b, q)) n++;
    }
    return n;
}

u32 book_account_orders(const struct books *b, u32 market, u32 account, u8 side)
{
    return ask(b, market, side) ? book_account_resting(b, account, book_half_of(market, side)) : 0;
}

bool book_find(const struct books *b, u64 id, struct book_order *o)
{
    u32 cell;
    bool found = book_lookup(b, id, &cell);
    if (found) book_at(b, cell, o);
    return found;
}

u32 book_first(const struct books *b, u32 market, u8 side)
{
    const struct book_half *h = ask(b, market, side);
    u32 best = h ? book_level_best(b, h) : 0;
    return best ? book_level_first(b, best) : 0;
}

u32 book_next(const struct books *b, u32 cursor)
{
    u32 later = book_level_later(b, cursor);
    if (later) return later;
    const struct book_cell *c = book_cell(b, cursor);
    u32 level = book_level_next(b, book_is_alone(c) ? cursor | BOOK_ALONE : c->queue);
    return level ? book_level_first(b, level) : 0;
}

void book_at(const struct books *b, u32 cursor, struct book_order *o)
{
    const struct book_cell *c = book_cell(b, cursor);
    u32 half = book_cell_half(b, c);
    u64 key = book_is_alone(c) ? c->key : book_queue(b, c->queue)->key;
    *o = (struct book_order){.id = c->id,
                             .price = book_key(half, key),
                             .lots = book_cell_lots(c),
                             .market = half >> 1,
                             .account = c->account,
                             .side = book_half_side(half)};
}

int book_restore(struct books *b, const struct book_order *o)
{
    if (!ask(b, o->market, o->side)) {
        return err_set("restoring order %lu: market %u is not open, or side %u is none", o->id,
                       o->market, o->side);
    }
    u32 half = book_half_of(o->market, o->side);
    if (o->price - 1 >= BOOK_PRICE_MAX || o->lots - 1 >= BOOK_LOTS_MAX || !o->id ||
        (u32)o->id >= b->config.slots_max) {
        return err_set("restoring order %lu: price %lu, lots %lu or slot %u (of %u) out of range",
                       o->id, o->price, o->lots, (u32)o->id, b->config.slots_max);
    }
    if (book_slot_taken(b, o->id)) {
        return err_set("restoring order %lu: its slot belongs to a resting order", o->id);
    }
    struct book_half *other = book_half(b, half ^ 1);
    if (book_reaches(b, other, book_key(half ^ 1, o->price))) {
        return err_set("restoring order %lu: price %lu crosses the other side's best %lu", o->id,
                       o->price, top_price(b, half ^ 1));
    }
    bool room = b->orders.used < b->config.orders_max;
    u32 queue = room ? book_queue_get(b, half, book_key(half, o->price)) : 0;
    if (!queue || !book_fits(b, queue, o->lots)) {
        return err_set("restoring order %lu: the arena is full: %u of %u orders, %u of %u levels",
                       o->id, b->orders.used, b->config.orders_max, books_use(b).levels,
                       b->config.levels_max);
    }
    book_rest_in(b, o, half, queue);
    return 0;
}

/* One round of a 64-bit mixer (Stafford's variant 13 of MurmurHash3's finaliser). */
static u64 mix(u64 h, u64 x)
{
    h ^= x;
    h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9UL;
    h = (h ^ h >> 27) * 0x94d049bb133111ebUL;
    return h ^ h >> 31;
}

u64 book_checksum(const struct books *b, u32 market)
{
    u64 h = 0x4549444f53424b31UL;
    for (u32 side = BOOK_BUY; side <= BOOK_SELL; side++) {
        h = mix(h + 0x9e3779b97f4a7c15UL, side);
        for (u32 c = book_first(b, market, (u8)side); c; c = book_next(b, c)) {
            struct book_order o;
            book_at(b, c, &o);
            h = mix(mix(mix(mix(h + 1, o.id), o.price), o.lots), o.account);
        }
    }
    return h;
}
