/* test_recover.c: whatever was written and whatever was lost, the state comes back, with the same
 * numbers. A live exchange of one thread (tests/lib/engine) is written to journal files as the
 * journal would, killed at some point, and recovered. */
#include "procs/lib/logfile_retire.h"
#include "procs/lib/recover.h"
#include "procs/lib/state_diff.h"
#include "shm/err.h"
#include "tests/lib/engine.h"
#include "tests/lib/flow.h"
#include "tests/lib/journal_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SEED     4242UL
#define ACCOUNTS 40U
#define SEGMENT  LOGFILE_SEGMENT_MIN

static struct {
    struct journal_dir j;
    struct engine live;
    struct flow flow;
    struct topo_params params;
    struct log_reader readers[3]; /* by log index: command, account, match */
    struct logfile_writer files[3];
    char reports[4096];
    bool lossy;
    u32 threads;
    u64 now;
} w;

static void remember(void *context, const char *text)
{
    (void)context;
    size_t n = strlen(w.reports);
    snprintf(w.reports + n, sizeof w.reports - n, "%s\n", text);
}

static void open_files(void)
{
    static const u64 none = 0;
    for (u32 log = 0; log < 3; log++)
        CHECK(logfile_writer_open(&w.files[log], &w.j.dir, log, SEGMENT, false, none,
                                  &logfile_io_real) == 0);
}

static int make(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    struct engine_sizes sizes = engine_small;
    sizes.log_bytes = 64UL << 20;
    journal_dir_make(&w.j);
    engine_init(&w.live, &sizes, NULL, NULL);
    flow_init(&w.flow, SEED, ACCOUNTS);
    w.params = (struct topo_params){.api = 1,
                                    .verify = 1,
                                    .matching = 1,
                                    .accounts_max = sizes.accounts,
                                    .balances_max = sizes.balances,
                                    .nonce_windows_max = sizes.nonce_windows,
                                    .transfers_max = 256,
                                    .orders_max = sizes.orders,
                                    .resting_max = sizes.resting,
                                    .command_bytes = 1UL << 20,
                                    .match_bytes = 1UL << 20,
                                    .account_bytes = 1UL << 20,
                                    .ring_bytes = 1UL << 20,
                                    .recent_trades = 100,
                                    .markets_max = 16,
                                    .candles = MARKET_CANDLES_FEWEST,
                                    .history_rows = 1024};
    w.now = 1000000000UL;
    w.readers[LOG_COMMAND] = w.live.commands;
    w.readers[LOG_ACCOUNT] = w.live.accounts;
    w.readers[LOG_MATCH(0)] = w.live.matches;
    open_files();
    flow_config(&w.live.trading);
    flow_fund(&w.flow, &w.live.trading);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    for (u32 log = 0; log < 3; log++) logfile_writer_close(&w.files[log]);
    engine_free(&w.live);
    flow_free(&w.flow);
    journal_dir_remove(&w.j);
    return 0;
}

/* Orders, some expiring, with matching and trading falling behind each other. */
static void trade(u32 orders)
{
    for (u32 i = 0; i < orders; i++) {
        struct msg_order m;
        flow_order(&w.flow, &m);
        m.head.request = 1 + i;
        if (i % 7 == 0) m.expire_s = 2 + (w.now + i * 1000000UL) / 1000000000UL;
        trading_order(&w.live.trading, &m, 0, w.flow.count);
        if (i % 5 == 0) flow_transfer(&w.flow, &w.live.trading);
        if (flow_random(&w.flow) % 4 == 0) engine_settle(&w.live);
        if (i % 100 == 0) engine_clock(&w.live, w.now += 20000000UL);
    }
}

static void settle(void)
{
    engine_settle(&w.live);
}

/* What the journal does, in batches of `batch` records; derived records only when their cause is
 * written; at most `most` records of the log. */
static void write_log(u32 log, u64 batch, u64 most)
{
    struct log_reader *r = &w.readers[log];
    struct logfile_writer *f = &w.files[log];
    u8 *buf = malloc(batch * RECORD_BYTES_MAX);
    const struct rec *rec;
    log_publish(&w.live.command);
    log_publish(&w.live.account);
    log_publish(&w.live.match);
    for (bool more = true; more && most;) {
        u64 bytes = 0, first = 0, last = 0, n = 0;
        for (; n < batch && most && (more = (rec = log_peek(r)) != NULL); n++, most--) {
            if (rec->cause > w.files[LOG_COMMAND].seq && log != LOG_COMMAND) {
                more = false;
                break;
            }
            memcpy(buf + bytes, rec, rec->length);
            bytes += rec->length;
            if (!first) first = rec->seq;
            last = rec->seq;
            log_advance(r, rec);
        }
        struct iovec piece = {buf, bytes};
        if (bytes) CHECK(logfile_append(f, &piece, 1, bytes, first, last) == 0);
    }
    free(buf);
    journal_set_mark(&w.j, log, f->seq);
}

