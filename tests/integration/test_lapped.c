/* test_lapped.c: readers that stand still while the logs go round, and then go on.
 *
 *   log.command 1 MB, log.match 1 MB, log.account 1 MB: seconds of trading
 *   SIGSTOP a reader .... the ring is overwritten, more than once .... SIGCONT
 *
 * Journal and primaries hold the writer back instead. Standbys, market data, history and snapshots
 * go on from the files, without a gap, and are the same process as before. (A gateway has no files:
 * it closes the sockets it owes with 1013, see says_when_updates_were_lost in test_api_ws.c;
 * history and lists have all that was missed.)
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "shm/history.h"
#include "shm/log.h"
#include "shm/metrics.h"
#include "shm/segment.h"
#include "tests/lib/audit.h"
#include "tests/lib/damage.h"

#define RATE      2000U
#define STOP_MS   8000U /* at most: 10 s without a heartbeat, and the supervisor ends who it is */
#define SLICE_MS  500U
#define CATCH_MS  30000U
#define SETTLE_MS 30000U

static struct exchange x = {.sets = {"snapshot.interval=1s", "trading.orders_max=131072",
                                     "log.command_bytes=1M", "log.match_bytes=1M",
                                     "log.account_bytes=1M", "history.rows=262144"},
                            .set_count = 6};
static struct load l;
static struct audit a;
static struct segment view;

static int start(void **state)
{
    (void)state;
    if (exchange_start(&x)) return -1;
    load_open(&l, 5, RATE, 250000, x.port);
    a = (struct audit){.load = &l, .exchange = &x};
    audit_fund(&a);
    return segment_attach(&view, x.dir, ROLE_COUNT, 0);
}

static int stop(void **state)
{
    (void)state;
    segment_detach(&view);
    exchange_down(&x);
    load_close(&l);
    exchange_remove(&x);
    return 0;
}

static void all_is_there(void)
{
    assert_true(audit_settled(&a, SETTLE_MS));
}

/* --- Logs and their readers --------------------------------------------------------------------*/

static const struct log *log_of(u32 log)
{
    static const char *const regions[] = {"log.command", "log.account", "log.match@0"};
    return segment_object(&view, regions[log]);
}

static u64 head_of(u32 log)
{
    return atomic_load_explicit(&log_of(log)->head, memory_order_acquire);
}

static u64 seq_of(u32 log)
{
    return atomic_load_explicit(&log_of(log)->seq, memory_order_acquire);
}

static u64 rounds_since(u32 log, u64 head)
{
    return (head_of(log) - head) / log_of(log)->capacity;
}

/* How far a process says it is in a log. */
static u64 position(u32 role, u32 log)
{
    const struct proc_block *b = segment_proc(&view, role, 0);
    return atomic_load_explicit(&b->log_seq[log], memory_order_relaxed);
}

static pid_t pid_of(const char *name)
{
    assert_true(exchange_look(&x));
    pid_t pid = exchange_pid(&x, name);
    assert_true(pid > 0);
    return pid;
}

/* Stop it until the log went round twice without it, or nearly; then see it catch up. */
static void lap(const char *name, u32 role, u32 log)
{
    pid_t pid = pid_of(name);
    u64 head = head_of(log);
    kill(pid, SIGSTOP);
    for (u32 ms = 0; ms < STOP_MS && rounds_since(log, head) < 2; ms += SLICE_MS)
        load_trade(&l, SLICE_MS);
    u64 round = rounds_since(log, head), target = seq_of(log);
    u64 behind = target - position(role, log);
    kill(pid, SIGCONT);
    u64 until = exchange_ms() + CATCH_MS;
    while (position(role, log) < target && exchange_ms() < until) usleep(10000);
    printf("%s: %lu records behind, the log went round %lu times; caught up in %lu ms\n", name,
           behind, round, CATCH_MS - (until - exchange_ms()));
    assert_true(round >= 1);
    if (position(role, log) < target) exchange_show_logs(&x);
    assert_true(position(role, log) >= target);
    assert_int_equal(pid_of(name), pid); /* nobody had to start it again */
}

/* --- Those who go on from the files ------------------------------------------------------------*/

/* What eidos-history holds of an account, newest first. */
struct held {
    u64 count, ids, quote;
};

static bool count_row(void *context, const struct history_row *row)
{
    struct held *h = context;
    if (row->kind != HISTORY_TRADE) return true;
    h->count++;
    h->ids += row->ref_id;
    h->quote += row->quote;
    return true;
}

