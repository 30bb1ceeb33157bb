/* Random requests to the book and to the naive model: same events to the byte, same book after
 * each. test_book_model [seed]     default 1; prints what it uses */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "shm/err.h"
#include "test_book_model.h"

/* Slots are far apart, so that they meet in the few low bits by which late ids are looked up first.
 */
#define SLOT_STEP 8U
#define SLOTS     (512U << SLOT_STEP)

#define FILLED      (MODEL_MARKETS + 20) /* a market, and slots, that requests never ask for */
#define FILLED_SLOT (2 * SLOTS)

static u64 seed = 1;

static u64 next_random(u64 *s)
{
    u64 z = *s += 0x9e3779b97f4a7c15UL;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9UL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebUL;
    return z ^ z >> 31;
}

static struct books *make_books(const struct books_config *config)
{
    void *mem = aligned_alloc(books_align(), books_footprint(config));
    assert_non_null(mem);
    memset(mem, 0xa5, books_footprint(config)); /* new must not rely on zeroed memory */
    assert_ptr_equal(books_new(mem, config), mem);
    struct books *b = books_join(mem);
    assert_non_null(b);
    for (u32 m = 0; m < MODEL_MARKETS; m++) assert_int_equal(books_open(b, m), 0);
    return b;
}

static void free_books(struct books *b)
{
    free(books_delete(books_leave(b)));
}

/* What the model tells of the requests that are being made, and what the book does: gathered
 * through a buffer of `room`, so that BOOK_MORE happens often. */
#define EVENTS (64U * MODEL_EVENTS)
static struct book_event want[EVENTS], got[EVENTS];
static u32 wanted, gathered;

static void expect(const struct model *m)
{
    CHECK(wanted + m->events <= EVENTS);
    memcpy(&want[wanted], m->e, m->events * sizeof(want[0]));
    wanted += m->events;
}

static void gather(struct book_events *out)
{
    CHECK(gathered + out->count <= EVENTS);
    memcpy(&got[gathered], out->at, out->count * sizeof(got[0]));
    gathered += out->count;
    out->count = 0;
}

static u32 seen[8][BOOK_CODE_CAPACITY + 1]; /* by kind and code */

static void compare_events(void)
{
    for (u32 i = 0; i < gathered && i < wanted; i++) {
        const struct book_event *w = &want[i], *g = &got[i];
        seen[w->kind][w->code]++;
        if (memcmp(g, w, sizeof(*g)) == 0) continue;
        print_error("event %u of %u: kind %u code %u lots %lu id %lx; want %u %u %lu %lx\n", i,
                    gathered, g->kind, g->code, g->lots, g->id, w->kind, w->code, w->lots, w->id);
        assert_memory_equal(g, w, sizeof(*g));
    }
    assert_int_equal(gathered, wanted);
    gathered = wanted = 0;
}

/* Level totals, counts, best, depth and iteration against the model; never crossed. */
static void compare_side(const struct books *b, const struct model *m, u32 market, u8 side)
{
    static struct book_order queue[MODEL_ORDERS];
    static struct book_level depth[MODEL_ORDERS];
    u32 n = model_side(m, market, side, queue), at = 0, levels = 0;
    u32 c = book_first(b, market, side);
    for (; c; c = book_next(b, c), at++) {
        struct book_order o;
        book_at(b, c, &o);
        assert_true(at < n);
        assert_memory_equal(&o, &queue[at], sizeof(o));
        struct book_order found;
        assert_true(book_find(b, o.id, &found));
        assert_memory_equal(&found, &o, sizeof(o));
    }
    assert_int_equal(at, n);
    u32 listed = book_depth(b, market, side, depth, MODEL_ORDERS);
    for (u32 i = 0; i < n; levels++) {
        struct book_level l = {.price = queue[i].price};
        for (; i < n && queue[i].price == l.price; i++) l.lots += queue[i].lots, l.orders++;
        assert_true(levels < listed);
        assert_int_equal(depth[levels].price, l.price);
        assert_int_equal(depth[levels].lots, l.lots);
        assert_int_equal(depth[levels].orders, l.orders);
        assert_int_equal(book_lots_at(b, market, side, l.price), l.lots);
        u64 better = side == BOOK_BUY ? l.price + 1 : l.price - 1;
        if (levels == 0 || depth[levels - 1].price != better) {
            assert_int_equal(book_lots_at(b, market, side, better), 0);
        }
    }
    assert_int_equal(listed, levels);
    struct book_level best;
    assert_int_equal(book_best(b, market, side, &best), n > 0);
    if (n) assert_int_equal(best.price, queue[0].price);
    struct book_top top = book_top(b, market);
    assert_int_equal(side == BOOK_BUY ? top.bid : top.ask, n ? queue[0].price : 0);
}

