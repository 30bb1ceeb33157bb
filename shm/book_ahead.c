/* book_ahead.c: hints for requests that are still to come, and batches of requests.
 *
 * A book larger than the cache waits for memory: a cancel for the id table, then the order, then
 * its neighbours and its level, then the node above, one after the other; a new order for each node
 * on the way to its level. Here a group of requests makes each of these steps together, so that
 * they wait at the same time. A step is a loop over the group that starts loading what the next one
 * reads; it has hardly a branch that depends on data, as the wrong guess costs as much as a line.
 * A book that only outgrew the nearer caches gains more by less: orders and queues alone, unless
 * its requests are for prices all over it (look).
 */
#include "shm/book_accounts.h"
#include "shm/book_cells.h"
#include "shm/book_ids.h"
#include "shm/book_levels.h"

#include <string.h>

/* What was found is kept for the request itself: it need not begin at the root then, and branches
 * by it (see BOOK_IS_NODE). */
static inline u32 *way_of(struct book_batch *t, u32 request)
{
    return &t->way[request % COUNT_OF(t->way)];
}

/* ---- orders that rest ---- */

/* Those that are there; from here on also some that were: what a cell, queue or node refers to once
 * it is free may be read all the same. */
static void load_orders(const struct books *b, struct book_group *g)
{
    u32 n = 0;
    for (u32 i = 0; i < g->n; i++) {
        u32 cell = g->ref[n] = book_place(b, g->ref[i]);
        g->at[n] = g->at[i];
        book_fetch(b, cell);
        n += cell != 0;
    }
    g->n = n;
}

/* Their queues, and their neighbours there. No more than that if levels are few. */
static void load_queues(const struct books *b, struct book_group *g)
{
    for (u32 i = 0; i < g->n; i++) {
        const struct book_cell *c = book_cell(b, g->ref[i]);
        u32 alone = -(c->queue & BOOK_IS_NODE);
        g->ref[i] = (alone & (g->ref[i] | BOOK_ALONE)) | (~alone & c->queue);
        book_load(book_entry(b, c->queue));
        book_fetch(b, c->ring.prev & ~alone);
        book_fetch(b, c->ring.next & ~alone);
    }
    if (!book_is_scattered(b)) g->n = 0;
}

/* What a queue that will be left empty touches as it is dropped: its node. Others are no longer
 * asked for. */
static void load_nodes(const struct books *b, struct book_batch *t)
{
    struct book_group *g = &t->rest;
    u32 n = 0;
    for (u32 i = 0; i < g->n; i++) {
        u32 at = g->at[n] = g->at[i];
        bool drops = book_drop_ahead(b, g->ref[i], &g->key[n], &g->ref[n]);
        *way_of(t, at) = drops ? BOOK_EMPTIES : 0;
        n += drops;
    }
    g->n = n;
}

/* What that node touches then: where its children stand, and the node above. */
static void load_children(const struct books *b, struct book_batch *t)
{
    struct book_group *g = &t->rest;
    u32 n = 0;
    for (u32 i = 0; i < g->n; i++) {
        u32 node = g->ref[n] = g->ref[i];
        u64 key = g->key[n] = g->key[i];
        bool merges = book_merge_ahead(b, node, key);
        *way_of(t, g->at[i]) = merges ? BOOK_MERGES : BOOK_EMPTIES;
        n += merges;
    }
    g->n = n;
}

static void load_parents(const struct books *b, struct book_group *g)
{
    for (u32 i = 0; i < g->n; i++) book_move_ahead(b, g->ref[i], g->key[i]);
}

/* ---- orders that come ---- */

/* Where it would rest; of one that says nonsense, anywhere. */
static inline u32 half_of(const struct books *b, const struct book_order *o)
{
    u32 market = o->market < b->config.markets_max ? o->market : 0;
    return market << 1 | ((u32)(o->side - BOOK_BUY) & 1);
}

static void start_ways(struct books *b, struct book_batch *t)
{
    struct book_group *g = &t->come;
    for (u32 i = 0; i < g->n; i++) {
        const struct book_order *o = &t->requests[g->at[i]].o;
        u32 half = half_of(b, o);
        g->key[i] = book_key(half, o->price);
        g->ref[i] = book_get_ahead(b, half, g->key[i], way_of(t, g->at[i]));
    }
}

/* A step further on all ways; those that end are left out from here on. */
static void go_on(const struct books *b, struct book_batch *t)
{
    struct book_group *g = &t->come;
    u32 n = 0;
    for (u32 i = 0; i < g->n; i++) {
        u32 at = g->at[n] = g->at[i];
        u64 key = g->key[n] = g->key[i];
        u32 next = g->ref[n] = book_walk_ahead(b, key, g->ref[i], way_of(t, at));
        n += next != 0;
    }
    g->n = n;
}

