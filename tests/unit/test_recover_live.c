/* test_recover_live.c: one process dies, or all do and a fresh segment is made: trading and
 * matching come back on their own, publish what their predecessor did not, and nothing twice. */
#include "procs/lib/recover.h"
#include "shm/err.h"
#include "tests/lib/engine.h"
#include "tests/lib/flow.h"
#include "tests/lib/journal_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SEED     99UL
#define ACCOUNTS 40U

/* The living segment is an engine; the dead process's part of it is built anew from the logs. */
static struct {
    struct durable durable; /* the widest alignment first: no padding */
    u64 now;
    struct recover_source source;
    struct flow flow;
    struct topo_params params;
    struct engine live;
    struct journal_dir j;
} w;

static struct engine_sizes sizes_of_test(void)
{
    struct engine_sizes sizes = engine_small;
    sizes.log_bytes = 32UL << 20;
    return sizes;
}

static int make(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    struct engine_sizes sizes = sizes_of_test();
    journal_dir_make(&w.j);
    engine_init(&w.live, &sizes, NULL, NULL);
    flow_init(&w.flow, SEED, ACCOUNTS);
    w.params = (struct topo_params){.matching = 1,
                                    .accounts_max = sizes.accounts,
                                    .balances_max = sizes.balances,
                                    .nonce_windows_max = sizes.nonce_windows,
                                    .transfers_max = 256,
                                    .orders_max = sizes.orders,
                                    .resting_max = sizes.resting,
                                    .recent_trades = 50,
                                    .markets_max = 16,
                                    .candles = MARKET_CANDLES_FEWEST,
                                    .history_rows = 1024};
    w.source = (struct recover_source){
        .dir = w.j.path, .params = &w.params, .command = w.live.command.log, .durable = &w.durable};
    w.now = 1000000000UL;
    flow_config(&w.live.trading);
    flow_fund(&w.flow, &w.live.trading);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    engine_free(&w.live);
    flow_free(&w.flow);
    journal_dir_remove(&w.j);
    return 0;
}

static void trade(u32 orders)
{
    for (u32 i = 0; i < orders; i++) {
        struct msg_order m;
        flow_order(&w.flow, &m);
        trading_order(&w.live.trading, &m, 0, w.flow.count * 8);
        if (i % 5 == 0) flow_transfer(&w.flow, &w.live.trading);
        if (flow_random(&w.flow) % 4 == 0) engine_settle(&w.live);
        if (i % 100 == 0) engine_clock(&w.live, w.now += 20000000UL);
    }
}

static void publish(void)
{
    log_publish(&w.live.command);
    log_publish(&w.live.account);
    log_publish(&w.live.match);
}

/* A second set of objects, as the successor finds them: formatted and empty. */
static void successor(struct engine *e)
{
    struct engine_sizes sizes = sizes_of_test();
    engine_init(e, &sizes, NULL, NULL);
}

static void same_trading(const struct trading *a, const struct trading *b)
{
    assert_int_equal(trading_checksum(a), trading_checksum(b));
    assert_memory_equal(a->ledger->ingress, b->ledger->ingress, sizeof a->ledger->ingress);
    for (u32 slot = 1; slot <= a->orders->used; slot++)
        assert_int_equal(orders_slot(a->orders, slot)->reply, orders_slot(b->orders, slot)->reply);
}

static void same_books(const struct matching *a, const struct matching *b)
{
    for (u32 m = 0; m < FLOW_MARKETS; m++)
        assert_int_equal(book_checksum(a->books, m), book_checksum(b->books, m));
    assert_memory_equal(a->best, b->best, sizeof a->best);
}

/* Two logs hold the same records from `from` on. */
static void same_records(struct log *a, struct log *b, u64 from, u64 through)
{
    struct log_reader x, y;
    log_join_reader(&x, a);
    log_join_reader(&y, b);
    assert_int_equal(log_seek(&x, from), 0);
    assert_int_equal(log_seek(&y, from), 0);
    for (u64 seq = from + 1; seq <= through; seq++) {
        const struct rec *r = log_peek(&x), *s = log_peek(&y);
        assert_non_null(r);
        assert_non_null(s);
        assert_int_equal(r->seq, seq);
        assert_int_equal(r->length, s->length);
        assert_memory_equal(r, s, (size_t)r->length);
        log_advance(&x, r);
        log_advance(&y, s);
    }
}