static void compare_books(const struct books *b, const struct model *m, u32 filler)
{
    u32 levels = 0;
    for (u32 k = 0; k < MODEL_MARKETS; k++) {
        compare_side(b, m, k, BOOK_BUY);
        compare_side(b, m, k, BOOK_SELL);
        struct book_level bid, ask;
        bool both = book_best(b, k, BOOK_BUY, &bid) && book_best(b, k, BOOK_SELL, &ask);
        assert_true(!both || bid.price < ask.price);
        levels += book_levels(b, k);
        for (u32 a = 0; a < 500; a += a < 6 ? 1 : 29) {
            for (u8 side = BOOK_BUY; side <= (u8)BOOK_SELL; side++) {
                u32 n = 0;
                for (u32 i = 0; i < m->n; i++) {
                    n += m->o[i].market == k && m->o[i].account == a && m->o[i].side == side;
                }
                assert_int_equal(book_account_orders(b, k, a, side), n);
            }
        }
    }
    struct books_use use = books_use(b);
    assert_int_equal(use.orders, m->n + filler);
    if (filler) levels += book_levels(b, FILLED);
    assert_int_equal(use.levels, levels);
}

/* Load what one set of books holds into another of other sizes. */
static struct books *reload(const struct books *b, u32 orders_max, u32 extra)
{
    struct books_config config = {.markets_max = MODEL_MARKETS + extra,
                                  .orders_max = orders_max + extra * 7,
                                  .slots_max = SLOTS + extra};
    struct books *copy = make_books(&config);
    for (u32 k = 0; k < MODEL_MARKETS; k++) {
        for (u8 side = BOOK_BUY; side <= (u8)BOOK_SELL; side++) {
            for (u32 c = book_first(b, k, side); c; c = book_next(b, c)) {
                struct book_order o;
                book_at(b, c, &o);
                if (book_restore(copy, &o)) fail_msg("%s", err_text());
            }
        }
        assert_int_equal(book_checksum(copy, k), book_checksum(b, k));
        assert_int_equal(book_orders(copy, k), book_orders(b, k));
        assert_int_equal(book_levels(copy, k), book_levels(b, k));
    }
    return copy;
}

struct regime {
    const char *name;
    u64 price_base, price_span, lots_span;
    u32 accounts, orders_max, ids, room;
    u32 steps;
    u32 cancel_percent;
    u32 batch;  /* requests a call, 0 = each by its own function */
    u32 filler; /* orders in a market of their own: a book that is large takes hints */
};

static struct book_order random_order(const struct regime *r, u64 *s)
{
    u64 p = next_random(s), q = next_random(s);
    struct book_order o = {.id = (1 + (q >> 8) % 3) << 32 | ((q >> 16) % r->ids) << SLOT_STEP,
                           .price = r->price_base + p % r->price_span,
                           .lots = 1 + next_random(s) % r->lots_span,
                           .market = (u32)(p >> 40) % 8 % MODEL_MARKETS,
                           .account = (u32)(q % r->accounts),
                           .side = (u8)(1 + (p >> 32) % 2),
                           .tif = (u8)(1 + (p >> 34) % 4),
                           .stp = (u8)((p >> 36) % 4)};
    if (r->price_span == BOOK_PRICE_MAX && (q >> 32) % 3) {
        o.price = (q >> 32) % 3 == 1 ? 1 + p % 8 : BOOK_PRICE_MAX - p % 8;
    }
    bool ends = o.tif == BOOK_IOC || o.tif == BOOK_FOK;
    if (o.side == BOOK_BUY && ends && (q >> 35) % 3 == 0) {
        o.budget = 1 + next_random(s) % (o.price >> 40 ? o.price : o.price * 30);
        if ((q >> 38) % 2) o.lots = BOOK_LOTS_MAX;
    }
    if ((q >> 40) % 200 == 0) o.side = (u8)(q >> 48); /* now and then a field out of range */
    if ((q >> 41) % 200 == 0) o.tif = (u8)(q >> 48);
    if ((q >> 42) % 200 == 0) o.stp = (u8)(q >> 48);
    if ((q >> 43) % 200 == 0) o.price = (q >> 50) % 2 ? 0 : BOOK_PRICE_MAX + 1;
    if ((q >> 44) % 200 == 0) o.lots = (q >> 50) % 2 ? 0 : BOOK_LOTS_MAX + 1;
    if ((q >> 45) % 200 == 0) o.market = MODEL_MARKETS + (u32)(q >> 60);
    if ((q >> 46) % 200 == 0) o.id = (q >> 50) % 2 ? 0 : SLOTS + (q >> 51) % 4;
    return o;
}