static void write_all(void)
{
    for (u32 log = 0; log < 3; log++) write_log(log, 16, UINT64_MAX);
}

static int start(struct recovered *out)
{
    struct recover_options o = {.dir = w.j.path,
                                .params = &w.params,
                                .segment_bytes = SEGMENT,
                                .snapshots_keep = 5,
                                .lossy = w.lossy,
                                .threads = w.threads,
                                .report = remember};
    w.reports[0] = 0;
    int rc = recover_start(&o, out);
    if (rc) print_message("%s\n", err_text());
    return rc;
}

/* A full replica of the first `seq` commands of the live log. */
static void replica_of(struct replica *r, u64 seq)
{
    struct replica_config c = {
        .params = &w.params, .trading = true, .market = true, .matching_count = 1};
    struct log_reader commands = w.live.commands;
    const struct rec *cmd;
    assert_int_equal(replica_open(r, &c), 0);
    assert_int_equal(log_seek(&commands, 0), 0);
    for (; (cmd = log_peek(&commands)) && cmd->seq <= seq; log_advance(&commands, cmd))
        assert_int_equal(replica_apply(r, cmd), 0);
    assert_int_equal(r->seq, seq);
}

static u64 checksum_of(u64 seq)
{
    struct replica r;
    struct snapshot_info info;
    replica_of(&r, seq);
    replica_info(&r, &info);
    replica_close(&r);
    return info.checksum;
}

static void same_as_live(void)
{
    struct replica r;
    replica_of(&r, w.live.command.seq);
    assert_int_equal(trading_checksum(&r.trading), trading_checksum(&w.live.trading));
    for (u32 m = 0; m < FLOW_MARKETS; m++)
        assert_int_equal(book_checksum(r.matching[0].machine->books, m),
                         book_checksum(w.live.matching.books, m));
    assert_int_equal(r.account.seq, w.live.account.seq);
    assert_int_equal(r.matching[0].log.seq, w.live.match.seq);
    replica_close(&r);
}

/* The files of a log hold exactly the live records. */
static void same_files(u32 log, u64 through)
{
    struct logfile_reader r;
    struct log_reader live = w.readers[log];
    const struct rec *rec, *mine;
    assert_int_equal(log_seek(&live, 0), 0);
    assert_int_equal(logfile_open(&r, &w.j.dir, log, 0, UINT64_MAX), LOGFILE_END);
    for (u64 seq = 1; seq <= through; seq++) {
        assert_int_equal(logfile_next(&r, &rec), LOGFILE_RECORD);
        assert_non_null(mine = log_peek(&live));
        assert_int_equal(rec->length, mine->length);
        assert_memory_equal(rec, mine, (size_t)mine->length);
        log_advance(&live, mine);
    }
    logfile_close(&r);
}

static void genesis_is_empty(void **state)
{
    (void)state;
    struct recovered out;
    assert_int_equal(start(&out), 0);
    assert_int_equal(out.seq, 0);
    assert_string_equal(w.reports, "");
}

static void replay_gives_the_state(void **state)
{
    (void)state;
    struct recovered out;
    trade(3000);
    settle();
    same_as_live();
    write_all();
    assert_int_equal(start(&out), 0);
    assert_int_equal(out.seq, w.live.command.seq);
    assert_int_equal(out.account_seq, w.live.account.seq);
    assert_int_equal(out.match_seq[0], w.live.match.seq);
    assert_int_equal(out.checksum, checksum_of(out.seq));
    assert_int_equal(out.snapshot_seq, 0);
    assert_string_equal(w.reports, "");
}