/* Trading died between publishing commands and publishing what follows from them. */
static void trading_comes_back(void **state)
{
    (void)state;
    static struct engine next;
    trade(1500);
    engine_settle(&w.live);
    publish();
    successor(&next);
    /* The successor joins a copy of the logs whose account part ends early. */
    u64 published = w.live.account.seq - 40;
    struct log_reader r;
    const struct rec *rec;
    log_join_reader(&r, w.live.account.log);
    assert_int_equal(log_seek(&r, 0), 0);
    for (; (rec = log_peek(&r)) && rec->seq <= published; log_advance(&r, rec)) {
        struct rec *copy = log_begin_again(&next.account, rec);
        log_commit(&next.account, copy, rec->time_ns, rec->cause);
    }
    log_publish(&next.account);
    struct trading t = next.trading;
    t.command = &w.live.command;
    struct log_reader matches = w.live.matches;
    assert_int_equal(recover_trading_from(&w.source, &t, &matches), 0);
    same_trading(&t, &w.live.trading);
    assert_int_equal(next.account.seq, w.live.account.seq);
    same_records(w.live.account.log, next.account.log, 0, w.live.account.seq);
    assert_int_equal(matches.seq, t.ledger->merged[0]);
    engine_free(&next);
}

/* Matching died with commands it had not answered, in the middle of publishing. */
static void matching_comes_back(void **state)
{
    (void)state;
    static struct engine next, whole;
    trade(1500);
    publish();
    successor(&next);
    successor(&whole);
    /* What an undisturbed matching process makes of all commands. */
    struct log_reader commands = w.live.commands;
    const struct rec *rec;
    assert_int_equal(log_seek(&commands, 0), 0);
    for (; (rec = log_peek(&commands)); log_advance(&commands, rec))
        for (bool done = matching_apply(&whole.matching, rec); !done;)
            done = matching_more(&whole.matching);
    log_publish(&whole.match);
    u64 merged = w.live.trading.ledger->merged[0], published = (merged + whole.match.seq) / 2;
    struct log_reader made;
    log_join_reader(&made, whole.match.log);
    assert_int_equal(log_seek(&made, 0), 0);
    for (; (rec = log_peek(&made)) && rec->seq <= published; log_advance(&made, rec)) {
        struct rec *copy = log_begin_again(&next.match, rec);
        log_commit(&next.match, copy, rec->time_ns, rec->cause);
    }
    log_publish(&next.match);
    assert_int_equal(recover_matching_from(&w.source, &next.matching, &commands), 0);
    same_books(&next.matching, &whole.matching);
    assert_int_equal(next.matching.applied, w.live.command.seq);
    assert_int_equal(commands.seq, w.live.command.seq);
    assert_int_equal(next.match.seq, whole.match.seq);
    same_records(whole.match.log, next.match.log, 0, whole.match.seq);
    engine_free(&next);
    engine_free(&whole);
}

/* Write the records of a log after `from` to files, as the journal would. */
static void write_files(u32 log, struct log *shm, u64 from, u64 through)
{
    struct logfile_writer f;
    struct log_reader r;
    const struct rec *rec;
    log_join_reader(&r, shm);
    assert_int_equal(log_seek(&r, from), 0);
    assert_int_equal(
        logfile_writer_open(&f, &w.j.dir, log, LOGFILE_SEGMENT_MIN, false, from, &logfile_io_real),
        0);
    for (; (rec = log_peek(&r)) && rec->seq <= through; log_advance(&r, rec)) {
        struct iovec piece = {(void *)rec, rec->length};
        assert_int_equal(logfile_append(&f, &piece, 1, rec->length, rec->seq, rec->seq), 0);
    }
    logfile_writer_close(&f);
}

static void start(struct recovered *out, u64 tail_commands)
{
    struct recover_options o = {.dir = w.j.path,
                                .params = &w.params,
                                .segment_bytes = LOGFILE_SEGMENT_MIN,
                                .snapshots_keep = 2,
                                .tail_commands = tail_commands,
                                .leave_tail = true};
    assert_int_equal(recover_start(&o, out), 0);
    atomic_store(&w.durable.seq, out->seq);
    atomic_store(&w.durable.synced, out->seq);
    atomic_store(&w.durable.written[LOG_COMMAND], out->seq);
    atomic_store(&w.durable.written[LOG_ACCOUNT], out->account_seq);
    atomic_store(&w.durable.written[LOG_MATCH(0)], out->match_seq[0]);
}