/* Every fill that stands in the files stands in the history, of each account. */
static void history_has_every_fill(void)
{
    static struct held filed[LOAD_TRADERS + 1];
    struct damage_records r;
    memset(filed, 0, sizeof filed);
    damage_read(x.dir, "account", &r);
    assert_true(r.first == 1 && r.count && !r.broken);
    for (u64 seq = 1; seq <= r.count; seq++) {
        const struct rec *rec = damage_record(&r, seq);
        const struct account_trade *t = (const void *)rec;
        if (rec->kind != ACCOUNT_TRADE) continue;
        assert_in_range(t->now.order.account, 1, LOAD_TRADERS);
        struct held *h = &filed[t->now.order.account];
        h->count++;
        h->ids += t->trade_id;
        h->quote += t->quote;
    }
    damage_free(&r);
    const struct history_data *history = segment_object(&view, "history");
    for (u32 i = 1; i <= LOAD_TRADERS; i++) {
        struct held h = {0};
        assert_int_equal(history_walk(history, i, UINT32_MAX, count_row, &h), 0);
        assert_true(h.count > 0);
        assert_int_equal(h.count, filed[i].count);
        assert_int_equal(h.ids, filed[i].ids);
        assert_int_equal(h.quote, filed[i].quote);
    }
}

static void views_go_on(void **state)
{
    (void)state;
    load_trade(&l, 500);
    lap("history", ROLE_HISTORY, LOG_ACCOUNT);
    lap("market", ROLE_MARKET, LOG_MATCH(0));
    lap("snapshot", ROLE_SNAPSHOT, LOG_COMMAND);
    assert_true(metric_get(segment_proc(&view, ROLE_HISTORY, 0), METRIC_HISTORY_LAPPED) > 0);
    assert_true(metric_get(segment_proc(&view, ROLE_MARKET, 0), METRIC_MARKET_LAPPED) > 0);
    all_is_there(); /* depth and trades too */
    history_has_every_fill();
}

/* Its metrics say that it has applied everything. */
static void wait_for_level(const struct proc_block *b)
{
    u64 until = exchange_ms() + CATCH_MS;
    client_drain(&l.client);
    while ((metric_get(b, METRIC_STANDBY_LAG) || metric_get(b, METRIC_STANDBY_LAG_NS)) &&
           exchange_ms() < until)
        usleep(10000);
    assert_int_equal(metric_get(b, METRIC_STANDBY_LAG), 0);
    assert_int_equal(metric_get(b, METRIC_STANDBY_LAG_NS), 0);
}

/* And hold the very state afterwards: they compare, and go on in their primaries' place. */
static void standbys_go_on(void **state)
{
    (void)state;
    static const struct {
        const char *name, *primary;
        u32 role;
    } pairs[] = {{"standby.trading", "trading", ROLE_TRADING_STANDBY},
                 {"standby.matching@0", "matching@0", ROLE_MATCHING_STANDBY}};
    for (u32 i = 0; i < COUNT_OF(pairs); i++) {
        lap(pairs[i].name, pairs[i].role, LOG_COMMAND);
        const struct proc_block *b = segment_proc(&view, pairs[i].role, 0);
        u64 checked = atomic_load_explicit(&b->checked, memory_order_relaxed);
        load_trade(&l, 2000);
        assert_true(atomic_load_explicit(&b->checked, memory_order_relaxed) > checked);
        wait_for_level(b);
        assert_true(metric_get(b, METRIC_STANDBY_CHECKED) > checked);
        assert_int_equal(metric_get(b, METRIC_STANDBY_DIFFERENCES), 0);
        pid_t heir = pid_of(pairs[i].name);
        exchange_kill(pid_of(pairs[i].primary));
        load_trade(&l, 1000);
        assert_int_equal(pid_of(pairs[i].primary), heir);
        all_is_there();
    }
}

/* --- Those who hold the writer back ------------------------------------------------------------*/

static void writers_wait(void **state)
{
    (void)state;
    static const char *const names[] = {"journal", "matching@0"};
    for (u32 i = 0; i < COUNT_OF(names); i++) {
        pid_t pid = pid_of(names[i]);
        load_trade(&l, 500);
        kill(pid, SIGSTOP);
        load_trade(&l, i ? 300 : 3000); /* a matching process that misses five beats is replaced */
        kill(pid, SIGCONT);
        load_trade(&l, 500);
        if (!i) assert_int_equal(pid_of(names[i]), pid);
        all_is_there();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_go_on),
        cmocka_unit_test(standbys_go_on),
        cmocka_unit_test(writers_wait),
    };
    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests_name("lapped", tests, start, stop);
}
