/* test_kill.c: nothing acknowledged is lost, and nothing is done twice, whoever is killed.
 *
 * Traders place, cancel and take without pause; a process is killed; they go on, through refused
 * connections and lost answers; when all is ready again the exchange is held to every answer it
 * gave. Each process in turn, then all at once with their supervisor.
 *
 * EIDOS_SEED chooses another run; EIDOS_LONG=1 makes fifty rounds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/audit.h"

#define RATE        700U
#define BURST       20U
#define BACK_MS     30000U
#define SETTLE_MS   30000U
#define ROUNDS_LONG 50U
#define ALL_SHORT   3U

static struct exchange x = {
    .sets = {"snapshot.interval=1s", "trading.orders_max=262144", "snapshot.keep=3"},
    .set_count = 3,
};
static struct load l;
static struct audit a;
static u32 rounds, recoveries;
static u64 recovered_ms, slowest_ms;

static const char *const victims[] = {"journal", "trading",  "matching@0", "market",
                                      "history", "snapshot", "verify@0",   "api@0"};

static u64 number_from_env(const char *name, u64 otherwise)
{
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

static bool is_long(void)
{
    return number_from_env("EIDOS_LONG", 0) != 0;
}

/* --- The exchange and its traders --------------------------------------------------------------*/

static int start(void **state)
{
    (void)state;
    u64 seed = number_from_env("EIDOS_SEED", 1);
    printf("seed %lu (EIDOS_SEED)\n", seed);
    if (exchange_start(&x)) return -1;
    load_open(&l, seed, RATE, 250000, x.port);
    a = (struct audit){.load = &l, .exchange = &x};
    audit_fund(&a);
    load_resume(&l);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    printf("%u rounds, %u orders sent: %lu accepted, %lu refused, %lu first without an answer, "
           "%lu of these placed all the same; "
           "%lu cancels; %lu requests, %lu without an answer; %lu faults\n",
           rounds, l.count, l.accepted, l.refused, l.resolved, l.found, l.cancels,
           l.client.requests, l.client.unanswered, l.faults);
    if (recoveries)
        printf("recovery: mean %lu ms, slowest %lu ms\n", recovered_ms / recoveries, slowest_ms);
    load_close(&l);
    exchange_remove(&x);
    return 0;
}

/* --- One round ---------------------------------------------------------------------------------*/

/* Why the exchange is not back: what it says itself. */
static void not_back(const char *who)
{
    printf("%s is not back after %u ms: %s\n", who, BACK_MS, x.said);
    exchange_show_logs(&x);
    fail_msg("%s is not back", who);
}

/* Trade on until the victim lives again under another pid and all are ready. */
static u64 wait_until_back(const char *victim, pid_t killed)
{
    u64 since = exchange_ms();
    for (;;) {
        load_run(&l, 5);
        bool there = exchange_look(&x);
        if (there && x.port) l.client.port = x.port;
        pid_t now = there ? exchange_pid(&x, victim) : 0;
        if (now && now != killed && exchange_is_ready(&x)) return exchange_ms() - since;
        if (exchange_ms() - since > BACK_MS) not_back(victim);
    }
}

/* Trade on until `eidosctl up` says it is ready. */
static u64 start_again(void)
{
    int code;
    u64 since = exchange_ms();
    pid_t up = exchange_begin(&x, exchange_up_line(&x));
    while (!exchange_is_done(&x, up, &code)) {
        load_run(&l, 5);
        if (exchange_ms() - since > BACK_MS) exchange_kill(up);
    }
    u64 took = exchange_ms() - since;
    if (code) exchange_show_logs(&x);
    if (code) fail_msg("eidosctl up: exit code %d after %lu ms: %s", code, took, x.said);
    assert_true(exchange_look(&x));
    l.client.port = x.port;
    return took;
}

/* What must hold after each recovery. */
static void hold_to_account(const char *victim, u64 took)
{
    load_run(&l, 100);
    u32 waiting = l.unknown_count;
    bool settled = load_settle(&l, SETTLE_MS);
    u64 since = exchange_ms();
    audit_all(&a);
    printf("%-10s back after %5lu ms; %6lu orders, %4lu open, %3u asked again; sequence %lu; "
           "audit %lu ms\n",
           victim, took, a.orders, a.open, waiting, a.sequence, exchange_ms() - since);
    recovered_ms += took;
    recoveries++;
    slowest_ms = max_u64(slowest_ms, took);
    rounds++;
    if (!settled) fail_msg("%u orders never get an answer", l.unknown_count);
    assert_int_equal(l.faults, 0);
    load_resume(&l);
}

static void trade_a_while(void)
{
    load_run(&l, 300 + client_random(&l.seed) % 500);
    audit_look(&a);
    load_run(&l, 20 + client_random(&l.seed) % 50);
}

static void kill_one(const char *victim)
{
    trade_a_while();
    assert_true(exchange_look(&x));
    pid_t pid = exchange_pid(&x, victim);
    if (!pid) fail_msg("there is no process %s: %s", victim, x.said);
    load_burst(&l, (u32)(client_random(&l.seed) % BURST));
    exchange_kill(pid);
    hold_to_account(victim, wait_until_back(victim, pid));
}

static void kill_all(void)
{
    trade_a_while();
    assert_true(exchange_look(&x));
    load_burst(&l, (u32)(client_random(&l.seed) % BURST));
    exchange_kill_all(&x);
    hold_to_account("everybody", start_again());
}

/* --- Tests -------------------------------------------------------------------------------------*/

/* Without a kill: what is found later is then the kill's doing. */
static void without_a_kill(void **state)
{
    (void)state;
    load_run(&l, 1000);
    hold_to_account("nobody", 0);
}

static void each_process_in_turn(void **state)
{
    (void)state;
    for (u32 i = 0; i < COUNT_OF(victims); i++) kill_one(victims[i]);
}

static void all_at_once(void **state)
{
    (void)state;
    for (u32 i = 0; i < ALL_SHORT; i++) kill_all();
}

static void fifty_rounds(void **state)
{
    (void)state;
    if (!is_long()) skip();
    a.every = 8;
    for (u32 i = 0; i < ROUNDS_LONG; i++) {
        u32 who = i % (COUNT_OF(victims) + 1);
        if (who < COUNT_OF(victims)) kill_one(victims[who]);
        else kill_all();
    }
}

/* Stopped in order and started again it is the same exchange, and its journal has no flaw. */
static void stopped_and_started(void **state)
{
    (void)state;
    a.every = 1;
    load_run(&l, 300);
    assert_true(load_settle(&l, SETTLE_MS));
    audit_look(&a);
    assert_int_equal(exchange_down(&x), 0);
    assert_int_equal(exchange_ctl(&x, "journal verify"), 0);
    hold_to_account("after down", start_again());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_kill),      cmocka_unit_test(each_process_in_turn),
        cmocka_unit_test(all_at_once),         cmocka_unit_test(fifty_rounds),
        cmocka_unit_test(stopped_and_started),
    };
    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests_name("kill", tests, start, stop);
}
