/* book_mem.c: the life of the object that holds the books. */
#include "shm/book_accounts.h"
#include "shm/book_cells.h"
#include "shm/book_ids.h"
#include "shm/book_levels.h"
#include "shm/err.h"

#include <string.h>

u64 books_align(void)
{
    return 4096;
}

/* The place of a part, which moves *at behind it. */
static u64 take(u64 *at, u64 count, u64 bytes)
{
    u64 place = align_up(*at, CACHE_LINE);
    *at = place + count * bytes;
    return place;
}

/* The place of a pool, and its bounds. */
static struct book_pool pool(u64 *at, u64 count, u64 bytes)
{
    u32 first = (u32)(take(at, count, bytes) / 8);
    return (struct book_pool){.fresh = first, .end = (u32)(first + count * bytes / 8)};
}

/* How many queues are found by hints: in one large book most of some thousand levels. */
static u32 hints_for(const struct books_config *c)
{
    u64 least = c->levels_max / 64, n = 2 * BOOK_HINTS;
    while (n < 2UL * c->markets_max * BOOK_HINTS || n < least) n *= 2;
    return (u32)n;
}

/* Places of the parts; `bytes` 0 if the parameters are impossible. */
static struct books plan(const struct books_config *config)
{
    struct books b = {.no_key = UINT64_MAX, .config = *config};
    struct books_config *c = &b.config;
    if (!c->levels_max) c->levels_max = c->orders_max;
    bool possible = c->markets_max >= 1 && c->markets_max <= BOOK_MARKETS_MAX &&
                    c->orders_max >= 1 && c->orders_max <= BOOK_ORDERS_MAX &&
                    c->levels_max <= c->orders_max && c->slots_max >= 1;
    if (!possible) return (struct books){0};
    u64 at = BOOK_HALVES_OFF;
    take(&at, 2UL * c->markets_max, sizeof(struct book_half));
    b.hints_mask = hints_for(c) - 1;
    b.hints = (u32)(take(&at, b.hints_mask + 1UL, sizeof(struct book_hint)) / 8);
    b.starts = (u32)(take(&at, BOOK_STARTS, sizeof(u32)) / 8);
    b.orders_limit = b.orders_room = c->orders_max;
    b.orders = pool(&at, c->orders_max, sizeof(struct book_cell));
    b.cells = b.orders.fresh;
    b.queues = pool(&at, c->levels_max, sizeof(struct book_queue));
    b.nodes = pool(&at, c->levels_max, sizeof(struct book_node));
    b.links = (u32)(take(&at, c->orders_max, sizeof(struct book_ring)) / 8) -
              b.orders.fresh / BOOK_CELL_REFS;
    u32 accounts = book_accounts_for(c->orders_max);
    b.rings = (u32)(take(&at, accounts + 1UL, sizeof(struct book_ring)) / 8);
    b.counts = (u32)(take(&at, accounts, sizeof(u32)) / 8);
    b.joined = (u32)(take(&at, accounts + 1UL, sizeof(u8)) / 8);
    b.accounts_mask = accounts - 1;
    if (at / 8 > UINT32_MAX) return (struct books){0};
    b.ids_off = take(&at, c->slots_max, sizeof(u32));
    b.bytes = align_up(at, books_align());
    return b;
}

u64 books_footprint(const struct books_config *config)
{
    return plan(config).bytes;
}

void *books_new(void *mem, const struct books_config *config)
{
    struct books *b = mem;
    struct books made = plan(config);
    if (!made.bytes) {
        err_set("books: impossible sizes: markets_max %u in [1, %u], orders_max %u in [1, %u], "
                "levels_max %u at most orders_max, slots_max %u at least 1",
                config->markets_max, BOOK_MARKETS_MAX, config->orders_max, BOOK_ORDERS_MAX,
                config->levels_max, config->slots_max);
        return NULL;
    }
    if (!mem || (uintptr_t)mem % books_align()) {
        err_set("books: memory at %p is not aligned to %lu bytes", mem, books_align());
        return NULL;
    }
    *b = made;
    memset(book_young(b, 0), 0, BOOK_YOUNG * sizeof(struct book_young));
    memset(book_half(b, 0), 0, 2UL * b->config.markets_max * sizeof(struct book_half));
    memset(book_ref(b, b->hints), 0, (b->hints_mask + 1UL) * sizeof(struct book_hint));
    memset(book_ref(b, b->starts), 0, BOOK_STARTS * sizeof(u32));
    memset(book_slot(b, 0), 0, b->config.slots_max * sizeof(u32));
    book_accounts_new(b);
    b->magic = BOOKS_MAGIC;
    return mem;
}

struct books *books_join(void *mem)
{
    struct books *b = mem;
    if (!b || (uintptr_t)b % books_align()) {
        err_set("books: memory at %p is not aligned to %lu bytes", mem, books_align());
        return NULL;
    }
    if (b->magic != BOOKS_MAGIC) {
        err_set("books: magic is %#lx, want %#lx: other version, or never formatted", b->magic,
                BOOKS_MAGIC);
        return NULL;
    }
    if (plan(&b->config).bytes != b->bytes) {
        err_set("books: size is %lu, its parameters give %lu: made by another version", b->bytes,
                plan(&b->config).bytes);
        return NULL;
    }
    return b;
}

void *books_leave(struct books *b)
{
    return b;
}

void *books_delete(void *mem)
{
    struct books *b = mem;
    b->magic = 0;
    return mem;
}

int books_open(struct books *b, u32 market)
{
    if (market >= b->config.markets_max) {
        return err_set("books: market %u: only [0, %u) fit, raise markets_max", market,
                       b->config.markets_max);
    }
    if (book_is_open(b, market)) return err_set("books: market %u is open already", market);
    for (u32 s = 0; s < 2; s++) {
        u32 half = market << 1 | s;
        book_half(b, half)->head = book_head(market, book_half_side(half));
        book_half(b, half)->mirror = book_key(half, 0);
    }
    return 0;
}

void books_limit(struct books *b, u32 orders)
{
    b->orders_limit = orders ? orders : b->config.orders_max;
    b->orders_room = (u32)min_u64(b->orders_limit, b->config.orders_max);
}

struct books_use books_use(const struct books *b)
{
    return (struct books_use){.orders = b->orders.used,
                              .orders_max = b->config.orders_max,
                              .levels = b->queues.used,
                              .levels_max = b->config.levels_max,
                              .orders_limit = b->orders_limit};
}
