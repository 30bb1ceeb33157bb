/* The command log and the match log reproduce the state, and every account record, number by
 * number; and every token is conserved on the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include "tests/lib/engine.h"
#include "tests/lib/flow.h"

#include <cmocka.h>

#define ACCOUNTS 50U
#define ORDERS   4000U
#define SEED     20240611UL

static void check_conserved(const struct trading *t)
{
    for (u16 token = 0; token < t->rules->token_count; token++) {
        struct ledger_sum sum;
        ledger_sum(t->ledger, token, &sum);
        assert_true(sum.conserved);
    }
}

/* The replica's trading applies the commands of `from`; its own matching makes the match records.
 */
static void replay(struct engine *from, struct engine *to)
{
    struct log_reader commands = from->commands;
    const struct rec *cmd;
    assert_int_equal(log_seek(&commands, 0), 0);
    for (; (cmd = log_peek(&commands)); log_advance(&commands, cmd)) {
        trading_apply(&to->trading, cmd);
        for (bool done = matching_apply(&to->matching, cmd); !done;)
            done = matching_more(&to->matching);
        log_publish(&to->match);
        if (cmd->kind != CMD_MERGE) continue;
        const struct cmd_merge *merge = (const void *)cmd;
        const struct rec *match;
        while (to->matches.seq < merge->through) {
            match = log_peek(&to->matches);
            assert_non_null(match);
            trading_apply_match(&to->trading, match, cmd);
            log_advance(&to->matches, match);
        }
    }
    log_publish(&to->account);
}

static void same_records(struct engine *a, struct engine *b)
{
    struct log_reader x = a->accounts, y = b->accounts;
    const struct rec *r, *s;
    assert_int_equal(log_seek(&x, 0), 0);
    assert_int_equal(log_seek(&y, 0), 0);
    u64 count = 0;
    for (; (r = log_peek(&x)); count++) {
        s = log_peek(&y);
        assert_non_null(s);
        assert_int_equal(r->length, s->length);
        assert_memory_equal(r, s, r->length);
        assert_true(rec_is_whole(r));
        log_advance(&x, r);
        log_advance(&y, s);
    }
    assert_null(log_peek(&y));
    assert_true(count > ORDERS);
}

static void run_flow(struct engine *e, u64 seed)
{
    struct flow f;
    flow_init(&f, seed, ACCOUNTS);
    flow_config(&e->trading);
    flow_fund(&f, &e->trading);
    for (u32 i = 0; i < ORDERS; i++) {
        struct msg_order m;
        flow_order(&f, &m);
        if (i % 7 == 0) m.expire_s = 2 + i / 500;
        trading_order(&e->trading, &m, NO_SOURCE, i);
        if (i % 3 == 0) flow_transfer(&f, &e->trading);
        /* Matching and trading fall behind each other in every way a seed brings up. */
        if (flow_random(&f) % 4 == 0) engine_settle(e);
        if (i % 100 == 0) engine_clock(e, 1000000000UL + i * 2000000UL);
        if (i % 500 == 0) check_conserved(&e->trading);
    }
    engine_settle(e);
    flow_free(&f);
}

static void test_replay(void **state)
{
    (void)state;
    struct engine_sizes sizes = engine_small;
    sizes.log_bytes = 64UL << 20;
    static struct engine live, replica;
    print_message("seed %lu\n", SEED);
    engine_init(&live, &sizes, NULL, NULL);
    engine_init(&replica, &sizes, NULL, NULL);
    run_flow(&live, SEED);
    replay(&live, &replica);
    check_conserved(&replica.trading);
    assert_true(live.trading.counts.withdrawals > 100);
    assert_true(live.trading.ledger->transfers_gone_ns > 0); /* slots were used twice */
    assert_int_equal(trading_checksum(&live.trading), trading_checksum(&replica.trading));
    for (u32 m = 0; m < FLOW_MARKETS; m++)
        assert_int_equal(book_checksum(live.matching.books, m),
                         book_checksum(replica.matching.books, m));
    same_records(&live, &replica);
    assert_true(live.trading.orders->closed_count > 0 && live.trading.orders->open_count > 0);
    engine_free(&live);
    engine_free(&replica);
}

/* Few slots: closed orders are forgotten, ids are never used twice, stale ids find nothing. */
static void test_slots_are_reused(void **state)
{
    (void)state;
    struct engine_sizes sizes = engine_small;
    sizes.orders = 600;
    static struct engine e;
    engine_init(&e, &sizes, NULL, NULL);
    run_flow(&e, SEED + 1);
    const struct orders *o = e.trading.orders;
    u32 reused = 0;
    for (u32 slot = 1; slot <= o->used; slot++) {
        u64 id = orders_slot(o, slot)->view.order_id;
        assert_int_equal((u32)id, slot);
        if (id >> 32) {
            reused++;
            assert_null(orders_find(o, id - (1UL << 32)));
        }
    }
    assert_true(reused > 100);
    check_conserved(&e.trading);
    engine_free(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replay),
        cmocka_unit_test(test_slots_are_reused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
