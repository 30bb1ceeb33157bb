/* Batches whose way through the trie was looked for ahead, while the requests before them take
 * nodes away and make others: the same events and books as by one request after the other. In turns
 * they crowd at a few prices, where less is looked for; the tables by which that is known are
 * small here, and so is a large book.
 *
 *   test_book_ahead [seed] */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#define BOOK_LARGE     122U
#define BOOK_MIDDLE    20U
#define BOOK_SCATTERED 8U
#define BOOK_STREWN    40U
#define BOOK_YOUNG     16U
#define BOOK_HINTS     16U
// NOLINTBEGIN(bugprone-suspicious-include): the same source, built another way
#include "shm/book.c"
#include "shm/book_accounts.c"
#include "shm/book_ahead.c"
#include "shm/book_mem.c"
#include "shm/book_query.c"
// NOLINTEND(bugprone-suspicious-include)

#define SLOTS   256U
#define LEVELS  135U /* now and then all are in use */
#define BATCH   300U
#define MARKETS 2U
#define BATCHES 4000U
#define TURN    50U /* batches until orders begin to crowd, or no longer do */
#define CROWD   16U /* slots of those */

static u64 seed = 1;

static u64 next_random(void)
{
    u64 z = seed += 0x9e3779b97f4a7c15UL;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9UL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebUL;
    return z ^ z >> 31;
}

static struct books *make_books(void)
{
    struct books_config c = {
        .markets_max = MARKETS, .orders_max = SLOTS, .levels_max = LEVELS, .slots_max = SLOTS};
    struct books *b = books_join(books_new(aligned_alloc(books_align(), books_footprint(&c)), &c));
    assert_non_null(b);
    for (u32 k = 0; k < MARKETS; k++) assert_int_equal(books_open(b, k), 0);
    return b;
}

/* Few digits of many: ways part at every depth, and often. Buys stay below sells. */
static u64 price_for(u8 side, bool crowds)
{
    u64 r = next_random(), price = 1 + (r & 3) + (r >> 2 & 3) * 256 + (r >> 4 & 3) * (1UL << 20);
    if (crowds) price = 1 + (r & 3);
    if (!crowds && r >> 6 & 1) price += (r >> 7 & 15) << 40;
    return price + (side == BOOK_SELL ? 1UL << 50 : 0);
}

/* An order that takes from the other side, most of it or little. */
static void reach_over(struct book_order *o, u64 r)
{
    static const u8 tif[] = {BOOK_IOC, BOOK_FOK, BOOK_GTC, BOOK_GTX};
    o->price = o->side == BOOK_BUY ? 1UL << 60 : 1;
    if (r & 1) o->price = price_for(o->side ^ BOOK_BUY ^ BOOK_SELL, false);
    o->lots <<= r >> 1 & 3;
    o->tif = tif[r >> 4 & 3];
    o->stp = (u8)(r >> 6 & 3);
}

/* A slot's order comes, or moves, or goes. */
static struct book_request request(u64 *ids, bool crowds)
{
    u64 r = next_random(), slot = r % (crowds ? CROWD : SLOTS);
    u8 side = slot & 1 ? BOOK_BUY : BOOK_SELL;
    struct book_request q = {.what = BOOK_SUBMIT, .reason = BOOK_BY_USER};
    q.o = (struct book_order){.id = ids[slot],
                              .price = price_for(side, crowds),
                              .lots = 1 + (r >> 10) % 9,
                              .market = (u32)(slot >> 1) % MARKETS,
                              .account = (u32)(r >> 20) % 7,
                              .side = side,
                              .tif = BOOK_GTC,
                              .stp = BOOK_STP_CANCEL_TAKER};
    if (!ids[slot]) {
        q.o.id = ids[slot] = (r | 1) << 32 | slot;
        if (!(r >> 24 & 127)) reach_over(&q.o, r >> 31);
    } else if (!(r >> 24 & 511)) {
        q.what = BOOK_CANCEL_ALL;
    } else if (r >> 16 & 7) {
        q.what = BOOK_CANCEL;
        ids[slot] = 0;
    } else {
        q.what = BOOK_AMEND;
    }
    return q;
}

static u32 requests(u64 *ids, bool crowds, struct book_request *q)
{
    u32 n = 1 + (u32)(next_random() % BATCH);
    for (u32 i = 0; i < n; i++) q[i] = request(ids, crowds);
    return n;
}

/* Cancels of all orders, not in turn. */
static u32 drain(u64 *ids, struct book_request *q)
{
    u32 n = 0;
    u64 from = next_random();
    for (u32 i = 0; i < SLOTS; i++) {
        u64 slot = (from + i * 97UL) % SLOTS;
        if (!ids[slot]) continue;
        q[n++] =
            (struct book_request){.o.id = ids[slot], .what = BOOK_CANCEL, .reason = BOOK_BY_USER};
        ids[slot] = 0;
    }
    return n;
}

static u32 count_alone(const struct books *b)
{
    u32 n = 0;
    for (u32 c = book_first(b, 0, BOOK_SELL); c; c = book_next(b, c)) {
        n += book_is_alone(book_cell(b, c));
    }
    return n;
}

static void same_as_one_by_one(void **state)
{
    (void)state;
    static struct book_request q[BATCH];
    static struct book_event want[4 * BATCH], got[4 * BATCH];
    struct books *b = make_books(), *one = make_books();
    u64 ids[SLOTS] = {0};
    u32 seen[2][2][BOOK_ASKS_ALL + 1] = {0}, alone = 0;
    for (u32 k = 0; k < BATCHES; k++) {
        bool crowds = k / TURN % 2 != 0;
        bool drains = k % (2 * TURN) == 0; /* before they scatter */
        u32 n = drains ? drain(ids, q) : requests(ids, crowds, q);
        struct book_events wanted = {.at = want, .max = 4 * BATCH};
        struct book_events gathered = {.at = got, .max = 4 * BATCH};
        struct book_batch t = {.requests = q, .count = n};
        for (u32 i = 0; i < n; i++) assert_int_equal(make(one, &q[i], &wanted), BOOK_DONE);
        assert_int_equal(book_run(b, &t, &gathered), BOOK_DONE);
        seen[crowds][book_is_large(b)][b->asks] += may_ask(b);
        alone += count_alone(b);
        assert_int_equal(count_alone(one), 0);
        assert_int_equal(gathered.count, wanted.count);
        assert_memory_equal(got, want, wanted.count * sizeof(want[0]));
        for (u32 m = 0; m < MARKETS; m++) {
            assert_int_equal(book_checksum(b, m), book_checksum(one, m));
            assert_int_equal(book_levels(b, m), book_levels(one, m));
            assert_int_equal(books_use(b).levels, books_use(one).levels);
        }
    }
    /* In both sizes, scattered and in a crowd, what helps there; orders were alone; and never so
     * where nothing is asked ahead. */
    assert_true(seen[false][false][BOOK_ASKS_ALL] > BATCHES / 40);
    assert_true(seen[true][false][BOOK_ASKS_ORDERS] > BATCHES / 40);
    assert_true(seen[false][true][BOOK_ASKS_ALL] && seen[true][true][BOOK_ASKS_NOTHING]);
    assert_true(alone > BATCHES);
    free(books_delete(books_leave(b)));
    free(books_delete(books_leave(one)));
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(same_as_one_by_one)};
    if (argc > 1) seed = strtoul(argv[1], NULL, 0);
    print_message("test_book_ahead: seed %lu\n", seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
