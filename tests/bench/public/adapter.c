/* adapter.c: the order book behind the C interface of the public matching-engine-benchmark.
 *
 *   message --> book_submit, _cancel, _amend --> events --> reports waiting --PENDING at once-->
 * queue
 *
 * Of that benchmark nothing is here: its header is found when this is built (README.md beside it).
 * The book is used as any program would use it: shm/book.h alone, with accounts and self-trade
 * checks.
 */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-tree-slp-vectorize") /* as in shm/book.c */
#endif
#pragma GCC visibility push(default)
#include "matching_engine_api.h"
#pragma GCC visibility pop

#include "shm/book.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define SLOTS    (1U << 22) /* order ids are slots of the book */
#define ORDERS   (1U << 20) /* resting at once */
#define ACCOUNTS 1024U      /* even ones buy, odd ones sell: they meet, but never themselves */
#define ORIGIN   (1L << 40) /* the benchmark's prices may be 0 or less */
#define EVENTS   64U

/* Reports are handed over once there are so many, and by engine_flush: each hand-over moves the
 * queue's indexes from core to core. 1 = a message's at once. */
#ifndef PENDING
#define PENDING 4096U
#endif

static struct {
    struct books *books;
    u64 bytes; /* of the arena */
    const me_transport_t *transport;
    void *sink;
    struct book_order order; /* the last one submitted */
    struct book_events events;
    me_report_t *next; /* behind the reports that wait */
    /* PENDING - 1 at most when a message comes, which adds one itself and one an event. */
    _Alignas(CACHE_LINE) me_report_t reports[PENDING + EVENTS];
    struct book_event at[EVENTS];
} me;

__attribute__((noinline)) static void push(void)
{
    const me_transport_t *t = me.transport;
    void *sink = me.sink;
    const me_report_t *end = me.next;
    for (const me_report_t *r = me.reports; r < end; r++) {
        while (UNLIKELY(!t->push(sink, r))) cpu_pause();
    }
    me.next = me.reports;
}

/* A report of which price and lots are still to be said. Whole words, one after the other: what is
 * known before the book is asked is written then, and need not be kept meanwhile. */
static inline me_report_t *begin(u64 seq, u64 id)
{
    me_report_t *r = me.next;
    r->sequence_number = seq;
    r->order_id = id;
    memset(&r->maker_order_id, 0, sizeof(*r) - offsetof(me_report_t, maker_order_id));
    return r;
}

static inline void end(me_report_t *r, me_report_type_t type, u32 side, i64 price, u64 lots)
{
    u64 head = (u64)type | (u64)side << 8;
    memcpy(r, &head, sizeof(head));
    r->price_ticks = price;
    memcpy(&r->quantity, &lots, sizeof(lots)); /* it and the reserved word behind */
    me.next = r + 1;
}

/* The events are dealt with: once a message, or once a buffer of them. */
static inline void done(void)
{
    me.events.count = 0;
    if (UNLIKELY(me.next >= me.reports + PENDING)) push();
}

/* Report what a request led to, until it is complete. */
__attribute__((noinline)) static void answer(u64 seq, int status)
{
    for (;; status = book_continue(me.books, &me.events)) {
        for (const struct book_event *e = me.at; e < me.at + me.events.count; e++) {
            u32 side = e->side - (u32)BOOK_BUY;
            i64 price = (i64)e->price - ORIGIN;
            if (e->kind == BOOK_TRADE) {
                me_report_t *r = begin(seq, e->id);
                r->maker_order_id = e->maker;
                r->taker_order_id = e->id;
                end(r, ME_TRADE, side, price, e->lots);
            } else if (e->kind == BOOK_CANCELED) {
                end(begin(seq, e->id), ME_CANCEL_ACK, side, price, e->lots);
            }
        }
        done();
        if (status == BOOK_DONE) return;
    }
}

/* ---- messages ---- */

__attribute__((noreturn, cold)) static void refused(u64 id, u64 seq)
{
    fprintf(stderr,
            "adapter: order %lu (message %lu) was refused with code %u: ids must be below %u, lots "
            "at least 1, and %u orders fit\n",
            id, seq, me.at->code, SLOTS, ORDERS);
    abort();
}

/* The last report, the message's first, tells which it was. */
static inline void submit(u64 id, i64 ticks, u32 lots, u32 side, u8 tif)
{
    struct book_order *o = &me.order; /* what it does not say is always the same */
    o->id = id;
    o->price = (u64)(ticks + ORIGIN);
    o->lots = lots;
    o->account = ((u32)id * 2 | side) % ACCOUNTS;
    o->side = (u8)(BOOK_BUY + side);
    o->tif = tif;
    int status = book_submit(me.books, o, &me.events);
    if (LIKELY(me.at->kind == BOOK_RESTED)) return done();
    u64 seq = me.next[-1].sequence_number;
    if (UNLIKELY(me.at->kind == BOOK_REJECTED)) refused(me.order.id, seq);
    answer(seq, status);
}

