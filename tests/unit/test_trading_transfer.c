/* What trading decides of deposits and withdrawals, and what they do to the ledger. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include "shm/transfers.h"
#include "tests/lib/engine.h"
#include "tests/lib/flow.h"

#include <cmocka.h>

#define UNIT  100000000UL /* of every token here */
#define WAD   1000000000000000000UL
#define HOUR  3600000000000UL
#define START (1000 * HOUR)

static struct engine e;
static struct msg_reply_withdraw said; /* the last answer to an owner */
static struct msg_reply_ops ops;       /* the last to an operator */
static u32 answers;

static void hear(void *context, const struct msg *m)
{
    (void)context;
    answers++;
    if (m->kind == MSG_REPLY_WITHDRAW) memcpy(&said, m, sizeof said);
    if (m->kind == MSG_REPLY_OPS) memcpy(&ops, m, sizeof ops);
}

static void limits(u64 single, u64 daily, u32 per_hour, u32 per_day)
{
    struct cmd_withdraw_limits c = {.head = {.kind = CMD_WITHDRAW_LIMITS, .length = sizeof c},
                                    .single = single,
                                    .daily = daily,
                                    .per_hour = per_hour,
                                    .per_day = per_day,
                                    .version = 1,
                                    .least = {[1] = 1000}};
    trading_config(&e.trading, &c.head);
}

static u16 credit(u32 account, u16 token, u64 amount, u8 tx, u32 log_index)
{
    struct msg_credit m = {.head = {.length = sizeof m, .kind = MSG_CREDIT, .request = 1},
                           .amount = amount,
                           .token = token,
                           .has_tx = tx != 0,
                           .log_index = log_index};
    m.tx_hash[0] = tx;
    flow_wallet(account, m.wallet);
    trading_credit(&e.trading, &m, NO_SOURCE, 0);
    return ops.code;
}

static u16 withdraw(u32 account, u16 token, u128 wad, u64 nonce)
{
    struct msg_withdraw m = {.head = {.length = sizeof m, .kind = MSG_WITHDRAW, .request = 1},
                             .amount = wad_make(wad),
                             .nonce = nonce,
                             .token = token};
    flow_wallet(account, m.wallet);
    memcpy(m.to_address, "0x00000000000000000000000000000000000000ee", TO_BYTES);
    memcpy(m.evidence.digest, &wad, sizeof m.evidence.digest / 2);
    memcpy(m.evidence.digest + 4, &nonce, 4);
    trading_withdraw(&e.trading, &m, NO_SOURCE, 0);
    return said.code;
}

static u16 take_back(u32 account, u64 id)
{
    struct msg_withdraw_cancel m = {
        .head = {.length = sizeof m, .kind = MSG_WITHDRAW_CANCEL, .request = 1}, .transfer_id = id};
    flow_wallet(account, m.wallet);
    trading_withdraw_cancel(&e.trading, &m, NO_SOURCE, 0);
    return said.code;
}

static u16 step(u64 id, u8 status, u8 tx)
{
    struct msg_withdraw_step m = {
        .head = {.length = sizeof m, .kind = MSG_WITHDRAW_STEP, .request = 1},
        .transfer_id = id,
        .status = status,
        .has_tx = tx != 0};
    m.tx_hash[0] = tx;
    trading_withdraw_step(&e.trading, &m, NO_SOURCE, 0);
    return ops.code;
}

static u64 available(u32 account, u16 token)
{
    u8 wallet[WALLET_BYTES];
    flow_wallet(account, wallet);
    const struct balance *b =
        ledger_balance(e.trading.ledger, ledger_find(e.trading.ledger, wallet), token);
    return b ? b->available : 0;
}

static struct ledger_sum sum(u16 token)
{
    struct ledger_sum s;
    ledger_sum(e.trading.ledger, token, &s);
    assert_true(s.conserved);
    return s;
}