/* The next group: which of its orders rest, which come; without a branch, and a mass cancel counts
 * as one that rests. Their entries in the id table are asked for at once, those of orders that come
 * as well: a wrong guess costs more, as would another loop. */
static void sort_out(const struct books *b, struct book_batch *t)
{
    u32 start = t->told, end = (u32)min_u64(t->count, align_up(start + 1UL, BOOK_GROUP));
    u32 comes = 0, slots = b->config.slots_max;
    const struct book_request *r = &t->requests[start];
    memset(way_of(t, start), 0, (end - start) * sizeof(*t->way));
    for (u32 i = start; i < end; i++, r++) {
        u32 slot = (u32)r->o.id < slots ? (u32)r->o.id : 0;
        t->rest.ref[i - start - comes] = slot;
        t->rest.at[i - start - comes] = i;
        t->come.at[comes] = i;
        book_load(book_slot(b, slot));
        comes += r->what == BOOK_SUBMIT;
    }
    t->rest.n = end - start - comes;
    t->come.n = book_is_scattered(b) ? comes : 0;
    t->step = 0;
    t->told = end;
}

#define STEPS 6U                   /* from one load to the next */
#define SLICE (BOOK_GROUP / STEPS) /* requests made between two steps of the next group */

static void take_step(struct books *b, struct book_batch *t)
{
    switch (t->step++) {
    case 0: start_ways(b, t); break;
    case 1: load_orders(b, &t->rest), go_on(b, t); break;
    case 2: load_queues(b, &t->rest), go_on(b, t); break;
    case 3: load_nodes(b, t), go_on(b, t); break;
    case 4: load_children(b, t), go_on(b, t); break;
    default: load_parents(b, &t->rest), go_on(b, t); break;
    }
}

/* ---- is it worth it? ---- */

#define SAMPLED 16U /* batches from one look to the next */

/* A request that likely finds all in the cache; of orders that rest, those that came lately. */
static bool is_near(const struct books *b, const struct book_request *r)
{
    if (r->what != BOOK_SUBMIT) return book_young(b, (u32)r->o.id)->slot == (u32)r->o.id;
    u32 half = half_of(b, &r->o);
    return book_is_near(b, half, book_key(half, r->o.price));
}

/* Many enough orders, or levels, that it is a question. */
static inline bool may_ask(const struct books *b)
{
    return book_is_large(b) || b->queues.used >= BOOK_STREWN;
}

/* What to ask for, by how many of the next requests are near: asking for all costs each some 20
 * ns, and saves one that is not near ten times as much in a large book. In one that just outgrew
 * the nearer caches it saves less, unless hardly any are near, as where prices are scattered
 * evenly. */
BOOK_ASIDE static enum book_asks look(const struct books *b, const struct book_batch *t)
{
    u32 n = (u32)min_u64(t->count - t->done, BOOK_GROUP), near = 0;
    for (u32 i = 0; i < n; i++) near += is_near(b, &t->requests[t->done + i]);
    if (!book_is_large(b)) return near <= n / 10 ? BOOK_ASKS_ALL : BOOK_ASKS_ORDERS;
    return near < n - n / 8 ? BOOK_ASKS_ALL : BOOK_ASKS_NOTHING;
}

/* At the start of a batch. */
static inline bool asks_all(struct books *b, const struct book_batch *t)
{
    if (b->asks != BOOK_ASKS_ALL || b->batches++ % SAMPLED == 0) b->asks = look(b, t);
    return b->asks == BOOK_ASKS_ALL;
}

/* The first group takes all its steps at once, the others one by one while the group before is
 * made: a load has the time of a slice. */
BOOK_ASIDE static void ask_ahead(struct books *b, struct book_batch *t)
{
    if (t->told <= t->done) {
        if (!asks_all(b, t)) {
            t->asks = t->count;
            return;
        }
        t->told = t->done;
        sort_out(b, t);
        while (t->step < STEPS) take_step(b, t);
    } else if (t->step < STEPS) {
        take_step(b, t);
    } else if (t->told - t->done <= BOOK_GROUP) {
        sort_out(b, t);
        take_step(b, t);
    }
    t->asks = t->done + SLICE;
}

bool book_gains_ahead(struct books *b)
{
    return may_ask(b) && (b->asks == BOOK_ASKS_ALL || b->batches++ % SAMPLED == 0);
}

