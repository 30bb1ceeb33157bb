/* Which orders an account has: rings of links that are left behind when an order leaves. Small
 * tables, so that orders come of age at once, accounts share rings, and rings are tidied. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#define BOOK_YOUNG 8U
#define BOOK_LEFT  16U
#define BOOK_LARGE 1U
// NOLINTBEGIN(bugprone-suspicious-include): the same source, built another way
#include "shm/book.c"
#include "shm/book_accounts.c"
#include "shm/book_ahead.c"
#include "shm/book_mem.c"
#include "shm/book_query.c"
// NOLINTEND(bugprone-suspicious-include)

#define ORDERS   512U /* entries of accounts, too */
#define SLOTS    4096U
#define ACCOUNTS 12U
#define HALVES   4U

/* What rests, by slot. */
static struct {
    u64 id; /* 0 = none */
    u32 account, half;
} model[SLOTS];
static u32 rests, most;
static u64 seed = 1;
static struct books *b;

static u64 next_random(void)
{
    u64 z = seed += 0x9e3779b97f4a7c15UL;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9UL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebUL;
    return z ^ z >> 31;
}

static int setup(void **state)
{
    (void)state;
    struct books_config c = {.markets_max = 2, .orders_max = ORDERS, .slots_max = SLOTS};
    b = books_join(books_new(aligned_alloc(books_align(), books_footprint(&c)), &c));
    memset(model, 0, sizeof(model));
    rests = most = 0;
    return b && books_open(b, 0) == 0 && books_open(b, 1) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    free(books_delete(books_leave(b)));
    return 0;
}

/* Three accounts each share an entry. */
static u32 account_of(u64 r)
{
    return (u32)(r % 4 + ORDERS * (r / 4 % (ACCOUNTS / 4)));
}

static void rest(u32 slot, u32 account, u32 half)
{
    struct book_event e[BOOK_EVENTS_MIN];
    struct book_events out = {.at = e, .max = BOOK_EVENTS_MIN};
    struct book_order o = {.id = (next_random() % 1000 + 1) << 32 | slot,
                           .price = (half & 1 ? 200 : 100) + slot % 7,
                           .lots = 1,
                           .market = half >> 1,
                           .account = account,
                           .side = book_half_side(half),
                           .tif = BOOK_GTC};
    assert_int_equal(book_submit(b, &o, &out), BOOK_DONE);
    assert_int_equal(e[0].kind, BOOK_RESTED);
    model[slot].id = o.id;
    model[slot].account = account;
    model[slot].half = half;
    rests++;
    if (rests > most) most = rests;
}

static void cancel(u32 slot)
{
    struct book_event e[BOOK_EVENTS_MIN];
    struct book_events out = {.at = e, .max = BOOK_EVENTS_MIN};
    assert_int_equal(book_cancel(b, model[slot].id, BOOK_BY_USER, &out), BOOK_DONE);
    assert_int_equal(e[0].kind, BOOK_CANCELED);
    model[slot].id = 0;
    rests--;
}

static u32 model_orders(u32 account, u32 half)
{
    u32 n = 0;
    for (u32 i = 0; i < SLOTS; i++) {
        n += model[i].id && model[i].account == account && model[i].half == half;
    }
    return n;
}

/* Exactly the account's orders go, buys first, ids ascending, through a small buffer. */
static void cancel_all(u32 market, u32 account)
{
    struct book_event e[BOOK_EVENTS_MIN + 2] = {0};
    struct book_events out = {.at = e, .max = COUNT_OF(e)};
    u32 n = model_orders(account, market << 1) + model_orders(account, market << 1 | 1), half = 0;
    u64 last = 0;
    int status = book_cancel_all(b, market, account, 0, BOOK_BY_MASS, &out);
    for (;; status = book_continue(b, &out)) {
        for (u32 i = 0; i < out.count; i++, n--) {
            u32 slot = (u32)e[i].id, h = book_half_of(e[i].market, e[i].side);
            assert_true(model[slot].id == e[i].id && model[slot].account == account);
            assert_true(model[slot].half == h && (h > half || e[i].id > last));
            last = e[i].id;
            half = h;
            model[slot].id = 0;
            rests--;
        }
        out.count = 0;
        if (status == BOOK_DONE) break;
    }
    assert_int_equal(n, 0);
}

/* How many links there are in a ring; each is in this one only, forth and back. */
static u32 links_of(u32 ring, u8 *seen)
{
    u32 n = 0;
    for (u32 i = ring, next;; i = next, n++) {
        next = book_ring(b, i)->next;
        assert_int_equal(book_ring(b, next)->prev, i);
        if (next == ring) return n;
        assert_true(next >= book_link(b, b->cells) && next < book_link(b, b->cells) + ORDERS);
        assert_int_equal(seen[next - book_link(b, b->cells)]++, 0);
    }
}

