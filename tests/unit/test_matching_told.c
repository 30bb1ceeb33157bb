/* Commands told to matching ahead of time make the very records that they make untold, also where
 * they are rare: markets that come late or are another process's, refused orders, cancels as long
 * as they may be, sweeps of more than a step. */
#include "shm/matching.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define COMMANDS  240000U
#define SLOTS     (COMMANDS + 2)
#define BYTES     (96UL << 20)
#define LOG_BYTES (1UL << 20)
#define LARGE     32768U /* orders from which on books ask memory ahead */
#define MARKETS   4U     /* the third is another process's, the fourth comes late */
#define LONG      ((u64)CANCEL_ITEMS_MAX)

static u64 random_state = 11;
static u8 *bytes;
static u64 used, orders;
static const struct rec *commands[COMMANDS];
static u32 count;

static u64 random_u64(void)
{
    u64 z = random_state += 0x9e3779b97f4a7c15UL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9UL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebUL;
    return z ^ (z >> 31);
}

static void *next(u16 kind, u64 length)
{
    struct rec *rec = (void *)(bytes + used);
    used += length;
    CHECK(used <= BYTES);
    memset(rec, 0, length);
    commands[count++] = rec;
    *rec = (struct rec){.seq = count,
                        .time_ns = count,
                        .cause = count,
                        .length = (u32)length,
                        .kind = kind,
                        .version = RECORD_VERSION};
    return rec;
}

static void market(u16 index)
{
    struct cmd_market *c = next(CMD_MARKET, sizeof *c);
    c->market = index;
    c->base = index + 1;
    c->matching = index == 2;
    c->tick_lot = 10;
    c->lot_units = c->tick_wad = c->lot_wad = 1;
}

/* Most rest far from each other; some take, a few all they can get. */
static void order(u16 markets)
{
    u64 r = random_u64(), away = random_u64() % 3000;
    struct cmd_order *c = next(CMD_ORDER, sizeof *c);
    bool takes = r % 16 == 0, sweeps = r % 4096 == 0;
    c->side = r >> 20 & 1 ? SIDE_BUY : SIDE_SELL;
    bool up = (c->side == SIDE_SELL) != takes;
    c->order_id = ++orders;
    c->price = up ? 100000 + away : 100000 - away;
    c->lots = sweeps ? 30000 : 1 + (r >> 24 & 15);
    c->market = (u16)((r >> 32) % markets);
    c->account = 1 + (u32)(r >> 40) % 500;
    c->tif = takes ? TIF_IOC : TIF_GTC;
    c->stp = sweeps ? STP_CANCEL_MAKER : (u8)(r >> 50 & 3);
    c->code = r >> 54 & 31 ? 0 : 1;
    if (takes && c->side == SIDE_BUY && (r >> 60) == 1) {
        c->quote_amount = c->lots * 1000000;
        c->lots = 0;
    }
}

static void cancel(u16 markets)
{
    u64 r = random_u64(), items = r % 512 == 0 ? LONG : 1 + (r >> 9) % 3;
    u64 length = sizeof(struct cmd_cancel) + items * sizeof(struct cancel_item);
    struct cmd_cancel *c = next(r >> 20 & 1 ? CMD_CANCEL : CMD_EXPIRE, length);
    struct cancel_item *item = (void *)(c + 1);
    c->count = (u16)items;
    c->reason = r >> 20 & 1 ? REASON_USER : REASON_EXPIRED;
    for (u64 i = 0; i < items; i++, item++) {
        item->order_id = 1 + random_u64() % (orders + 2);
        item->market = (u16)(random_u64() % markets);
        item->account = 7;
    }
}

static int make(void **state)
{
    (void)state;
    bytes = malloc(BYTES);
    assert_non_null(bytes);
    market(0), market(1), market(2);
    while (count < COMMANDS) {
        u16 markets = count < COMMANDS / 2 ? 3 : MARKETS;
        if (count == COMMANDS / 2) market(3);
        else if (random_u64() % 5) order(markets);
        else if (random_u64() % 2) cancel(markets);
        else next(CMD_MERGE, sizeof(struct cmd_merge));
    }
    return 0;
}

static int drop(void **state)
{
    (void)state;
    free(bytes);
    return 0;
}

struct machine {
    void *memory[4];
    struct matching m;
    struct log_writer log;
    struct log_reader made;
    u64 sweeps, told; /* commands that took more than a step; times it was told some */
};

static void *keep(struct machine *w, u32 i, u64 size)
{
    w->memory[i] = aligned_alloc(4096, align_up(size, 4096));
    assert_non_null(w->memory[i]);
    memset(w->memory[i], 0, align_up(size, 4096));
    return w->memory[i];
}

static struct machine *machine_new(void)
{
    struct machine *w = calloc(1, sizeof *w);
    struct books_config c = {.markets_max = MARKETS, .orders_max = SLOTS, .slots_max = SLOTS};
    assert_non_null(w);
    struct log *log = keep(w, 0, log_footprint(LOG_BYTES));
    log_new(log, LOG_BYTES, 0);
    log_join_writer(&w->log, log);
    log_join_reader(&w->made, log);
    rules_new(keep(w, 1, rules_footprint()));
    assert_non_null(books_new(keep(w, 2, books_footprint(&c)), &c));
    matching_init(&w->m, 0, rules_join(w->memory[1]), books_join(w->memory[2]), &w->log);
    return w;
}

static void machine_free(struct machine *w)
{
    for (u32 i = 0; i < COUNT_OF(w->memory); i++) free(w->memory[i]);
    free(w);
}

static void empty(struct machine *w)
{
    log_publish(&w->log);
    for (const struct rec *rec; (rec = log_peek(&w->made));) log_advance(&w->made, rec);
    log_rewind(&w->log, &w->made);
}

static void apply(struct machine *w, const struct rec *cmd)
{
    bool done = matching_apply(&w->m, cmd);
    w->sweeps += !done;
    for (; !done; done = matching_more(&w->m)) empty(w);
    empty(w);
}

/* Now and then of a few, mostly of many, sometimes of nothing for a while. */
static void tell(struct machine *w, u32 at)
{
    u64 r = random_u64();
    if (w->m.told >= commands[at]->seq || r % 64 == 0) return;
    u64 most = r >> 8 & 1 ? 700 : 40;
    matching_ahead(&w->m, commands + at, (u32)min_u64(1 + (r >> 10) % most, count - at));
    w->told++;
}

static void same(const struct machine *a, const struct machine *b)
{
    assert_int_equal(a->log.seq, b->log.seq);
    assert_int_equal(a->log.digest, b->log.digest);
    assert_int_equal(a->m.applied, b->m.applied);
}

static void what_is_told_makes_the_same(void **state)
{
    (void)state;
    struct machine *plain = machine_new(), *told = machine_new();
    u32 most = 0;
    for (u32 i = 0; i < count; i++) {
        apply(plain, commands[i]);
        tell(told, i);
        apply(told, commands[i]);
        if (i % 64 == 0) same(plain, told);
        most = (u32)max_u64(most, books_use(plain->m.books).orders);
    }
    same(plain, told);
    for (u32 i = 0; i < MARKETS; i++)
        assert_int_equal(book_checksum(plain->m.books, i), book_checksum(told->m.books, i));
    print_message("%u resting, %lu sweeps, told %lu times, %lu trades\n", most, told->sweeps,
                  told->told, plain->m.trades);
    assert_true(most >= LARGE && told->sweeps > 5 && told->told > 500 && plain->m.trades > 1000);
    machine_free(plain);
    machine_free(told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_told_makes_the_same, make, drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