/* Start after start, each from the snapshot of the one before. */
static void snapshots_carry_everything(void **state)
{
    (void)state;
    struct recovered out;
    u64 before = 0;
    for (u32 i = 0; i < 8; i++) {
        trade(500 + 37 * i); /* unsettled: pending orders and unmerged events at the seam */
        write_all();
        assert_int_equal(start(&out), 0);
        assert_int_equal(out.snapshot_seq, before);
        assert_int_equal(out.seq, w.live.command.seq);
        assert_int_equal(out.checksum, checksum_of(out.seq));
        before = out.seq;
        /* What replay made beyond the live match log is what the live one makes next. */
        settle();
        for (u32 log = 1; log < 3; log++) {
            logfile_writer_close(&w.files[log]);
            u64 end = log == LOG_ACCOUNT ? out.account_seq : out.match_seq[0];
            assert_int_equal(logfile_writer_open(&w.files[log], &w.j.dir, log, SEGMENT, false, end,
                                                 &logfile_io_real),
                             0);
            assert_int_equal(log_seek(&w.readers[log], end), 0);
        }
    }
    write_all();
    same_files(LOG_ACCOUNT, w.live.account.seq);
    same_files(LOG_MATCH(0), w.live.match.seq);
    u64 *seqs;
    assert_int_equal(snapshot_list(w.j.path, &seqs), 5);
    free(seqs);
}

static void trailing_files_are_written_again(void **state)
{
    (void)state;
    struct recovered out;
    trade(800);
    settle();
    write_log(LOG_COMMAND, 16, UINT64_MAX);
    write_log(LOG_ACCOUNT, 16, 100);
    assert_int_equal(start(&out), 0);
    assert_non_null(strstr(w.reports, "account log: files end with record 100"));
    assert_non_null(strstr(w.reports, "match-0 log: files end with record 0"));
    same_files(LOG_ACCOUNT, w.live.account.seq);
    same_files(LOG_MATCH(0), w.live.match.seq);
    /* A snapshot that is ahead of them does not hinder. */
    assert_int_equal(logfile_cut(&w.j.dir, LOG_ACCOUNT, 50), 0);
    assert_int_equal(start(&out), 0);
    assert_int_equal(out.snapshot_seq, 0);
    same_files(LOG_ACCOUNT, w.live.account.seq);
}

static void torn_tail_is_cut_and_reported(void **state)
{
    (void)state;
    struct recovered out;
    char path[400];
    u64 first;
    trade(500);
    settle();
    write_log(LOG_COMMAND, 16, UINT64_MAX);
    u64 last = w.live.command.seq;
    u64 at = journal_place(&w.j, LOG_COMMAND, last, &first);
    journal_path(&w.j, LOG_COMMAND, first, path);
    journal_set_mark(&w.j, LOG_COMMAND, last - 3);
    journal_zero(path, at + 24, 64);
    assert_int_equal(start(&out), 0);
    assert_int_equal(out.seq, last - 1);
    assert_non_null(strstr(w.reports, "of an unfinished write at byte"));
    assert_int_equal(out.checksum, checksum_of(last - 1));
    assert_int_equal(start(&out), 0);
    assert_string_equal(w.reports, "");
}

/* A snapshot of commands that were lost must not come back when their numbers are given out again.
 */
static void snapshots_of_lost_commands_go(void **state)
{
    (void)state;
    struct recovered out;
    trade(500);
    settle();
    write_all();
    assert_int_equal(start(&out), 0);
    u64 last = out.seq;
    assert_int_equal(logfile_cut(&w.j.dir, LOG_COMMAND, last - 1), 0);
    assert_int_equal(start(&out), -1); /* it is made of commands that were on disk */
    assert_non_null(strstr(err_text(), ".snap proves that record"));
    w.lossy = true;
    assert_int_equal(start(&out), 0);
    assert_int_equal(out.seq, last - 1);
    assert_non_null(strstr(w.reports, "removed 1 snapshots of commands that are gone"));
    assert_int_equal(out.checksum, checksum_of(last - 1));
}

/* The derived files may say more than a command log that lost its tail: with durability = memory
 * that is what was agreed, on disk it proves a loss. */
static void what_follows_from_lost_commands_is_cut(void **state)
{
    (void)state;
    struct recovered out;
    trade(500);
    settle();
    write_all();
    u64 half = w.live.command.seq / 2;
    assert_int_equal(logfile_cut(&w.j.dir, LOG_COMMAND, half), 0);
    assert_int_equal(start(&out), -1);
    assert_non_null(strstr(err_text(), "was on disk and answered for"));
    w.lossy = true;
    assert_int_equal(start(&out), 0);
    assert_int_equal(out.seq, half);
    assert_non_null(strstr(w.reports, "which follow from commands that are gone"));
    assert_int_equal(out.checksum, checksum_of(half));
    same_files(LOG_ACCOUNT, out.account_seq);
}