/* A request, which the model answers at once. False if it would break the rule of slots. */
static bool random_request(struct model *m, const struct regime *r, u64 *s, struct book_request *q)
{
    u64 what = next_random(s) % 100, pick = next_random(s);
    u64 id = m->n && pick % 8 ? m->o[(pick >> 8) % m->n].id
                              : (1 + (pick >> 8) % 3) << 32 | ((pick >> 16) % 520) << SLOT_STEP;
    *q = (struct book_request){.what = BOOK_SUBMIT};
    struct book_order *o = &q->o;
    if (what < r->cancel_percent) {
        *q = (struct book_request){{.id = id}, .what = BOOK_CANCEL, .reason = BOOK_BY_USER};
        model_cancel(m, id, BOOK_BY_USER);
    } else if (what < r->cancel_percent + 15) {
        q->what = BOOK_AMEND;
        o->id = id;
        o->lots = (pick >> 4) % 4 ? 1 + (pick >> 24) % r->lots_span : (pick >> 24) % 3;
        o->price = (pick >> 6) % 3 ? 0 : r->price_base + next_random(s) % r->price_span;
        o->stp = (u8)((pick >> 50) % 33 % 5);
        model_amend(m, id, o->price, o->lots, o->stp);
    } else if (what < r->cancel_percent + 17) {
        q->what = BOOK_CANCEL_ALL;
        q->reason = BOOK_BY_MASS;
        o->market = (u32)(pick % (MODEL_MARKETS + 1));
        o->account = (u32)((pick >> 8) % r->accounts);
        o->side = (u8)((pick >> 16) % 3);
        model_cancel_all(m, o->market, o->account, o->side, BOOK_BY_MASS);
    } else {
        *o = random_order(r, s);
        if (!model_slot_free(m, o->id)) return false;
        model_submit(m, o);
    }
    expect(m);
    return true;
}

/* One request by the function of its own. */
static int make_one(struct books *b, const struct book_request *q, struct book_events *out)
{
    const struct book_order *o = &q->o;
    switch (q->what) {
    case BOOK_CANCEL: return book_cancel(b, o->id, q->reason, out);
    case BOOK_AMEND: return book_amend(b, o->id, o->price, o->lots, o->stp, out);
    case BOOK_CANCEL_ALL: return book_cancel_all(b, o->market, o->account, o->side, q->reason, out);
    default: return book_submit(b, o, out);
    }
}

static void make_each(struct books *b, const struct book_request *q, u32 n, struct book_events *out)
{
    for (u32 i = 0; i < n; i++) {
        int status = make_one(b, &q[i], out);
        for (;; status = book_continue(b, out)) {
            assert_int_equal(book_busy(b), status == BOOK_MORE);
            gather(out);
            if (status == BOOK_DONE) break;
        }
    }
}

/* All of them by book_run or, in turn, one after the other by book_run_one. */
static void make_batch(struct books *b, const struct book_request *q, u32 n,
                       struct book_events *out)
{
    struct book_batch t = {.requests = q, .count = n};
    bool one = n % 2;
    while (t.done < n) {
        u32 before = t.done;
        int status = one ? book_run_one(b, &t, out) : book_run(b, &t, out);
        assert_int_equal(t.done, one ? before + (status == BOOK_DONE) : t.done);
        assert_true(one || status == BOOK_MORE || t.done == n);
        gather(out);
    }
    assert_false(book_busy(b));
}

static u32 one_step(struct books *b, struct model *m, const struct regime *r, u64 *s)
{
    struct book_event buffer[MODEL_EVENTS];
    struct book_events out = {.at = buffer, .max = r->room};
    struct book_request q[150];
    u32 n = 0, size = r->batch ? 1 + (u32)next_random(s) % r->batch : 1;
    CHECK(size <= COUNT_OF(q));
    for (u32 i = 0; i < size; i++) n += random_request(m, r, s, &q[n]);
    if (r->batch) make_batch(b, q, n, &out);
    else make_each(b, q, n, &out);
    compare_events();
    return size;
}

/* Books with so many orders in a market of their own that the others' share is small. */
static struct books *make_filled(const struct regime *r)
{
    u32 first = FILLED_SLOT;
    struct book_event e[BOOK_EVENTS_MIN];
    struct books_config config = {.markets_max = r->filler ? FILLED + 1 : MODEL_MARKETS,
                                  .orders_max = r->orders_max + r->filler,
                                  .slots_max = r->filler ? first + r->filler : SLOTS};
    struct books *b = make_books(&config);
    if (r->filler) assert_int_equal(books_open(b, FILLED), 0);
    for (u32 i = 0; i < r->filler; i++) {
        struct book_events out = {.at = e, .max = BOOK_EVENTS_MIN};
        struct book_order o = {.id = 1UL << 32 | (first + i),
                               .price = 1 + i * 0x9e3779b9UL % 100000,
                               .lots = 1,
                               .market = FILLED,
                               .account = i % 7,
                               .side = BOOK_BUY,
                               .tif = BOOK_GTC};
        assert_int_equal(book_submit(b, &o, &out), BOOK_DONE);
    }
    return b;
}

