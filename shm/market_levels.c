/* The levels of a side: a list of chunks under a skip list. Writer's half; market_read.c reads. */
#include "shm/market_cells.h"

/* First position with a key >= `key`. */
static u32 chunk_lower(const struct level_chunk *c, u64 key)
{
    u32 low = 0, high = half_get(&c->count);
    while (low < high) {
        u32 mid = (low + high) / 2;
        if (word_get(&c->cells[mid].key) < key) low = mid + 1;
        else high = mid;
    }
    return low;
}

static u32 *side_height(struct market_data *m, u32 first)
{
    return &market_chunk(m, first)->height;
}

void levels_find(struct market_data *m, u32 market, u8 side, u64 price, struct level_at *at)
{
    at->first = market_side(market, side);
    at->key = market_key(side, price);
    struct level_chunk *c = market_chunk(m, at->first);
    for (u32 h = *side_height(m, at->first); h-- > 0;) {
        u32 next;
        while ((next = half_get(&c->next[h])) && market_chunk(m, next)->key <= at->key)
            c = market_chunk(m, next);
    }
    at->chunk = c;
    at->pos = chunk_lower(c, at->key);
    const struct level_cell *cell = &c->cells[at->pos];
    bool here = at->pos < half_get(&c->count) && word_get(&cell->key) == at->key;
    at->lots = here ? word_get(&cell->lots) : 0;
    at->orders = here ? word_get(&cell->orders) : 0;
}

static void cell_copy(struct level_cell *to, const struct level_cell *from)
{
    word_put(&to->key, word_get(&from->key));
    word_put(&to->lots, word_get(&from->lots));
    word_put(&to->orders, word_get(&from->orders));
}

/* The last chunk below `key` at each height of the skip list. */
static void find_before(struct market_data *m, u32 first, u64 key, struct level_chunk **before)
{
    struct level_chunk *c = market_chunk(m, first);
    for (u32 h = CHUNK_HEIGHT; h-- > 0;) {
        u32 next;
        while ((next = half_get(&c->next[h])) && market_chunk(m, next)->key < key)
            c = market_chunk(m, next);
        before[h] = c;
    }
}

/* A height in [1, CHUNK_HEIGHT]; each further one with chance 1/4. */
static u32 random_height(struct market_data *m)
{
    m->random ^= m->random << 13;
    m->random ^= m->random >> 7;
    m->random ^= m->random << 17;
    u64 bits = m->random | 1UL << (2 * (CHUNK_HEIGHT - 1));
    return 1 + (u32)__builtin_ctzl(bits) / 2;
}

static u32 chunk_take(struct market_data *m)
{
    u32 index = m->chunks_free;
    if (index) m->chunks_free = half_get(&market_chunk(m, index)->next[0]);
    else index = m->chunks_fresh++;
    CHECK(index < m->shape.chunks_max);
    m->chunks++;
    return index;
}

/* The successor of `c` is another now; `c` is between chunk_begin and chunk_end. */
static void chunk_relink(struct level_chunk *c, u32 next)
{
    half_put(&c->next[0], next);
    half_put(&c->link, half_get(&c->link) + 1);
}

/* Move the later half of a full chunk into a new one behind it. */
static void chunk_split(struct market_data *m, u32 first, struct level_chunk *c)
{
    u32 half = CHUNK_CELLS / 2, index = chunk_take(m);
    struct level_chunk *n = market_chunk(m, index), *before[CHUNK_HEIGHT];
    u64 key = word_get(&c->cells[half].key);
    find_before(m, first, key, before);
    CHECK(before[0] == c);
    chunk_begin(c);
    chunk_begin(n);
    n->key = key;
    n->height = random_height(m);
    for (u32 i = half; i < CHUNK_CELLS; i++) cell_copy(&n->cells[i - half], &c->cells[i]);
    half_put(&n->count, CHUNK_CELLS - half);
    chunk_relink(n, half_get(&c->next[0]));
    for (u32 h = 1; h < CHUNK_HEIGHT; h++) {
        bool in = h < n->height;
        half_put(&n->next[h], in ? half_get(&before[h]->next[h]) : 0);
        if (in) half_put(&before[h]->next[h], index);
    }
    half_put(&c->count, half);
    chunk_relink(c, index);
    chunk_end(n);
    chunk_end(c);
    u32 *height = side_height(m, first);
    if (n->height > *height) *height = n->height;
}