void engine_on_new_order(const new_order_t *order)
{
    u64 id = order->order_id;
    i64 ticks = order->price_ticks;
    u32 lots = order->quantity, side = order->side;
    u8 tif = order->ioc ? BOOK_IOC : BOOK_GTC;
    end(begin(order->sequence_number, id), ME_ORDER_ACK, side, ticks, lots);
    submit(id, ticks, lots, side, tif);
}

void engine_on_cancel(const cancel_t *cancel)
{
    begin(cancel->sequence_number, cancel->order_id);
    book_cancel(me.books, cancel->order_id, BOOK_BY_USER, &me.events);
    const struct book_event *e = me.at;
    if (LIKELY(e->kind == BOOK_CANCELED)) {
        u32 side = e->side - (u32)BOOK_BUY;
        end(me.next, ME_CANCEL_ACK, side, (i64)e->price - ORIGIN, e->lots);
    } else {
        end(me.next, ME_CANCEL_REJECT, 0, 0, 0);
    }
    done();
}

/* The benchmark knows no reducing in place: an order with fewer lots goes to the end of the queue.
 */
__attribute__((noinline)) static void again(const modify_t *m)
{
    CHECK(book_cancel(me.books, m->order_id, BOOK_BY_USER, &me.events) == BOOK_DONE);
    me.events.count = 0;
    submit(m->order_id, m->new_price_ticks, m->new_quantity, m->side, BOOK_GTC);
}

void engine_on_modify(const modify_t *modify)
{
    u64 price = (u64)(modify->new_price_ticks + ORIGIN);
    begin(modify->sequence_number, modify->order_id);
    int status = book_amend(me.books, modify->order_id, price, modify->new_quantity,
                            BOOK_STP_CANCEL_TAKER, &me.events);
    u8 kind = me.at->kind;
    if (UNLIKELY(kind == BOOK_REJECTED)) {
        end(me.next, ME_MODIFY_REJECT, 0, 0, 0);
        return done();
    }
    end(me.next, ME_MODIFY_ACK, modify->side, modify->new_price_ticks, modify->new_quantity);
    if (LIKELY(me.at[1].kind == BOOK_RESTED && kind == BOOK_AMENDED)) return done();
    if (UNLIKELY(kind == BOOK_REDUCED)) {
        me.events.count = 0;
        return again(modify);
    }
    answer(modify->sequence_number, status);
}

void engine_flush(void)
{
    push();
}

/* ---- life ---- */

static void *arena(u64 bytes)
{
    int how = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE;
    void *mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, how | MAP_HUGETLB, -1, 0);
    if (mem != MAP_FAILED) return mem;
    mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(mem != MAP_FAILED);
    madvise(mem, bytes, MADV_HUGEPAGE);
    memset(mem, 0, bytes);
    return mem;
}

void engine_init(uint64_t seed, const me_transport_t *transport, void *sink)
{
    (void)seed;
    struct books_config c = {.markets_max = 1, .orders_max = ORDERS, .slots_max = SLOTS};
    me.bytes = align_up(books_footprint(&c), HUGE_PAGE);
    me.books = books_join(books_new(arena(me.bytes), &c));
    CHECK(me.books && books_open(me.books, 0) == 0);
    me.transport = transport;
    me.sink = sink;
    me.next = me.reports;
    me.order.stp = BOOK_STP_CANCEL_TAKER;
    me.events = (struct book_events){.at = me.at, .max = EVENTS};
    /* As an exchange does before it opens: no page is touched for the first time while it trades.
     */
    if (mlockall(MCL_CURRENT)) {
        fprintf(stderr,
                "adapter: cannot lock memory (%s): each new page of the queue will cost; "
                "be root, or raise `ulimit -l`\n",
                strerror(errno));
    }
}

void engine_shutdown(void)
{
    munmap(books_delete(books_leave(me.books)), me.bytes);
}

/* ---- questions ---- */

static i64 best(u8 side, i64 none)
{
    struct book_level l;
    return book_best(me.books, 0, side, &l) ? (i64)l.price - ORIGIN : none;
}

int64_t engine_query_best_bid(void)
{
    return best(BOOK_BUY, INT64_MIN);
}

int64_t engine_query_best_ask(void)
{
    return best(BOOK_SELL, INT64_MAX);
}

uint64_t engine_query_depth_at(int64_t price_ticks, uint8_t side)
{
    return book_lots_at(me.books, 0, (u8)(BOOK_BUY + side), (u64)(price_ticks + ORIGIN));
}
