/* A matching machine that is told of commands ahead, over books large enough to make use of it,
 * writes the very log of one that is told nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "shm/err.h"
#include "shm/matching.h"

#define FILLER    33000U /* orders of another market, so that the books are large */
#define SLOTS     (FILLER + 4096U)
#define COMMANDS  30000U
#define CHUNK     256U
#define LOG_BYTES (1UL << 20)
#define ITEMS     3U

struct cancel {
    struct cmd_cancel c;
    struct cancel_item item[ITEMS];
};

union command {
    struct rec head;
    struct cmd_order order;
    struct cancel cancel;
};

struct machine {
    struct matching m;
    struct rules rules;
    struct log_writer writer;
    void *log, *books;
};

static u64 next_random(u64 *s)
{
    u64 z = *s += 0x9e3779b97f4a7c15UL;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9UL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebUL;
    return z ^ z >> 31;
}

static struct machine *machine_new(void)
{
    struct machine *a = calloc(1, sizeof *a);
    struct books_config c = {.markets_max = 2, .orders_max = FILLER + 8192, .slots_max = SLOTS};
    assert_non_null(a);
    a->log = aligned_alloc(4096, align_up(log_footprint(LOG_BYTES), 4096));
    a->books = aligned_alloc(4096, books_footprint(&c));
    assert_true(a->log && a->books);
    log_new(a->log, LOG_BYTES, 0);
    log_join_writer(&a->writer, a->log);
    struct books *b = books_join(books_new(a->books, &c));
    assert_true(b && !books_open(b, 0) && !books_open(b, 1));
    rules_new(&a->rules);
    a->rules.market_count = 1;
    a->rules.markets[0].tick_lot = 1;
    for (u32 i = 0; i < FILLER; i++) {
        struct book_order o = {.id = 1UL << 32 | (4096 + i),
                               .price = 1 + i * 0x9e3779b9UL % 5000,
                               .lots = 1,
                               .market = 1,
                               .account = i % 11,
                               .side = BOOK_BUY};
        if (book_restore(b, &o)) fail_msg("%s", err_text());
    }
    matching_init(&a->m, 0, &a->rules, b, &a->writer);
    return a;
}

static void machine_free(struct machine *a)
{
    free(a->log);
    free(a->books);
    free(a);
}

/* Slots are given again and again, each time with another generation, as soon as they are free. */
static u64 ids[4096];

static void random_command(const struct machine *a, union command *c, u64 seq, u64 *s)
{
    u64 p = next_random(s), q = next_random(s);
    u32 slot = 1 + (u32)(p % 4095);
    struct book_order found;
    *c = (union command){.head = {.seq = seq, .time_ns = seq}};
    if (book_find(a->m.books, ids[slot], &found) || p >> 60 == 0) {
        c->head.kind = p >> 61 ? CMD_CANCEL : CMD_EXPIRE;
        c->cancel.c.count = (u16)(1 + q % ITEMS);
        for (u32 i = 0; i < c->cancel.c.count; i++)
            c->cancel.item[i].order_id = ids[i ? (q >> (12 * i)) % 4096 : slot];
        return;
    }
    ids[slot] = (seq << 32) | slot;
    c->head.kind = CMD_ORDER;
    c->order.order_id = ids[slot];
    c->order.price = 100000 + (q >> 8) % 3000;
    c->order.lots = 1 + (q >> 20) % 50;
    c->order.account = (u32)(q >> 26) % 9;
    c->order.side = (u8)(1 + (q >> 32) % 2);
    c->order.tif = (u8)((q >> 40) % 8 ? BOOK_GTC : 1 + (q >> 44) % 4);
    c->order.stp = (u8)((q >> 50) % 4);
    if ((q >> 52) % 16 == 0 && c->order.side == BOOK_BUY) c->order.quote_amount = 1 + q % 99999999;
    if (c->order.quote_amount) c->order.tif = BOOK_IOC;
}

static void apply(struct machine *a, const union command *c)
{
    for (bool done = matching_apply(&a->m, &c->head); !done;) done = matching_more(&a->m);
    log_publish(&a->writer);
}

static void assert_same(const struct machine *a, const struct machine *b)
{
    assert_int_equal(a->writer.seq, b->writer.seq);
    assert_true(a->writer.digest == b->writer.digest);
    assert_true(book_checksum(a->m.books, 0) == book_checksum(b->m.books, 0));
    assert_true(book_orders(a->m.books, 0) == book_orders(b->m.books, 0));
}

/* Tell of what is not told yet, as the process and the replay do, then apply it. */
static void apply_told(struct machine *a, const union command *c, u32 n)
{
    const struct rec *cmds[CHUNK];
    for (u32 i = 0; i < n; i++) cmds[i] = &c[i].head;
    for (u32 i = 0; i < n; i++) {
        if (a->m.told < cmds[i]->seq) matching_ahead(&a->m, &cmds[i], n - i);
        assert_true(a->m.told >= cmds[i]->seq);
        apply(a, &c[i]);
    }
}

static void same_log(void **state)
{
    static union command c[CHUNK];
    struct machine *plain = machine_new(), *told = machine_new();
    u64 s = 7;
    (void)state;
    assert_true(book_gains_ahead(told->m.books));
    for (u64 seq = 1; seq < COMMANDS; seq += CHUNK) {
        for (u32 i = 0; i < CHUNK; i++) {
            random_command(plain, &c[i], seq + i, &s);
            apply(plain, &c[i]);
        }
        apply_told(told, c, CHUNK);
        assert_same(plain, told);
    }
    assert_true(plain->m.trades > 1000 && book_orders(plain->m.books, 0) > 100);
    machine_free(plain);
    machine_free(told);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(same_log)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