static void random_requests(void **state)
{
    const struct regime *r = *state;
    static struct model m;
    u64 s = seed * 0x9e3779b97f4a7c15UL ^ r->price_span ^ r->room ^ r->batch;
    struct books *b = make_filled(r);
    m = (struct model){.orders_max = r->orders_max,
                       .slots_max = r->filler ? FILLED_SLOT + r->filler : SLOTS};
    for (u32 step = 0, next = 512, look = 0; step < r->steps;) {
        step += one_step(b, &m, r, &s);
        if (step >= look) compare_books(b, &m, r->filler), look = step + 64;
        if (step < next || r->filler) continue;
        struct books *copy = reload(b, r->orders_max, 0);
        free_books(b);
        b = copy; /* go on with the restored books: they must answer the same */
        next += 1024;
    }
    compare_books(b, &m, r->filler);
    free_books(reload(b, r->orders_max, 3));
    free_books(b);
}

static const struct regime regimes[] = {
    {"narrow", 100, 12, 20, 40, 256, 512, 1000, 20000, 15, 0, 0},
    {"own orders", 100, 9, 12, 4, 256, 512, 1000, 20000, 15, 0, 0},
    {"two accounts, small buffer", 100, 9, 12, 2, 256, 512, 4, 20000, 15, 0, 0},
    {"full arena", 1000, 4000, 50, 6, 40, 512, 5, 20000, 5, 0, 0},
    {"whole domain", 1, BOOK_PRICE_MAX, 1, 6, 256, 512, 6, 20000, 20, 0, 0},
    {"many accounts", 100, 4000, 20, 500, 200, 512, 9, 20000, 20, 0, 0},
    {"few ids", 100, 30, 30, 6, 256, 24, 7, 20000, 10, 0, 0},
    {"batches", 100, 30, 30, 6, 256, 512, 1000, 20000, 15, 100, 0},
    {"batches, small buffer", 100, 9, 12, 3, 256, 512, 4, 20000, 15, 40, 0},
    {"batches, few ids", 100, 30, 30, 6, 256, 24, 6, 20000, 10, 150, 0},
    {"batches, large book", 100, 4000, 30, 6, 256, 512, 100, 20000, 25, 150, 40000},
    {"batches, large book, whole domain", 1, BOOK_PRICE_MAX, 1, 6, 256, 512, 5, 20000, 25, 100,
     40000},
};

/* The regimes above must have met every way a request can end. */
static void everything_happened(void **state)
{
    static const u16 kinds[] = {BOOK_RESTED, BOOK_TRADE, BOOK_FILLED, BOOK_AMENDED, BOOK_REDUCED};
    static const u16 reasons[] = {BOOK_BY_USER, BOOK_BY_MASS, BOOK_BY_STP_MAKER, BOOK_BY_STP_TAKER,
                                  BOOK_BY_IOC,  BOOK_BY_FOK,  BOOK_BY_BUDGET};
    static const u16 codes[] = {BOOK_CODE_PARAMS, BOOK_CODE_UNKNOWN,    BOOK_CODE_PRICE,
                                BOOK_CODE_LOTS,   BOOK_CODE_SELF_TRADE, BOOK_CODE_WOULD_TAKE,
                                BOOK_CODE_MARKET, BOOK_CODE_CAPACITY};
    (void)state;
    for (u32 i = 0; i < COUNT_OF(kinds); i++) assert_true(seen[kinds[i]][0] > 20);
    for (u32 i = 0; i < COUNT_OF(reasons); i++) assert_true(seen[BOOK_CANCELED][reasons[i]] > 20);
    for (u32 i = 0; i < COUNT_OF(codes); i++) assert_true(seen[BOOK_REJECTED][codes[i]] > 20);
}

int main(int argc, char **argv)
{
    if (argc > 1) seed = strtoul(argv[1], NULL, 0);
    print_message("test_book_model: seed %lu\n", seed);
    struct CMUnitTest tests[COUNT_OF(regimes) + 1];
    for (u32 i = 0; i < COUNT_OF(regimes); i++) {
        tests[i] = (struct CMUnitTest){regimes[i].name, random_requests, NULL, NULL,
                                       ptr_at(&regimes[i], 0)};
    }
    tests[COUNT_OF(regimes)] = (struct CMUnitTest)cmocka_unit_test(everything_happened);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
