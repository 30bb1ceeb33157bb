/* A book of very many orders against plain arrays: a list of orders per tick, in the order they
 * came. All through batches, as large books are.
 *
 *   test_book_many [seed]      60,000 orders; with EIDOS_LONG=1 in the environment ten million */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "shm/book.h"
#include "shm/err.h"

#define BATCH  256U
#define EVENTS 512U
#define NONE   UINT32_MAX

struct order {
    u64 lots; /* what is left, 0 = gone */
    u32 tick, account, next;
    u8 side;
};

/* Ticks 1..span hold bids, those above asks. */
static struct {
    struct order *o;
    u32 *first, *last; /* of each tick */
    u64 *lots;
    u32 n, span, orders;
    u32 best[3]; /* by side: no better tick has orders */
} model;

static u64 seed = 1;
static struct books *b;
static struct book_request requests[BATCH];
static struct book_event *want, *got;
static u32 count, wanted, gathered, sweeps, trades;

static u64 next_random(void)
{
    u64 z = seed += 0x9e3779b97f4a7c15UL;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9UL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebUL;
    return z ^ z >> 31;
}

static void *zeroed(u64 n, u64 bytes)
{
    void *p = calloc(n, bytes);
    assert_non_null(p);
    return p;
}

static struct books *make_books(u32 orders, u32 levels)
{
    struct books_config c = {
        .markets_max = 1, .orders_max = orders, .levels_max = levels, .slots_max = orders + 2};
    void *mem = aligned_alloc(books_align(), books_footprint(&c));
    struct books *made = books_join(books_new(mem, &c));
    assert_true(made && books_open(made, 0) == 0);
    return made;
}

static u64 id_of(u32 i)
{
    return 1UL << 32 | (i + 1);
}

static void take_lots(u32 i, u64 lots)
{
    model.o[i].lots -= lots;
    model.lots[model.o[i].tick] -= lots;
    model.orders -= model.o[i].lots == 0;
}

static void expect(struct book_event e)
{
    assert_true(wanted < BATCH * EVENTS);
    want[wanted++] = e;
}

/* ---- requests, and what must come of them ---- */

static void come(u32 i)
{
    u64 r = next_random(), s = next_random();
    u8 side = r & 1 ? BOOK_BUY : BOOK_SELL;
    u32 away = (u32)((r >> 1) % model.span);
    struct order *o = &model.o[i];
    *o = (struct order){.lots = 1 + s % 100,
                        .tick = side == BOOK_BUY ? model.span - away : model.span + 1 + away,
                        .account = (u32)(s >> 20) % 1000,
                        .next = NONE,
                        .side = side};
    u32 *first = &model.first[o->tick], *last = &model.last[o->tick], *best = &model.best[side];
    if (*first == NONE) *first = i;
    else model.o[*last].next = i;
    *last = i;
    if (side == BOOK_BUY ? o->tick > *best : o->tick < *best) *best = o->tick;
    model.lots[o->tick] += o->lots;
    model.orders++;
    requests[count++] = (struct book_request){.what = BOOK_SUBMIT,
                                              .o = {.id = id_of(i),
                                                    .price = o->tick,
                                                    .lots = o->lots,
                                                    .account = o->account,
                                                    .side = side,
                                                    .tif = BOOK_GTC}};
    expect((struct book_event){.kind = BOOK_RESTED, .id = id_of(i), .lots = o->lots});
}

static void cancel(u32 i)
{
    u64 lots = model.o[i].lots;
    requests[count++] =
        (struct book_request){.what = BOOK_CANCEL, .reason = BOOK_BY_USER, .o = {.id = id_of(i)}};
    u8 kind = lots ? BOOK_CANCELED : BOOK_REJECTED;
    expect((struct book_event){.kind = kind, .id = id_of(i), .lots = lots});
    if (lots) take_lots(i, lots);
}

static void reduce(u32 i)
{
    u64 lots = model.o[i].lots, less = lots / 2;
    if (!less) return cancel(i);
    requests[count++] =
        (struct book_request){.what = BOOK_AMEND, .o = {.id = id_of(i), .lots = lots - less}};
    expect((struct book_event){.kind = BOOK_REDUCED, .id = id_of(i), .lots = less});
    take_lots(i, less);
}

/* The first order of a side, or NONE; gone ones are taken out of its tick's list. */
static u32 best_of(u8 side)
{
    for (u32 *tick = &model.best[side];; *tick += side == BOOK_BUY ? -1U : 1U) {
        if (*tick == 0 || *tick > 2 * model.span) return NONE;
        u32 *first = &model.first[*tick];
        while (*first != NONE && !model.o[*first].lots) *first = model.o[*first].next;
        if (*first != NONE) return *first;
    }
}