/* Make the directory ready for a start. */
static void stop_everything(struct recovered *out)
{
    write_files(LOG_COMMAND, w.live.command.log, 0, UINT64_MAX);
    start(out, 0);
}

/* Everything died with match records that trading had not merged; a fresh segment goes on, and ends
 * in the very state of an exchange that never stopped. */
static void fresh_segment_goes_on(void **state)
{
    (void)state;
    static struct engine next;
    struct recovered out;
    trade(1500);
    for (u32 i = 0; i < 200; i++) { /* nobody settles these */
        struct msg_order m;
        flow_order(&w.flow, &m);
        trading_order(&w.live.trading, &m, 0, 0);
    }
    publish();
    stop_everything(&out);
    assert_int_equal(out.seq, w.live.command.seq);
    assert_true(out.match_seq[0] > w.live.trading.ledger->merged[0]);
    successor(&next);
    w.source.command = next.command.log;
    assert_int_equal(recover_matching_from(&w.source, &next.matching, &next.commands), 0);
    assert_int_equal(recover_trading_from(&w.source, &next.trading, &next.matches), 0);
    assert_int_equal(next.command.seq, w.live.command.seq);
    assert_int_equal(next.account.seq, w.live.account.seq);
    assert_int_equal(next.match.seq, out.match_seq[0]);
    assert_int_equal(trading_checksum(&next.trading), trading_checksum(&w.live.trading));
    u64 made = next.account.seq;
    next.trading.now_ns = w.live.trading.now_ns;
    engine_settle(&w.live);
    engine_settle(&next);
    assert_int_equal(next.command.seq, w.live.command.seq);
    assert_int_equal(trading_checksum(&next.trading), trading_checksum(&w.live.trading));
    same_books(&next.matching, &w.live.matching);
    same_records(w.live.account.log, next.account.log, made, w.live.account.seq);
    engine_free(&next);
}

/* The other order: trading is there first and waits for a match log that has not begun yet. */
static void trading_waits_for_matching(void **state)
{
    (void)state;
    static struct engine next;
    struct recovered out;
    trade(700);
    publish();
    stop_everything(&out);
    successor(&next);
    w.source.command = next.command.log;
    assert_int_equal(recover_trading_from(&w.source, &next.trading, &next.matches), 0);
    assert_int_equal(recover_matching_from(&w.source, &next.matching, &next.commands), 0);
    next.trading.now_ns = w.live.trading.now_ns;
    engine_settle(&w.live);
    engine_settle(&next);
    assert_int_equal(trading_checksum(&next.trading), trading_checksum(&w.live.trading));
    same_books(&next.matching, &w.live.matching);
    engine_free(&next);
}

/* Matching goes on where trading does not. */
static void match_alone(void)
{
    const struct rec *rec;
    log_publish(&w.live.command);
    for (; (rec = log_peek(&w.live.commands)); log_advance(&w.live.commands, rec))
        for (bool done = matching_apply(&w.live.matching, rec); !done;)
            done = matching_more(&w.live.matching);
    publish();
}

/* Everything stopped once, traded on and died; returns the last match record that is merged. */
static u64 leave_a_tail(struct recovered *snapshot)
{
    trade(700);
    engine_settle(&w.live);
    publish();
    stop_everything(snapshot);
    assert_int_equal(snapshot->checksum_seq, snapshot->seq);
    trade(300);
    match_alone();
    return w.live.trading.ledger->merged[0];
}

/* A snapshot, and after it a tail of which the journal wrote every command, `account` account
 * records less than all, and match records through `match`. */
static void write_tail(const struct recovered *snapshot, u64 account, u64 match)
{
    write_files(LOG_COMMAND, w.live.command.log, snapshot->seq, UINT64_MAX);
    write_files(LOG_ACCOUNT, w.live.account.log, snapshot->account_seq,
                w.live.account.seq - account);
    write_files(LOG_MATCH(0), w.live.match.log, snapshot->match_seq[0], match);
}