static void damage_stops_the_start(void **state)
{
    (void)state;
    char path[400];
    u64 first;
    trade(500);
    settle();
    write_all();
    u64 at = journal_place(&w.j, LOG_COMMAND, 200, &first);
    journal_path(&w.j, LOG_COMMAND, first, path);
    journal_flip(path, at + 80, 4);
    assert_int_equal(start(NULL), -1);
    assert_non_null(strstr(err_text(), path));
    assert_non_null(strstr(err_text(), "checksum"));
    assert_non_null(strstr(err_text(), "restore this file from a copy"));
    journal_flip(path, at + 80, 4);
    assert_int_equal(start(NULL), 0);
}

static void damaged_snapshot_is_passed_over(void **state)
{
    (void)state;
    struct recovered out;
    char path[400];
    u64 older = 0;
    for (u32 i = 0; i < 2; i++) {
        trade(500);
        settle();
        write_all();
        if (i) older = out.seq;
        assert_int_equal(start(&out), 0);
    }
    snprintf(path, sizeof path, "%s/snapshots/%020lu.snap", w.j.path, out.seq);
    for (u64 at = 3; at < 40000; at = at * 3 + 1) {
        journal_flip(path, at, 0x20);
        assert_int_equal(start(&out), 0);
        assert_int_equal(out.snapshot_seq, older);
        assert_non_null(strstr(w.reports, "passing over a damaged snapshot"));
        assert_int_equal(start(&out), 0); /* the start wrote it anew */
        assert_int_equal(out.snapshot_seq, out.seq);
    }
    assert_int_equal(truncate(path, 1000), 0);
    assert_int_equal(start(&out), 0);
    assert_int_equal(out.snapshot_seq, older);
}

/* Retire as the journal does: what the oldest kept snapshot holds. Returns the first command left.
 */
static u64 retire(void)
{
    u64 *seqs, first, gone = 0;
    struct snapshot_info info;
    assert_true(snapshot_list(w.j.path, &seqs) > 1);
    assert_int_equal(snapshot_peek(w.j.path, w.j.dir.instance, seqs[0], &info), 0);
    free(seqs);
    u64 through[] = {info.seq, info.account_seq, info.match_seq[0]};
    for (u32 log = 0; log < 3; log++)
        while (logfile_retire(&w.j.dir, log, through[log], UINT64_MAX, NULL) > 0) gone++;
    assert_true(gone > 2);
    assert_int_equal(logfile_begin(&w.j.dir, LOG_COMMAND, &first), 0);
    assert_true(first > 1);
    return first;
}