/* A taker without own orders, of either kind of refusal: it must meet them all the same. */
static void sweep(void)
{
    u64 r = next_random(), left = 1 + (r >> 8) % 3000;
    u8 side = r & 1 ? BOOK_BUY : BOOK_SELL, against = side == BOOK_BUY ? BOOK_SELL : BOOK_BUY;
    u64 id = 1UL << 32 | (model.n + 1);
    requests[count++] =
        (struct book_request){.what = BOOK_SUBMIT,
                              .o = {.id = id,
                                    .price = side == BOOK_BUY ? 2UL * model.span : 1,
                                    .lots = left,
                                    .account = 5000,
                                    .side = side,
                                    .tif = r & 2 ? BOOK_IOC : BOOK_FOK,
                                    .stp = (u8)(r >> 4) % 4}};
    sweeps++;
    for (u32 i; left && (i = best_of(against)) != NONE; trades++) {
        u64 lots = min_u64(left, model.o[i].lots);
        left -= lots;
        take_lots(i, lots);
        expect((struct book_event){
            .kind = BOOK_TRADE, .id = id, .lots = lots, .maker = id_of(i), .left = left});
    }
    assert_int_equal(left, 0); /* the book is deep enough */
    expect((struct book_event){.kind = BOOK_FILLED, .id = id});
}

/* ---- making them ---- */

static void flush(void)
{
    struct book_event buffer[37] = {0};
    struct book_events out = {.at = buffer, .max = COUNT_OF(buffer)};
    struct book_batch t = {.requests = requests, .count = count};
    for (int status = BOOK_MORE; status == BOOK_MORE; out.count = 0) {
        status = book_run(b, &t, &out);
        assert_true(gathered + out.count <= wanted);
        for (u32 i = 0; i < out.count; i++) got[gathered++] = buffer[i];
    }
    assert_int_equal(gathered, wanted);
    for (u32 i = 0; i < wanted; i++) {
        const struct book_event *w = &want[i], *g = &got[i];
        bool lots = w->lots == g->lots, left = w->kind != BOOK_TRADE || w->left == g->left;
        if (w->kind == g->kind && w->id == g->id && w->maker == g->maker && lots && left) continue;
        fail_msg("event %u: kind %u id %lx maker %lx lots %lu left %lu; want %u %lx %lx %lu %lu", i,
                 g->kind, g->id, g->maker, g->lots, g->left, w->kind, w->id, w->maker, w->lots,
                 w->left);
    }
    count = wanted = gathered = 0;
}

/* Both sides in priority order, each level's sum, and the same again in a copy. */
static void compare(void)
{
    struct books *copy = make_books(model.n + 7, 2 * model.span);
    u32 seen = 0, cursor = book_first(b, 0, BOOK_BUY);
    for (u32 k = 0; k < 2 * model.span; k++) {
        u32 tick = k < model.span ? model.span - k : k + 1;
        if (k == model.span) cursor = book_first(b, 0, BOOK_SELL);
        assert_int_equal(book_lots_at(b, 0, k < model.span ? BOOK_BUY : BOOK_SELL, tick),
                         model.lots[tick]);
        for (u32 i = model.first[tick]; i != NONE; i = model.o[i].next) {
            struct book_order o;
            if (!model.o[i].lots) continue;
            assert_true(cursor != 0);
            book_at(b, cursor, &o);
            bool same = o.id == id_of(i) && o.price == tick && o.lots == model.o[i].lots &&
                        o.account == model.o[i].account && o.side == model.o[i].side;
            assert_true(same);
            if (book_restore(copy, &o)) fail_msg("%s", err_text());
            cursor = book_next(b, cursor);
            seen++;
        }
    }
    assert_int_equal(cursor, 0);
    assert_int_equal(seen, model.orders);
    assert_int_equal(book_orders(b, 0), model.orders);
    assert_true(book_checksum(copy, 0) == book_checksum(b, 0));
    free(books_delete(books_leave(copy)));
}

static void set_up(u32 orders)
{
    model.n = orders;
    model.span = orders / 10;
    model.o = zeroed(orders, sizeof(*model.o));
    model.first = zeroed(2UL * model.span + 1, sizeof(u32));
    model.last = zeroed(2UL * model.span + 1, sizeof(u32));
    model.lots = zeroed(2UL * model.span + 1, sizeof(u64));
    for (u32 i = 0; i <= 2 * model.span; i++) model.first[i] = NONE;
    model.best[BOOK_SELL] = 2 * model.span + 1;
    want = zeroed(BATCH * EVENTS, sizeof(*want));
    got = zeroed(BATCH * EVENTS, sizeof(*got));
    b = make_books(orders + 1, 2 * model.span);
}

static void very_many(void **state)
{
    bool at_length = getenv("EIDOS_LONG") != NULL;
    (void)state;
    set_up(at_length ? 10000000 : 60000);
    for (u32 i = 0; i < model.n; i++) {
        come(i);
        if (count == BATCH || i + 1 == model.n) flush();
    }
    compare();
    for (u32 i = 0; i < model.n / 2; i++) {
        u64 what = next_random() % 200;
        u32 which = (u32)(next_random() % model.n);
        if (what < 1) sweep();
        else if (what < 40) reduce(which);
        else cancel(which);
        if (count == BATCH || i + 1 == model.n / 2) flush();
    }
    compare();
    assert_true(sweeps > model.n / 1000 && trades > 10 * sweeps);
    free(books_delete(books_leave(b)));
    free(model.o), free(model.first), free(model.last), free(model.lots), free(want), free(got);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(very_many)};
    if (argc > 1) seed = strtoul(argv[1], NULL, 0);
    print_message("test_book_many: seed %lu\n", seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
