/* drive.h: drives one build of the book through a flow. Included once by every variant_*.c, which
 * names itself in DRIVE_NAME: all variants run the same loop over the same messages.
 *
 * A variant other than `product` includes rename.h and the sources of the book after it has
 * replaced a part of them, so the product itself carries no switches for comparison. */
#include "tests/bench/book/variants.h"

#include <string.h>
#include <time.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#define DRIVE_PASTE(a, b) a##b
#define DRIVE_JOIN(a, b)  DRIVE_PASTE(a, b)
#define DRIVE_EVENTS      64U
#define DRIVE_BATCH       512U /* divides DRIVE_PIECE */

static u64 drive_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (u64)t.tv_sec * 1000000000UL + (u64)t.tv_nsec;
}

static inline u64 drive_cycles(void)
{
#if defined(__x86_64__)
    return __rdtsc();
#else
    return drive_now_ns();
#endif
}

static inline struct book_request drive_request(const struct flow_message *m)
{
    static const u16 what[] = {
        [FLOW_NEW] = BOOK_SUBMIT, [FLOW_CANCEL] = BOOK_CANCEL, [FLOW_AMEND] = BOOK_AMEND};
    return (struct book_request){.o = {.id = 1UL << 32 | m->slot,
                                       .price = m->price,
                                       .lots = m->lots,
                                       .account = m->account,
                                       .side = m->side,
                                       .tif = m->tif,
                                       .stp = m->stp},
                                 .what = what[m->kind],
                                 .reason = BOOK_BY_USER};
}

/* One request; the events are counted and dropped. */
static inline u64 drive_one(struct books *b, const struct book_request *r, struct book_events *out)
{
    const struct book_order *o = &r->o;
    u64 events = 0;
    int status;
    if (r->what == BOOK_SUBMIT) {
        status = book_submit(b, o, out);
    } else if (r->what == BOOK_CANCEL) {
        status = book_cancel(b, o->id, r->reason, out);
    } else {
        status = book_amend(b, o->id, o->price, o->lots, o->stp, out);
    }
    for (; UNLIKELY(status == BOOK_MORE); status = book_continue(b, out)) {
        events += out->count;
        out->count = 0;
    }
    events += out->count;
    out->count = 0;
    return events;
}

/* A batch of requests; the events are counted and dropped. */
static inline u64 drive_batch(struct books *b, const struct book_request *r, u32 n,
                              struct book_events *out)
{
    struct book_batch t = {.requests = r, .count = n};
    u64 events = 0;
    for (int status = BOOK_MORE; status == BOOK_MORE;) {
        status = book_run(b, &t, out);
        events += out->count;
        out->count = 0;
    }
    return events;
}

/* Requests one by one. `cycles`: if not NULL, what each takes. */
static inline u64 drive_each(struct books *b, const struct book_request *r, u32 n, u32 *cycles,
                             struct book_events *out)
{
    u64 events = 0;
    for (u32 i = 0; i < n; i++) {
        u64 before = cycles ? drive_cycles() : 0;
        events += drive_one(b, &r[i], out);
        if (cycles) cycles[i] = (u32)min_u64(drive_cycles() - before, UINT32_MAX);
    }
    return events;
}

/* Run the messages [from, n) of a flow, after [0, from) untimed. Time is that of the book alone,
 * not of making requests from messages, which is done DRIVE_BATCH by DRIVE_BATCH. */
struct drive_result DRIVE_JOIN(DRIVE_NAME, _drive)(const struct flow *f, void *mem,
                                                   const struct drive_how *how)
{
    struct book_event buffer[DRIVE_EVENTS];
    struct book_request r[DRIVE_BATCH];
    struct book_events out = {.at = buffer, .max = DRIVE_EVENTS};
    struct books_config config = {
        .markets_max = 1, .orders_max = DRIVE_ORDERS, .slots_max = f->slots};
    struct drive_result d = {0};
#ifdef LEVELS_RESET
    LEVELS_RESET();
#endif
    CHECK(books_footprint(&config) <= DRIVE_BYTES);
    struct books *b = books_join(books_new(mem, &config));
    CHECK(b && books_open(b, 0) == 0);
    for (u64 i = 0, n; i < f->n; i += n) {
        n = min_u64((i < how->from ? how->from : f->n) - i, DRIVE_BATCH);
        for (u32 k = 0; k < n; k++) r[k] = drive_request(&f->m[i + k]);
        u64 start = drive_now_ns();
        u32 *cycles = how->cycles ? &how->cycles[i] : NULL;
        u64 events = how->batch || i < how->from ? drive_batch(b, r, (u32)n, &out)
                                                 : drive_each(b, r, (u32)n, cycles, &out);
        if (i < how->from) continue;
        u64 ns = drive_now_ns() - start;
        d.ns += ns;
        d.events += events;
        if (how->pieces) how->pieces[(i - how->from) / DRIVE_PIECE] += ns;
    }
    d.checksum = book_checksum(b, 0);
    d.orders = book_orders(b, 0);
    d.levels = book_levels(b, 0);
    return d;
}