/* Old files gone: starts go on as before, from any snapshot that is kept, and not without one. */
static void retired_files_are_not_missed(void **state)
{
    (void)state;
    struct recovered out;
    char path[400];
    for (u32 i = 0; i < 7; i++) {
        trade(1200);
        settle();
        write_all();
        assert_int_equal(start(&out), 0);
    }
    u64 first = retire(), checksum = out.checksum;
    assert_int_equal(start(&out), 0);
    assert_int_equal(out.checksum, checksum);
    assert_string_equal(w.reports, "");
    u64 *seqs, from;
    static struct replica r;
    assert_int_equal(recover_at(&w.j.dir, &w.params, 5, UINT64_MAX, 1, &r, &from), -1);
    assert_non_null(strstr(err_text(), "no whole snapshot is left"));
    int count = snapshot_list(w.j.path, &seqs);
    assert_int_equal(count, 5);
    assert_true(seqs[0] + 1 >= first);
    for (int i = 4; i > 0; i--) { /* each but the oldest is damaged in turn, and stays so */
        snprintf(path, sizeof path, "%s/snapshots/%020lu.snap", w.j.path, seqs[i]);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(start(&out), 0);
    assert_int_equal(out.snapshot_seq, seqs[0]);
    assert_int_equal(out.checksum, checksum_of(out.seq));
    snprintf(path, sizeof path, "rm %s/snapshots/*", w.j.path);
    assert_int_equal(system(path), 0);
    assert_int_equal(start(&out), -1);
    assert_non_null(strstr(err_text(), "no whole snapshot in"));
    free(seqs);
}

/* The remedy for damage in a derived log, deleting its files, holds when old commands are gone. */
static void derived_logs_begin_anew(void **state)
{
    (void)state;
    struct recovered out;
    char command[200];
    u64 begin;
    for (u32 i = 0; i < 7; i++) {
        trade(1200);
        settle();
        write_all();
        assert_int_equal(start(&out), 0);
    }
    retire();
    u64 checksum = out.checksum, accounts = out.account_seq;
    snprintf(command, sizeof command, "rm %s/journal/account-*", w.j.path);
    assert_int_equal(system(command), 0);
    assert_int_equal(start(&out), 0);
    assert_non_null(strstr(w.reports, "its files begin anew"));
    assert_int_equal(out.checksum, checksum);
    assert_int_equal(out.account_seq, accounts);
    assert_int_equal(logfile_begin(&w.j.dir, LOG_ACCOUNT, &begin), 0);
    assert_true(begin > 1);
    assert_int_equal(start(&out), 0);
    assert_string_equal(w.reports, "");
}

/* Any command can be gone back to, and what lies between two is told. */
static void count_difference(void *context, const char *object, const char *field, u64 a, u64 b)
{
    assert_true(a != b);
    assert_true(*object && *field);
    ++*(u64 *)context;
}

static void any_sequence_can_be_seen(void **state)
{
    (void)state;
    static struct replica then, now;
    struct snapshot_info info;
    u64 snapshot_seq, told = 0;
    trade(600);
    write_all();
    struct recovered out;
    assert_int_equal(start(&out), 0);
    trade(300);
    settle();
    write_log(LOG_COMMAND, 16, UINT64_MAX);
    u64 places[] = {1, 200, out.seq - 1, out.seq, out.seq + 1, w.live.command.seq};
    for (u32 i = 0; i < COUNT_OF(places); i++) {
        assert_int_equal(
            recover_at(&w.j.dir, &w.params, places[i], UINT64_MAX, 1, &then, &snapshot_seq), 0);
        assert_int_equal(snapshot_seq, places[i] < out.seq ? 0 : out.seq);
        replica_info(&then, &info);
        assert_int_equal(info.seq, places[i]);
        assert_int_equal(info.checksum, checksum_of(places[i]));
        replica_of(&now, places[i]);
        assert_int_equal(state_diff(&then, &now, 10, count_difference, &told), 0);
        replica_close(&now);
        replica_of(&now, places[i] == 1 ? 2 : places[0]);
        u64 found = state_diff(&then, &now, 5, count_difference, &told);
        assert_true(found > 0 && told == min_u64(found, 5));
        told = 0;
        replica_close(&now);
        replica_close(&then);
    }
    assert_int_equal(recover_at(&w.j.dir, &w.params, 1000000, UINT64_MAX, 1, &then, &snapshot_seq),
                     -1);
    assert_non_null(strstr(err_text(), "is beyond it"));
    assert_int_equal(
        recover_at(&w.j.dir, &w.params, UINT64_MAX, UINT64_MAX, 1, &then, &snapshot_seq), 0);
    assert_int_equal(then.seq, w.live.command.seq);
    replica_close(&then);
}

/* Set one size so that the journal needs more, and see that it says so and leaves everything. */
static void too_small_for(u64 *size, u64 value, const char *option)
{
    struct recovered out;
    u64 was = *size;
    for (w.threads = 1; w.threads <= 2; w.threads++) {
        *size = value;
        assert_int_equal(start(&out), -1);
        if (!strstr(err_text(), option) || !strstr(err_text(), "raise")) fail_msg("%s", err_text());
    }
    *size = was;
}

static void small_arenas_are_told(void **state)
{
    (void)state;
    trade(500);
    settle();
    write_all();
    assert_int_equal(start(NULL), 0);
    /* Nothing is loaded here, and the processes would not find room. */
    u64 resting = 0;
    for (u32 m = 0; m < FLOW_MARKETS; m++) resting += book_orders(w.live.matching.books, m);
    const struct ledger *l = w.live.trading.ledger;
    too_small_for(&w.params.orders_max, w.live.trading.orders->used, "trading.orders_max");
    too_small_for(&w.params.resting_max, resting - 1, "matching.orders_max");
    too_small_for(&w.params.accounts_max, l->account_count - 1, "trading.accounts_max");
    too_small_for(&w.params.transfers_max, l->transfers_used - 1, "trading.transfers_max");
    w.params.resting_max = resting;
    assert_int_equal(start(NULL), 0);
    w.params.resting_max = 16384;
    trade(1); /* and where it is */
    write_all();
    w.params.orders_max = 100;
    assert_int_equal(start(NULL), -1);
    assert_non_null(strstr(err_text(), "trading.orders_max is too small"));
    w.params.orders_max = 40000;
    w.params.resting_max = 10;
    assert_int_equal(start(NULL), -1);
    assert_non_null(strstr(err_text(), "raise matching.orders_max"));
    w.params.resting_max = 40000;
    w.params.accounts_max = 4000;
    struct recovered out;
    assert_int_equal(start(&out), 0);
    assert_int_equal(out.checksum, checksum_of(out.seq));
}

/* The same where a journal is replayed: no arena that is too small may end in anything else. */
static void small_arenas_are_told_in_a_replay(void **state)
{
    (void)state;
    struct recovered out;
    trade(3000);
    settle();
    write_all();
    const struct ledger *l = w.live.trading.ledger;
    u64 resting = 0;
    for (u32 m = 0; m < FLOW_MARKETS; m++) resting += book_orders(w.live.matching.books, m);
    assert_true(resting > 200 && l->transfers_used > 20 && l->nonces_count > ACCOUNTS);
    static const u64 less[] = {1, 3, 17};
    struct topo_params *p = &w.params;
    for (u32 i = 0; i < COUNT_OF(less); i++) {
        u64 by = less[i];
        too_small_for(&p->accounts_max, l->account_count - by, "trading.accounts_max");
        too_small_for(&p->balances_max, l->balance_count - by, "trading.balances_max");
        too_small_for(&p->nonce_windows_max, l->nonces_count - by, "trading.accounts_max");
        too_small_for(&p->transfers_max, l->transfers_used - by, "trading.transfers_max");
        too_small_for(&p->orders_max, w.live.trading.orders->used - by, "trading.orders_max");
        too_small_for(&p->resting_max, resting - 100 * by / 17 - by, "matching.orders_max");
    }
    too_small_for(&p->markets_max, 1, "klines.markets_max");
    w.threads = 2;
    assert_int_equal(start(&out), 0);
    assert_int_equal(out.seq, w.live.command.seq);
    assert_int_equal(out.checksum, checksum_of(out.seq));
}

/* How many may rest is in the log. The option may be raised, and be lowered to what fits; where
 * that does not, nothing is lost by having tried. */
static void the_option_changes_between_starts(void **state)
{
    (void)state;
    struct recovered out;
    engine_start(&w.live, 2, 300);
    trade(3000);
    settle();
    write_log(LOG_COMMAND, 16, UINT64_MAX); /* no derived file has anything yet */
    too_small_for(&w.params.resting_max, 200, "matching.orders_max");
    w.params.resting_max = 40000;
    for (w.threads = 1; w.threads <= 2; w.threads++) {
        assert_int_equal(start(&out), 0);
        assert_int_equal(out.checksum, checksum_of(out.seq));
        same_files(LOG_ACCOUNT, w.live.account.seq);
        same_files(LOG_MATCH(0), w.live.match.seq);
        assert_true(snapshot_cut(w.j.path, w.j.dir.instance, 0) > 0);
    }
    engine_start(&w.live, 2, 100);
    trade(500);
    settle();
    write_log(LOG_COMMAND, 16, UINT64_MAX);
    w.params.resting_max = 300;
    assert_int_equal(start(&out), 0);
    same_files(LOG_MATCH(0), w.live.match.seq);
}

static void other_journal_is_refused(void **state)
{
    (void)state;
    trade(100);
    settle();
    write_all();
    struct recovered out;
    assert_int_equal(start(&out), 0);
    char path[100];
    snprintf(path, sizeof path, "%s/instance", w.j.path);
    FILE *file = fopen(path, "r+e");
    assert_non_null(file);
    assert_int_equal(fprintf(file, "%032d", 7), 32);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(start(NULL), -1);
    assert_non_null(strstr(err_text(), "another instance"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, make, drop)
    const struct CMUnitTest tests[] = {
        T(genesis_is_empty),
        T(replay_gives_the_state),
        T(snapshots_carry_everything),
        T(trailing_files_are_written_again),
        T(torn_tail_is_cut_and_reported),
        T(what_follows_from_lost_commands_is_cut),
        T(snapshots_of_lost_commands_go),
        T(damage_stops_the_start),
        T(damaged_snapshot_is_passed_over),
        T(retired_files_are_not_missed),
        T(derived_logs_begin_anew),
        T(any_sequence_can_be_seen),
        T(small_arenas_are_told),
        T(small_arenas_are_told_in_a_replay),
        T(the_option_changes_between_starts),
        T(other_journal_is_refused),
    };
    print_message("seed %lu\n", SEED);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
