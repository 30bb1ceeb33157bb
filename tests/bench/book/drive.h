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
#define DRIVE_EVENTS      256U

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

/* One message; the events are counted and dropped. */
static inline u64 drive_one(struct books *b, const struct flow_message *m, struct book_events *out)
{
    u64 id = 1UL << 32 | m->slot, events = 0;
    int status;
    if (m->kind == FLOW_NEW) {
        struct book_order o = {.id = id,
                               .price = m->price,
                               .lots = m->lots,
                               .account = m->account,
                               .side = m->side,
                               .tif = m->tif,
                               .stp = m->stp};
        status = book_submit(b, &o, out);
    } else if (m->kind == FLOW_CANCEL) {
        status = book_cancel(b, id, BOOK_BY_USER, out);
    } else {
        status = book_amend(b, id, m->price, m->lots, m->stp, out);
    }
    for (; UNLIKELY(status == BOOK_MORE); status = book_continue(b, out)) {
        events += out->count;
        out->count = 0;
    }
    events += out->count;
    out->count = 0;
    return events;
}

/* Run the messages [from, n) of a flow, after [0, from) untimed. `ahead` > 0: hints that many
 * messages ahead. `cycles`: if not NULL, the cost of each timed message, from cycles[from] on. */
struct drive_result DRIVE_JOIN(DRIVE_NAME, _drive)(const struct flow *f, void *mem,
                                                   const struct drive_how *how)
{
    struct book_event buffer[DRIVE_EVENTS];
    struct book_events out = {.at = buffer, .max = DRIVE_EVENTS};
    struct books_config config = {
        .markets_max = 1, .orders_max = DRIVE_ORDERS, .slots_max = f->slots};
    struct drive_result r = {0};
#ifdef LEVELS_RESET
    LEVELS_RESET();
#endif
    CHECK(books_footprint(&config) <= DRIVE_BYTES);
    struct books *b = books_join(books_new(mem, &config));
    CHECK(b && books_open(b, 0) == 0);
    for (u64 i = 0; i < how->from; i++) drive_one(b, &f->m[i], &out);
    u64 start = drive_now_ns();
    for (u64 i = how->from; i < f->n; i++) {
        if (how->ahead && i + 3 * how->ahead < f->n) {
            book_prefetch(b, f->m[i + 3 * how->ahead].slot | 1UL << 32, 0);
            book_prefetch(b, f->m[i + 2 * how->ahead].slot | 1UL << 32, 1);
            book_prefetch(b, f->m[i + how->ahead].slot | 1UL << 32, 2);
        }
        u64 before = how->cycles ? drive_cycles() : 0;
        r.events += drive_one(b, &f->m[i], &out);
        if (how->cycles) how->cycles[i] = (u32)min_u64(drive_cycles() - before, UINT32_MAX);
    }
    r.ns = drive_now_ns() - start;
    r.checksum = book_checksum(b, 0);
    r.orders = book_orders(b, 0);
    r.levels = book_levels(b, 0);
    return r;
}