/* Take a chunk (not a first one) out of its list and free it. The caller has begun it. */
static void chunk_drop(struct market_data *m, u32 first, struct level_chunk *c)
{
    struct level_chunk *before[CHUNK_HEIGHT];
    find_before(m, first, c->key, before);
    u32 index = half_get(&before[0]->next[0]);
    CHECK(market_chunk(m, index) == c);
    for (u32 h = 1; h < c->height; h++) half_put(&before[h]->next[h], half_get(&c->next[h]));
    chunk_begin(before[0]);
    chunk_relink(before[0], half_get(&c->next[0]));
    chunk_end(before[0]);
    half_put(&c->count, 0);
    chunk_relink(c, m->chunks_free);
    m->chunks_free = index;
    m->chunks--;
}

/* Move all levels of `c` in front of those of its successor `to`, then free `c`. `to` stays closed
 * to readers until it has them: whoever comes past the gap finds them there. */
static void chunk_merge(struct market_data *m, u32 first, struct level_chunk *c,
                        struct level_chunk *to)
{
    u32 more = half_get(&c->count), count = half_get(&to->count);
    chunk_begin(to);
    chunk_begin(c);
    for (u32 i = count; i-- > 0;) cell_copy(&to->cells[i + more], &to->cells[i]);
    for (u32 i = 0; i < more; i++) cell_copy(&to->cells[i], &c->cells[i]);
    half_put(&to->count, count + more);
    u64 key = c->key;
    chunk_drop(m, first, c);
    to->key = key;
    chunk_end(c);
    chunk_end(to);
}

/* Hold the bound on chunks after a level of `c` went. The first chunk of a side always stays. */
static void chunk_thin(struct market_data *m, u32 first, struct level_chunk *c)
{
    struct level_chunk *head = market_chunk(m, first), *before[CHUNK_HEIGHT];
    u32 count = half_get(&c->count), next = half_get(&c->next[0]);
    if (c == head || count > CHUNK_MERGE) return;
    if (!count) {
        chunk_begin(c);
        chunk_drop(m, first, c);
        chunk_end(c);
        return;
    }
    if (next && count + half_get(&market_chunk(m, next)->count) <= CHUNK_MERGE) {
        chunk_merge(m, first, c, market_chunk(m, next));
        return;
    }
    find_before(m, first, c->key, before);
    if (before[0] != head && count + half_get(&before[0]->count) <= CHUNK_MERGE)
        chunk_merge(m, first, before[0], c);
}

static void level_insert(struct market_data *m, const struct level_at *at, u64 lots, u64 orders)
{
    struct level_chunk *c = at->chunk;
    u32 pos = at->pos;
    CHECK(m->levels < m->shape.config.levels_max);
    if (half_get(&c->count) == CHUNK_CELLS) {
        chunk_split(m, at->first, c);
        if (pos > CHUNK_CELLS / 2) {
            pos -= CHUNK_CELLS / 2;
            c = market_chunk(m, half_get(&c->next[0]));
        }
    }
    u32 count = half_get(&c->count);
    chunk_begin(c);
    for (u32 i = count; i > pos; i--) cell_copy(&c->cells[i], &c->cells[i - 1]);
    word_put(&c->cells[pos].key, at->key);
    word_put(&c->cells[pos].lots, lots);
    word_put(&c->cells[pos].orders, orders);
    half_put(&c->count, count + 1);
    chunk_end(c);
    m->levels++;
}

static void level_remove(struct market_data *m, const struct level_at *at)
{
    struct level_chunk *c = at->chunk;
    u32 count = half_get(&c->count);
    chunk_begin(c);
    for (u32 i = at->pos; i + 1 < count; i++) cell_copy(&c->cells[i], &c->cells[i + 1]);
    half_put(&c->count, count - 1);
    chunk_end(c);
    m->levels--;
    chunk_thin(m, at->first, c);
}

void levels_set(struct market_data *m, const struct level_at *at, u64 lots, u64 orders)
{
    struct level_chunk *c = at->chunk;
    if (!at->lots && lots) level_insert(m, at, lots, orders);
    else if (at->lots && !lots) level_remove(m, at);
    else if (lots) {
        chunk_begin(c);
        word_put(&c->cells[at->pos].lots, lots);
        word_put(&c->cells[at->pos].orders, orders);
        chunk_end(c);
    }
}

void levels_reset(struct market_data *m, u32 market)
{
    for (u32 first = 2 * market; first < 2 * market + 2; first++) {
        struct level_chunk *c = market_chunk(m, first);
        chunk_begin(c);
        c->key = 0;
        c->height = 1;
        half_put(&c->count, 0);
        for (u32 h = 1; h < CHUNK_HEIGHT; h++) half_put(&c->next[h], 0);
        chunk_relink(c, 0);
        chunk_end(c);
    }
}