static void compare(void)
{
    u8 seen[ORDERS] = {0};
    u32 links = 0;
    for (u32 ring = b->rings; ring < b->rings + ORDERS; ring++) links += links_of(ring, seen);
    assert_true(links <= most);
    for (u32 half = 0; half < HALVES; half++) {
        for (u32 k = 0; k < 4; k++) {
            u32 sum = 0;
            for (u32 a = k; a < ACCOUNTS; a += 4) {
                u32 n = model_orders(account_of(a), half);
                assert_int_equal(book_account_resting(b, account_of(a), half), n);
                sum += n;
            }
            assert_int_equal(book_account_may_have(b, k, half), sum > 0);
        }
    }
}

static void random_lives(void **state)
{
    (void)state;
    u32 slots[ORDERS], n = 0;
    for (u32 step = 0; step < 60000; step++) {
        u64 r = next_random();
        u32 slot = (u32)(r >> 20) % SLOTS, full = step / 3000 % 2 ? ORDERS / 8 : ORDERS - 1;
        if (r % 300 == 0) cancel_all((u32)(r >> 10) % 2, account_of(r >> 40));
        else if (rests < full && !model[slot].id && r % 8 < 5) {
            rest(slot, account_of(r >> 40), (u32)(r >> 50) % HALVES);
        } else if (model[slot].id) cancel(slot);
        else if (rests >= full) {
            n = 0;
            for (u32 i = 0; i < SLOTS; i++) {
                if (model[i].id) slots[n++] = i;
            }
            cancel(slots[(r >> 32) % n]);
        }
        if (step % 97 == 0) compare();
    }
    for (u32 a = 0; a < ACCOUNTS; a++) {
        for (u32 market = 0; market < 2; market++) cancel_all(market, account_of(a));
    }
    compare();
    assert_int_equal(book_orders(b, 0) + book_orders(b, 1), 0);
}

/* Who has twelve orders for long and one more, each time in another cell, leaves few links behind:
 * else a mass cancel would have to pass by as many as the arena has. */
static void links_left_behind_are_few(void **state)
{
    (void)state;
    u8 seen[ORDERS] = {0};
    for (u32 i = 0; i < 480; i++) rest(i * 8 + 1, 1, 0);
    for (u32 i = 0; i < 12; i++) rest(i * 8 + 2, 2, 0);
    for (u32 i = 0; i < 480; i++) {
        cancel(i * 8 + 1); /* another's cell is free: the next order takes it, */
        rest(i * 8, 2, 0); /* and the one before comes of age */
        if (i) cancel(i * 8 - 8);
    }
    assert_true(links_of(book_account_ring(b, 2, 0), seen) < 250);
    cancel_all(0, 2);
    memset(seen, 0, sizeof(seen));
    assert_int_equal(links_of(book_account_ring(b, 2, 0), seen), 0);
}

/* Who cancels and comes again at once gets the same cell, whose link is in the right ring already:
 * nothing waits to join. Not so after another account's order came of age there, or once the link
 * was taken out of the ring. */
static void who_comes_again_keeps_the_link(void **state)
{
    (void)state;
    for (u32 i = 0; i < 100; i++) rest(i, i % 2, 0);
    u32 joins = b->grown_count;
    for (u32 i = 20; i < 60; i++) { /* old ones all, by now */
        cancel(i);
        rest(i, i % 2, 0);
    }
    for (u32 i = 100; i < 108; i++) rest(i, 1, 0); /* the last of those come of age */
    assert_int_equal(b->grown_count - joins, 8);   /* those that were young then, and no more */
    compare();
    cancel(30);
    rest(30, 2, 0);
    for (u32 i = 108; i < 116; i++) rest(i, 1, 0);
    assert_int_equal(b->grown_count - joins, 17);
    cancel_all(0, 1); /* its links part */
    joins = b->grown_count;
    for (u32 i = 200; i < 216; i++) rest(i, 1, 0);
    assert_int_equal(b->grown_count - joins, 8);
    compare();
    for (u32 a = 0; a < 3; a++) cancel_all(0, a);
    assert_int_equal(book_orders(b, 0), 0);
}

/* The arena full of accounts with one order each: none is lost, and a mass cancel finds its one. */
static void one_order_each(void **state)
{
    (void)state;
    for (u32 i = 0; i < ORDERS; i++) rest(i, 7919 * i, 1);
    for (u32 i = 0; i < ORDERS; i++) cancel_all(0, 7919 * i);
    assert_int_equal(book_orders(b, 0), 0);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(random_lives, setup, teardown),
        cmocka_unit_test_setup_teardown(links_left_behind_are_few, setup, teardown),
        cmocka_unit_test_setup_teardown(who_comes_again_keeps_the_link, setup, teardown),
        cmocka_unit_test_setup_teardown(one_order_each, setup, teardown),
    };
    if (argc > 1) seed = strtoul(argv[1], NULL, 0);
    print_message("test_book_accounts: seed %lu\n", seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
