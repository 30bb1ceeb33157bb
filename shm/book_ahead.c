/* book_ahead.c: hints for requests that are still to come, and batches of requests.
 *
 * A book larger than the cache waits for memory: a cancel for the id table, then the order, then
 * its neighbours and its level, then the node above, one after the other; a new order for each node
 * on the way to its level. Here a group of requests makes each of these steps together, so that
 * they wait at the same time. A step is a loop over the group that starts loading what the next one
 * reads; it has hardly a branch that depends on data, as the wrong guess costs as much as a line.
 */
#include "shm/book_accounts.h"
#include "shm/book_cells.h"
#include "shm/book_ids.h"
#include "shm/book_levels.h"

/* ---- orders that rest ---- */

static void load_slots(const struct books *b, struct book_group *g)
{
    for (u32 i = 0; i < g->n; i++) book_load(book_slot(b, (u32)g->o[i]->id));
}

static void load_orders(const struct books *b, struct book_group *g)
{
    for (u32 i = 0; i < g->n; i++) {
        g->ref[i] = book_place(b, (u32)g->o[i]->id);
        book_fetch(b, g->ref[i]);
    }
}

/* The neighbours of those that are there; the others are no longer asked for. */
static void load_neighbours(const struct books *b, struct book_group *g)
{
    u32 n = 0;
    for (u32 i = 0; i < g->n; i++) {
        u32 cell = g->ref[i];
        const struct book_cell *c = book_cell(b, cell);
        if (UNLIKELY(c->id != g->o[i]->id)) continue;
        g->ref[n++] = cell;
        book_fetch(b, c->queue);
        book_fetch(b, c->ring.prev);
        book_fetch(b, c->ring.next);
    }
    g->n = n;
}

static void load_nodes(const struct books *b, struct book_group *g, u32 step)
{
    for (u32 i = 0; i < g->n; i++) book_drop_ahead(b, book_cell(b, g->ref[i]), step);
}

/* ---- orders that come ---- */

static void start_ways(const struct books *b, struct book_group *g)
{
    for (u32 i = 0; i < g->n; i++) {
        const struct book_order *o = g->o[i];
        u32 half = book_half_of(o->market, o->side);
        g->key[i] = book_key(half, o->price);
        g->ref[i] = book_get_ahead(b, half, g->key[i]);
    }
}

static void go_on(const struct books *b, struct book_group *g)
{
    for (u32 i = 0; i < g->n; i++) g->ref[i] = book_walk_ahead(b, g->key[i], g->ref[i], true);
}

/* What was found is kept for the requests themselves, which need not begin at the root then. */
static void keep_ways(const struct books *b, struct book_batch *t)
{
    const struct book_group *g = &t->come;
    for (u32 i = 0; i < g->n; i++) {
        const struct book_request *r = (const struct book_request *)g->o[i];
        t->way[(u64)(r - t->requests) % COUNT_OF(t->way)] = book_way_end(b, g->ref[i]);
    }
}

/* The next group: which of its orders rest, which come. Requests that make no sense are left out.
 */
static void sort_out(const struct books *b, struct book_batch *t)
{
    struct book_group *rest = &t->rest, *come = &t->come;
    const struct book_request *r = &t->requests[t->told];
    u32 n = (u32)min_u64(t->count - t->told, BOOK_GROUP);
    rest->n = come->n = t->step = 0;
    for (u32 i = 0; i < n; i++, r++) {
        const struct book_order *o = &r->o;
        bool sane = (u32)o->id < b->config.slots_max;
        bool comes = r->what == BOOK_SUBMIT && book_is_open(b, o->market);
        t->way[(t->told + i) % COUNT_OF(t->way)] = 0;
        rest->o[rest->n] = come->o[come->n] = o;
        rest->n += sane && (r->what == BOOK_CANCEL || r->what == BOOK_AMEND);
        come->n += sane && comes && (o->side == BOOK_BUY || o->side == BOOK_SELL);
    }
    t->told += n;
}

#define STEPS 6U                   /* from one load to the next */
#define SLICE (BOOK_GROUP / STEPS) /* requests made between two steps of the next group */

static void take_step(const struct books *b, struct book_batch *t)
{
    struct book_group *rest = &t->rest, *come = &t->come;
    switch (t->step++) {
    case 0: load_slots(b, rest), start_ways(b, come); break;
    case 1: load_orders(b, rest), go_on(b, come); break;
    case 2: load_neighbours(b, rest), go_on(b, come); break;
    case 3: load_nodes(b, rest, 0), go_on(b, come); break;
    case 4: load_nodes(b, rest, 1); break;
    default: load_nodes(b, rest, 2), keep_ways(b, t); break;
    }
}

/* The first group takes all its steps at once, the others one by one while the group before is
 * made: a load has the time of a slice. */
BOOK_ASIDE static void ask_ahead(const struct books *b, struct book_batch *t)
{
    if (t->told <= t->done) {
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

bool book_gains_ahead(const struct books *b)
{
    return book_is_large(b);
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

int book_make(struct books *b, const struct book_request *r, struct book_events *out)
{
    return make(b, r, out);
}

static inline int make_next(struct books *b, struct book_batch *t, struct book_events *out)
{
    int status;
    if (UNLIKELY(b->taker.busy != BOOK_IDLE)) {
        status = book_continue(b, out);
    } else {
        if (book_is_large(b) && t->done >= t->asks) ask_ahead(b, t);
        b->way = t->way[t->done % COUNT_OF(t->way)];
        status = make(b, &t->requests[t->done], out);
        b->way = 0;
    }
    t->done += status == BOOK_DONE;
    return status;
}

int book_run_one(struct books *b, struct book_batch *t, struct book_events *out)
{
    return make_next(b, t, out);
}

/* Requests to a book that gains nothing by hints: a plain loop, until the buffer is full. */
static void run_small(struct books *b, struct book_batch *t, struct book_events *out)
{
    const struct book_request *r = &t->requests[t->done], *end = &t->requests[t->count];
    while (r < end && out->max - out->count >= BOOK_EVENTS_MIN) {
        if (UNLIKELY(make(b, r, out) == BOOK_MORE)) break;
        r++;
    }
    t->done = (u32)(r - t->requests);
}

int book_run(struct books *b, struct book_batch *t, struct book_events *out)
{
    if (b->taker.busy == BOOK_IDLE && !book_is_large(b)) run_small(b, t, out);
    while (t->done < t->count) {
        bool room = out->max - out->count >= BOOK_EVENTS_MIN;
        if (!room || make_next(b, t, out) == BOOK_MORE) return BOOK_MORE;
    }
    return BOOK_DONE;
}