/* A short tail is left to the processes, which publish what the files lack, and nothing else. */
static void a_left_tail_is_published(void **state)
{
    (void)state;
    static struct engine next;
    struct recovered snapshot, out;
    u64 merged = leave_a_tail(&snapshot), account = w.live.account.seq - 40;
    assert_true(merged > snapshot.match_seq[0] && account > snapshot.account_seq);
    assert_true(w.live.match.seq > merged);
    write_tail(&snapshot, 40, merged + 1);
    start(&out, 10000);
    assert_int_equal(out.seq, w.live.command.seq);
    assert_int_equal(out.checksum_seq, snapshot.seq);
    assert_int_equal(out.checksum, snapshot.checksum);
    assert_int_equal(out.account_seq, account);
    assert_int_equal(out.match_seq[0], merged + 1);
    successor(&next);
    w.source.command = next.command.log;
    assert_int_equal(recover_matching_from(&w.source, &next.matching, &next.commands), 0);
    assert_int_equal(recover_trading_from(&w.source, &next.trading, &next.matches), 0);
    assert_int_equal(next.command.seq, w.live.command.seq);
    same_records(w.live.account.log, next.account.log, account, w.live.account.seq);
    same_records(w.live.match.log, next.match.log, merged, w.live.match.seq);
    next.trading.now_ns = w.live.trading.now_ns;
    engine_settle(&w.live);
    engine_settle(&next);
    assert_int_equal(trading_checksum(&next.trading), trading_checksum(&w.live.trading));
    same_books(&next.matching, &w.live.matching);
    engine_free(&next);
}

/* What is merged is not made again by who starts matching: files that lack it are made whole first.
 * So it is with a tail that is longer than allowed, and where a book might be full. */
static void a_tail_may_not_be_left(void **state)
{
    (void)state;
    struct recovered snapshot, out;
    u64 merged = leave_a_tail(&snapshot), tail = w.live.command.seq - snapshot.seq;
    write_tail(&snapshot, 40, merged);
    u64 resting_max = w.params.resting_max;
    w.params.resting_max = tail; /* and the snapshot has some, too */
    start(&out, tail);
    assert_int_equal(out.checksum_seq, out.seq);
    w.params.resting_max = resting_max;
    assert_int_equal(logfile_cut(&w.j.dir, LOG_ACCOUNT, snapshot.account_seq), 0);
    start(&out, tail - 1);
    assert_int_equal(out.checksum_seq, out.seq);
    assert_int_equal(out.account_seq, w.live.account.seq);
}

/* Without the last match record that is merged. */
static void what_is_merged_must_be_in_the_files(void **state)
{
    (void)state;
    struct recovered snapshot, out;
    u64 merged = leave_a_tail(&snapshot);
    write_tail(&snapshot, 0, merged - 1);
    start(&out, 10000);
    assert_int_equal(out.checksum_seq, out.seq);
    assert_int_equal(out.match_seq[0], w.live.match.seq);
}

/* Files of another exchange's commands, longer than what is made here. */
static void files_beyond_what_is_made_are_refused(void **state)
{
    (void)state;
    static struct engine next;
    struct recovered out;
    trade(700);
    engine_settle(&w.live);
    publish();
    stop_everything(&out);
    atomic_fetch_add(&w.durable.written[LOG_ACCOUNT], 1);
    atomic_fetch_add(&w.durable.written[LOG_MATCH(0)], 1);
    successor(&next);
    w.source.command = next.command.log;
    assert_int_equal(recover_matching_from(&w.source, &next.matching, &next.commands), -1);
    assert_non_null(strstr(err_text(), "delete"));
    assert_non_null(strstr(err_text(), "/journal/match-0-*.log"));
    assert_int_equal(recover_trading_from(&w.source, &next.trading, &next.matches), -1);
    assert_non_null(strstr(err_text(), "/journal/account-*.log"));
    engine_free(&next);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, make, drop)
    const struct CMUnitTest tests[] = {
        T(trading_comes_back),
        T(matching_comes_back),
        T(fresh_segment_goes_on),
        T(trading_waits_for_matching),
        T(a_left_tail_is_published),
        T(a_tail_may_not_be_left),
        T(what_is_merged_must_be_in_the_files),
        T(files_beyond_what_is_made_are_refused),
    };
    print_message("seed %lu\n", SEED);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