/* ---- batches ---- */

static inline int make(struct books *b, const struct book_request *r, struct book_events *out)
{
    const struct book_order *o = &r->o; /* tests in a row cost less than a jump by a table */
    if (r->what == BOOK_SUBMIT) return book_submit(b, o, out);
    if (r->what == BOOK_CANCEL) return book_cancel(b, o->id, r->reason, out);
    if (r->what == BOOK_AMEND) return book_amend(b, o->id, o->price, o->lots, o->stp, out);
    CHECK(r->what == BOOK_CANCEL_ALL);
    return book_cancel_all(b, o->market, o->account, o->side, r->reason, out);
}

/* A request for which something may have been found. */
static inline int make_foreseen(struct books *b, const struct book_request *r,
                                struct book_events *out)
{
    if (r->what == BOOK_CANCEL && book_will_empty(b)) {
        return book_cancel_foreseen(b, r->o.id, r->reason, out);
    }
    return make(b, r, out);
}

static inline int make_next(struct books *b, struct book_batch *t, struct book_events *out)
{
    int status;
    if (UNLIKELY(b->taker.busy != BOOK_IDLE)) {
        status = book_continue(b, out);
    } else {
        if (may_ask(b) && t->done >= t->asks) ask_ahead(b, t);
        b->way = b->asks == BOOK_ASKS_ALL ? *way_of(t, t->done) : 0;
        status = make_foreseen(b, &t->requests[t->done], out);
        b->way = 0;
    }
    t->done += status == BOOK_DONE;
    return status;
}

int book_run_one(struct books *b, struct book_batch *t, struct book_events *out)
{
    return make_next(b, t, out);
}

#define PLACES 8U /* requests made between two loads for one */

/* For requests some places on: the entry in the id table, then the order, then its queue. New
 * orders are treated alike, as a wrong guess costs more. */
static inline void load_some(const struct books *b, struct book_batch *t, u32 i)
{
    if (t->count - i <= 3 * PLACES) return;
    const struct book_request *r = &t->requests[i];
    u32 far = (u32)r[2 * PLACES].o.id, *cell = way_of(t, i + 2 * PLACES);
    book_load(book_slot(b, (u32)r[3 * PLACES].o.id));
    book_fetch(b, book_cell(b, *way_of(t, i + PLACES))->queue);
    *cell = LIKELY(far < b->config.slots_max) ? book_place(b, far) : 0;
    book_fetch(b, *cell);
}

/* Requests up to `end`, until the buffer is full. */
static inline int run_to(struct books *b, struct book_batch *t, u32 end, enum book_asks asks,
                         struct book_events *out)
{
    int status = BOOK_DONE;
    u32 i = t->done;
    for (const struct book_request *r = &t->requests[i]; i < end; i++, r++) {
        status = BOOK_MORE;
        if (out->max - out->count < BOOK_EVENTS_MIN) break;
        if (asks == BOOK_ASKS_ORDERS) load_some(b, t, i);
        if (asks == BOOK_ASKS_ALL) b->way = *way_of(t, i);
        status = asks == BOOK_ASKS_ALL ? make_foreseen(b, r, out) : make(b, r, out);
        if (UNLIKELY(status == BOOK_MORE)) break;
    }
    b->way = 0;
    t->done = i;
    return status;
}

static inline enum book_asks what_to_ask(struct books *b, struct book_batch *t)
{
    if (may_ask(b)) {
        if (t->done >= t->asks) ask_ahead(b, t);
        return b->asks;
    }
    return b->orders.used >= BOOK_MIDDLE ? BOOK_ASKS_ORDERS : BOOK_ASKS_NOTHING;
}

int book_run(struct books *b, struct book_batch *t, struct book_events *out)
{
    int status = BOOK_DONE;
    if (b->taker.busy != BOOK_IDLE) {
        bool room = out->max - out->count >= BOOK_EVENTS_MIN;
        if (!room || book_continue(b, out) == BOOK_MORE) return BOOK_MORE;
        t->done++;
    }
    while (t->done < t->count && status == BOOK_DONE) {
        enum book_asks asks = what_to_ask(b, t);
        if (asks == BOOK_ASKS_ALL) {
            status = run_to(b, t, (u32)min_u64(t->asks, t->count), BOOK_ASKS_ALL, out);
        } else if (asks == BOOK_ASKS_ORDERS) {
            status = run_to(b, t, t->count, BOOK_ASKS_ORDERS, out);
        } else {
            status = run_to(b, t, t->count, BOOK_ASKS_NOTHING, out);
        }
    }
    return status;
}
