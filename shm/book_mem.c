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

/* Places of the parts; `bytes` 0 if the parameters are impossible. */
static struct books plan(const struct books_config *config)
{
    struct books b = {.config = *config};
    struct books_config *c = &b.config;
    if (!c->levels_max) c->levels_max = c->orders_max;
    bool possible = c->markets_max >= 1 && c->markets_max <= BOOK_MARKETS_MAX &&
                    c->orders_max >= 1 && c->orders_max <= BOOK_ORDERS_MAX &&
                    c->levels_max <= c->orders_max && c->slots_max >= 1;
    if (!possible) return (struct books){0};
    u64 levels = c->levels_max, orders = c->orders_max;
    u64 at = align_up(BOOK_CELLS_OFF + (1 + levels + orders) * sizeof(struct book_cell), 4096);
    b.halves_off = at;
    at += align_up(2UL * c->markets_max * sizeof(struct book_half), 4096);
    b.recent_off = at;
    at += align_up(BOOK_RECENT * sizeof(struct book_recent), 4096);
    b.ids_off = at;
    at += align_up(4UL * c->slots_max, 4096);
    b.owners_off = at;
    b.owners_count = (u32)align_up(orders + orders / 2 + 1, BOOK_OWNERS_LINE);
    b.units_first =
        2 * b.owners_count - (u32)(1 + levels); /* the first order's follows the table */
    at += align_up(b.owners_count * sizeof(struct book_owner) + orders * sizeof(struct book_link),
                   4096);
    b.nodes_off = at;
    at += align_up((1 + levels) * sizeof(struct book_node), 4096);
    b.bytes = at;
    b.levels = (struct book_pool){.fresh = 1, .end = (u32)(1 + levels)};
    b.orders = (struct book_pool){.fresh = (u32)(1 + levels), .end = (u32)(1 + levels + orders)};
    b.nodes = (struct book_pool){.fresh = 1, .end = (u32)(1 + levels)};
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
    *book_cell(b, 0) = (struct book_cell){.half = BOOK_HALF_NONE};
    memset(book_half(b, 0), 0, 2UL * b->config.markets_max * sizeof(struct book_half));
    for (u32 h = 0; h < 2 * b->config.markets_max; h++) book_half(b, h)->best_key = UINT64_MAX;
    memset(book_recent(b, 0), 0, BOOK_RECENT * sizeof(struct book_recent));
    memset(book_slot(b, 0), 0, 4UL * b->config.slots_max);
    memset(book_owner(b, 0), 0, b->owners_count * sizeof(struct book_owner));
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
    if (book_half(b, market << 1)->open) return err_set("books: market %u is open already", market);
    book_half(b, market << 1)->open = 1;
    return 0;
}

struct books_use books_use(const struct books *b)
{
    return (struct books_use){.orders = b->orders.used,
                              .orders_max = b->config.orders_max,
                              .levels = b->levels.used,
                              .levels_max = b->config.levels_max};
}