static int set_up(void **state)
{
    (void)state;
    engine_init(&e, &engine_small, hear, NULL);
    flow_config(&e.trading);
    limits(0, 0, 0, 0);
    e.trading.now_ns = START;
    answers = 0;
    assert_int_equal(credit(0, 0, 1000 * UNIT, 0, 0), 0);
    assert_int_equal(credit(1, 1, 10 * UNIT, 0, 0), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    engine_free(&e);
    return 0;
}

static void deposits_count_once(void **state)
{
    (void)state;
    assert_int_equal(credit(0, 0, UNIT, 7, 3), 0);
    u64 seq = e.command.seq;
    assert_int_equal(credit(0, 0, UNIT, 7, 3), 0); /* told again */
    assert_int_equal(e.command.seq, seq);
    assert_int_equal(credit(0, 0, 2 * UNIT, 7, 3), CODE_NONCE_USED);
    assert_int_equal(credit(1, 0, UNIT, 7, 3), CODE_NONCE_USED);
    assert_int_equal(credit(1, 0, UNIT, 7, 4), 0); /* another event of that transaction */
    assert_int_equal(available(0, 0), 1001 * UNIT);
    assert_int_equal(credit(0, 9, UNIT, 0, 0), CODE_TOKEN_NOT_SUPPORTED);
    assert_int_equal(credit(0, 0, 0, 0, 0), CODE_INVALID_AMOUNT);
}

static void funds_are_in_flight_until_it_is_over(void **state)
{
    (void)state;
    assert_int_equal(withdraw(0, 0, (u128)100 * WAD, 1), 0);
    u64 first = said.transfer.id;
    assert_int_equal(said.transfer.status, WITHDRAW_PENDING);
    assert_int_equal(available(0, 0), 900 * UNIT);
    assert_int_equal(sum(0).in_flight, 100 * UNIT);
    assert_int_equal(withdraw(0, 0, (u128)200 * WAD, 2), 0);
    u64 second = said.transfer.id;
    assert_int_equal(step(first, WITHDRAW_CONFIRMED, 1), CODE_WITHDRAW_NOT_CANCELLABLE);
    assert_int_equal(step(first, WITHDRAW_CANCELLED, 0), CODE_WITHDRAW_NOT_CANCELLABLE);
    assert_int_equal(step(first, WITHDRAW_PROCESSING, 0), 0);
    assert_int_equal(take_back(0, first), CODE_WITHDRAW_NOT_CANCELLABLE);
    assert_int_equal(step(first, WITHDRAW_CONFIRMED, 9), 0);
    assert_int_equal(sum(0).in_flight, 200 * UNIT);
    assert_int_equal(sum(0).withdrawals, 100 * UNIT);
    const struct transfer *t = transfers_find(e.trading.ledger, first);
    assert_true(t->view.has_tx && t->view.tx_hash[0] == 9);
    assert_int_equal(take_back(1, second), CODE_WITHDRAW_NOT_FOUND); /* another's */
    assert_int_equal(take_back(0, second), 0);
    assert_int_equal(said.transfer.status, WITHDRAW_CANCELLED);
    assert_int_equal(take_back(0, second), CODE_WITHDRAW_NOT_CANCELLABLE);
    assert_int_equal(step(second, WITHDRAW_PROCESSING, 0), CODE_WITHDRAW_NOT_CANCELLABLE);
    assert_int_equal(available(0, 0), 900 * UNIT);
    assert_int_equal(sum(0).in_flight, 0);
    assert_int_equal(step(77, WITHDRAW_REJECTED, 0), CODE_WITHDRAW_NOT_FOUND);
    assert_int_equal(take_back(0, 1), CODE_WITHDRAW_NOT_FOUND); /* a deposit */
}

static void every_step_there_is(void **state)
{
    (void)state;
    static const u16 MAY[7] = {
        [WITHDRAW_PENDING] =
            1 << WITHDRAW_PROCESSING | 1 << WITHDRAW_REJECTED | 1 << WITHDRAW_CANCELLED,
        [WITHDRAW_PROCESSING] =
            1 << WITHDRAW_SUBMITTED | 1 << WITHDRAW_CONFIRMED | 1 << WITHDRAW_FAILED,
        [WITHDRAW_SUBMITTED] = 1 << WITHDRAW_CONFIRMED | 1 << WITHDRAW_FAILED};
    for (u8 from = 0; from < 10; from++)
        for (u8 to = 0; to < 10; to++)
            assert_int_equal(withdraw_may_step(from, to), from < 7 && MAY[from] >> to & 1);
}

static void the_same_again_answers_itself(void **state)
{
    (void)state;
    assert_int_equal(withdraw(0, 0, (u128)100 * WAD, 5), 0);
    u64 id = said.transfer.id, seq = e.command.seq;
    assert_int_equal(withdraw(0, 0, (u128)100 * WAD, 5), 0);
    assert_int_equal(said.transfer.id, id);
    assert_int_equal(e.command.seq, seq);
    assert_int_equal(withdraw(0, 0, (u128)101 * WAD, 5), CODE_NONCE_USED);
    assert_int_equal(withdraw(0, 0, (u128)5000 * WAD, 6), CODE_INSUFFICIENT_BALANCE);
    assert_int_equal(credit(0, 0, 9000 * UNIT, 0, 0), 0);
    assert_int_equal(withdraw(0, 0, (u128)5000 * WAD, 6), CODE_INSUFFICIENT_BALANCE);
    assert_int_equal(withdraw(0, 0, (u128)5000 * WAD, 7), 0);
}

static void before_the_nonce_nothing_is_logged(void **state)
{
    (void)state;
    u64 seq = e.command.seq;
    assert_int_equal(withdraw(0, 9, WAD, 1), CODE_TOKEN_NOT_SUPPORTED);
    assert_int_equal(withdraw(0, 0, WAD + 1, 1), CODE_INVALID_PARAMS);
    assert_int_equal(withdraw(0, 0, 0, 1), CODE_WITHDRAW_TOO_SMALL);
    assert_int_equal(withdraw(1, 1, (u128)999 * (WAD / UNIT), 1), CODE_WITHDRAW_TOO_SMALL);
    assert_int_equal(withdraw(7, 0, WAD, 1), CODE_INSUFFICIENT_BALANCE); /* never funded */
    assert_int_equal(withdraw(0, 0, (u128)BALANCE_MAX * WAD, 1), CODE_INSUFFICIENT_BALANCE);
    e.trading.rules->mode = MODE_HALTED;
    assert_int_equal(withdraw(0, 0, WAD, 1), CODE_MAINTENANCE);
    assert_int_equal(e.command.seq, seq);
    e.trading.rules->mode = MODE_CANCEL_ONLY;
    assert_int_equal(withdraw(0, 0, WAD, 1), 0);
    assert_int_equal(withdraw(1, 1, (u128)1000 * (WAD / UNIT), 1), 0);
}

static void limits_by_worth_and_count(void **state)
{
    (void)state;
    limits(500 * UNIT, 800 * UNIT, 3, 5);
    assert_int_equal(withdraw(0, 0, (u128)500 * WAD + WAD / UNIT, 1), CODE_WITHDRAW_LIMIT);
    assert_int_equal(withdraw(0, 0, (u128)500 * WAD, 1), 0);
    assert_int_equal(withdraw(0, 0, (u128)301 * WAD, 2), CODE_WITHDRAW_LIMIT);
    assert_int_equal(withdraw(0, 0, (u128)300 * WAD, 3), 0);
    assert_int_equal(take_back(0, said.transfer.id), 0); /* its worth is free again */
    assert_int_equal(withdraw(0, 0, (u128)10 * WAD, 4), 0);
    assert_int_equal(withdraw(0, 0, (u128)10 * WAD, 5),
                     CODE_WITHDRAW_LIMIT); /* a fourth this hour */
    e.trading.now_ns += HOUR;
    assert_int_equal(withdraw(0, 0, (u128)10 * WAD, 6), 0);
    assert_int_equal(withdraw(0, 0, (u128)10 * WAD, 7), 0);
    e.trading.now_ns += HOUR;
    assert_int_equal(withdraw(0, 0, (u128)10 * WAD, 8), CODE_WITHDRAW_LIMIT); /* a sixth today */
    e.trading.now_ns += 22 * HOUR;
    assert_int_equal(withdraw(0, 0, (u128)390 * WAD, 9), 0);
    sum(0);
}

static void another_token_counts_at_its_last_price(void **state)
{
    (void)state;
    limits(500 * UNIT, 0, 0, 0);
    assert_int_equal(withdraw(1, 1, WAD, 1), 0); /* nobody knows a price */
    e.trading.orders->markets[0].bid = 10000;    /* 100.00 */
    assert_int_equal(withdraw(1, 1, (u128)5 * WAD, 2), 0);
    e.trading.orders->markets[0].last_price = 50000;
    assert_int_equal(withdraw(1, 1, WAD + WAD / UNIT * 10000, 3), CODE_WITHDRAW_LIMIT);
    assert_int_equal(withdraw(1, 1, WAD, 4), 0);
}

/* A full table takes no further one; those that are over make room, the oldest first. */
static void a_full_table_keeps_what_is_open(void **state)
{
    (void)state;
    u32 room = e.trading.ledger->config.transfers_max;
    u64 first = 0;
    for (u64 i = 1; i <= room; i++) {
        assert_int_equal(withdraw(0, 0, WAD, i), 0);
        if (!first) first = said.transfer.id;
    }
    /* The two deposits of the beginning gave up their slots. */
    assert_int_equal(e.trading.ledger->transfers_open, room);
    u64 seq = e.command.seq;
    assert_int_equal(withdraw(0, 0, WAD, room + 1), CODE_UNAVAILABLE);
    assert_int_equal(credit(0, 0, UNIT, 0, 0), CODE_UNAVAILABLE);
    assert_int_equal(e.command.seq, seq);
    assert_int_equal(take_back(0, first), 0);
    assert_int_equal(withdraw(0, 0, WAD, room + 2), 0);
    assert_int_equal(said.transfer.id, first + (1UL << 32));
    assert_null(transfers_find(e.trading.ledger, first));
    struct transfers_query q = {.account = 1,
                                .kind = TRANSFER_WITHDRAWAL,
                                .token = NO_TOKEN,
                                .end_ns = UINT64_MAX,
                                .max = 2};
    struct transfers_found found;
    struct transfer_view views[2];
    assert_int_equal(transfers_read_list(e.trading.ledger, &q, views, &found), 2);
    assert_int_equal(found.total, room);
    assert_int_equal(views[0].id, first + (1UL << 32));
    assert_int_equal(found.gone_ns, START);
    sum(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(deposits_count_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(funds_are_in_flight_until_it_is_over, set_up, tear_down),
        cmocka_unit_test(every_step_there_is),
        cmocka_unit_test_setup_teardown(the_same_again_answers_itself, set_up, tear_down),
        cmocka_unit_test_setup_teardown(before_the_nonce_nothing_is_logged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(limits_by_worth_and_count, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_token_counts_at_its_last_price, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_table_keeps_what_is_open, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
