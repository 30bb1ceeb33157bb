/* bench_signed: signed orders a second through the whole exchange, from POST /orders to the answer
 * that leaves once the order is matched and durable on disk, beside what one core of libsecp256k1
 * recovers alone.
 *
 *   recover    secp256k1_ecdsa_recover of different signatures, nothing else, one pinned core
 *   orders     every process of `eidosctl up`, default sizes, verify on one core, all others and
 *              this generator on the other; connections are kept, one request at a time on each
 *
 * The two take turns in the same run; printed are the medians of their rates and the ratio, then
 * latency at saturation and at half of that rate, and what an order costs each process. Orders are
 * OrderV2 of many wallets, signed ahead; half of them rest, half take what rests. Every answer must
 * be 200 with an order.
 *   bench_signed [seed] [seconds of a round] [connections] [pinned: 1 or 0]
 */
#include <sched.h>
#include <secp256k1.h>
#include <secp256k1_recovery.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/client.h"
#include "tests/lib/exchange.h"
#include "tests/lib/http_load.h"

#define WALLETS     32U
#define ROUNDS      7U     /* an odd number: the median is one of them */
#define HALF_ROUNDS 8U     /* at half the rate: long enough for what happens once a second */
#define RECOVERS    2048U  /* of a round: a tenth of a second */
#define RATE_MOST   22000U /* a second, that are signed ahead */
#define DEPTH       400U   /* resting orders before the first round */
#define LEVELS      10U    /* of each side */
#define REQUEST_MAX 900U   /* bytes, on average less */
#define CREDIT      "1000000000"
#define STP_TAKER   1 /* numbers as in signatures */
#define TIF_GTC     0
#define TIF_IOC     1
#define BUY         0

static const struct {
    u64 mid, step, amount; /* E8 */
} shapes[CLIENT_MARKETS] = {
    {50000 * E8, 1 * E8, 100000},
    {3000 * E8, E8 / 10, 1000000},
};

static struct exchange exchange;
static struct client_wallet wallets[WALLETS];
static u64 nonces[WALLETS];
static struct http_script script;
static struct http_load load;
static u64 seed;

static struct {
    secp256k1_context *context;
    secp256k1_ecdsa_recoverable_signature signatures[RECOVERS];
    u8 digests[RECOVERS][32];
} alone;

static u64 now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (u64)t.tv_sec * 1000000000UL + (u64)t.tv_nsec;
}

static u32 dice(u32 sides)
{
    return (u32)(client_random(&seed) % sides);
}

static void pin(int core)
{
    cpu_set_t cores;
    CPU_ZERO(&cores);
    if (core >= 0) CPU_SET((size_t)core, &cores);
    else
        for (long i = 0; i < sysconf(_SC_NPROCESSORS_ONLN); i++) CPU_SET((size_t)i, &cores);
    if (sched_setaffinity(0, sizeof cores, &cores)) perror("not pinned, expect noise");
}

/* --- What one core recovers --------------------------------------------------------------------*/

static void make_alone(void)
{
    u8 key[32];
    alone.context = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    CHECK(alone.context);
    for (u32 i = 0; i < RECOVERS; i++) {
        for (u32 k = 0; k < sizeof key; k++) {
            key[k] = (u8)client_random(&seed);
            alone.digests[i][k] = (u8)client_random(&seed);
        }
        CHECK(secp256k1_ecdsa_sign_recoverable(alone.context, &alone.signatures[i],
                                               alone.digests[i], key, NULL, NULL));
    }
}

/* Recovers a second. */
static double recover_alone(void)
{
    secp256k1_pubkey key;
    u64 begun = now_ns();
    for (u32 i = 0; i < RECOVERS; i++)
        CHECK(secp256k1_ecdsa_recover(alone.context, &key, &alone.signatures[i], alone.digests[i]));
    return RECOVERS * 1e9 / (double)(now_ns() - begun);
}

/* --- What is sent ------------------------------------------------------------------------------*/

static void add_order(bool rests)
{
    char body[CLIENT_BODY];
    u32 who = dice(WALLETS);
    struct order_spec o = {.nonce = ++nonces[who],
                           .market = (u8)dice(CLIENT_MARKETS),
                           .side = (u8)dice(2),
                           .tif = rests ? TIF_GTC : TIF_IOC,
                           .stp = STP_TAKER};
    u64 away = (1 + dice(LEVELS)) * shapes[o.market].step;
    bool below = (o.side == BUY) == rests; /* of the middle */
    if (!rests) away = LEVELS * shapes[o.market].step;
    o.price = below ? shapes[o.market].mid - away : shapes[o.market].mid + away;
    o.amount = shapes[o.market].amount;
    order_body(&wallets[who], &o, body);
    http_script_post(&script, "/api/v1/orders", body);
}

static void make_script(double seconds)
{
    u32 count = DEPTH + (u32)(RATE_MOST * seconds * (ROUNDS + 1 + HALF_ROUNDS / 2.0));
    http_script_make(&script, count, (u64)count * REQUEST_MAX);
    for (u32 i = 0; i < DEPTH; i++) add_order(true);
    while (script.count < count) add_order(script.count % 2);
}

/* --- The exchange ------------------------------------------------------------------------------*/

/* In the order of `eidosctl ps`: journal, trading, matching, market, history, snapshot, verify,
 * api, and the standbys of trading and matching. */
static const char *const PINNED = "run.pin_cores=0,0,0,0,0,0,1,0,0,0";

static void stop(void)
{
    exchange_remove(&exchange);
}

static void start(bool pinned)
{
    static const char *const sets[] = {"limits.rates=off",
                                       "shm.hugepages=auto",
                                       "log.command_bytes=16M",
                                       "log.match_bytes=16M",
                                       "log.account_bytes=32M",
                                       "journal.segment_bytes=256M",
                                       "matching.orders_max=1048576",
                                       "trading.balances_max=262144"};
    exchange_make(&exchange);
    for (u32 i = 0; i < COUNT_OF(sets); i++) exchange.sets[exchange.set_count++] = sets[i];
    if (pinned) exchange.sets[exchange.set_count++] = PINNED;
    if (exchange_up(&exchange)) {
        fprintf(stderr, "bench_signed: the exchange does not start: %s\n", exchange.said);
        stop();
        exit(1);
    }
    for (u32 i = 0; i < WALLETS; i++) {
        wallet_make(&wallets[i], &seed);
        exchange_credit(&exchange, wallets[i].text, "USDC", CREDIT);
        for (u32 m = 0; m < CLIENT_MARKETS; m++)
            exchange_credit(&exchange, wallets[i].text, client_bases[m], CREDIT);
    }
}

static u64 durable_sequence(void)
{
    json_t *status = exchange_status(&exchange);
    u64 seq = (u64)json_integer_value(json_object_get(status, "durable_sequence"));
    CHECK(seq);
    json_decref(status);
    return seq;
}

/* --- Processor time ----------------------------------------------------------------------------*/

struct usage {
    i64 user_us, system_us, sleeps;
};

static struct usage usage_of(pid_t pid)
{
    char path[64], line[512];
    i64 user = 0, sys = 0, sleeps = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *f = fopen(path, "re");
    CHECK(f && fgets(line, sizeof line, f));
    fclose(f);
    const char *end = strrchr(line, ')');
    CHECK(end &&
          sscanf(end + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld", &user, &sys) == 2);
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    f = fopen(path, "re");
    CHECK(f);
    while (fgets(line, sizeof line, f) &&
           sscanf(line, "voluntary_ctxt_switches: %ld", &sleeps) != 1) {
    }
    fclose(f);
    i64 tick_us = 1000000L / sysconf(_SC_CLK_TCK);
    return (struct usage){user * tick_us, sys * tick_us, sleeps};
}

/* Add what each used since the process began, or with `sign` -1 take it away. */
static void add_usage(struct usage sum[EXCHANGE_PROCS_MAX + 1], i64 sign)
{
    for (u32 i = 0; i <= exchange.count; i++) {
        struct usage u = usage_of(i < exchange.count ? exchange.procs[i].pid : getpid());
        sum[i].user_us += sign * u.user_us;
        sum[i].system_us += sign * u.system_us;
        sum[i].sleeps += sign * u.sleeps;
    }
}

static void print_usage(const struct usage *used, double orders)
{
    double all = 0;
    printf("of an order             user   system      sum us   sleeps\n");
    for (u32 i = 0; i <= exchange.count; i++) {
        double user = (double)used[i].user_us / orders, sys = (double)used[i].system_us / orders;
        printf("  %-18s %7.2f  %7.2f  %10.2f  %7.3f\n",
               i < exchange.count ? exchange.procs[i].name : "this generator", user, sys,
               user + sys, (double)used[i].sleeps / orders);
        if (i < exchange.count) all += user + sys;
    }
    printf("  %-18s %27.2f\n", "the exchange", all);
}

/* --- Measuring ---------------------------------------------------------------------------------*/

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double values[ROUNDS])
{
    double sorted[ROUNDS];
    memcpy(sorted, values, sizeof sorted);
    qsort(sorted, ROUNDS, sizeof sorted[0], by_value);
    return sorted[ROUNDS / 2];
}

static void print_latency(const char *what, double rate)
{
    printf("latency %s (%.0f orders/s): p50 %u us, p99 %u us, p99.9 %u us, most %u us\n", what,
           rate, http_load_percentile(&load, 0.5), http_load_percentile(&load, 0.99),
           http_load_percentile(&load, 0.999), http_load_percentile(&load, 1));
}

/* A round of orders; what it cost everybody is added to `used`. */
static double run_orders(double seconds, double rate, struct usage used[EXCHANGE_PROCS_MAX + 1])
{
    add_usage(used, -1);
    double reached = http_load_run(&load, seconds, rate);
    add_usage(used, 1);
    return reached;
}

/* Rounds of both; returns the median of the orders' rate. */
static double compare(double seconds, bool pinned)
{
    static struct usage used[EXCHANGE_PROCS_MAX + 1];
    double recovers[ROUNDS], orders[ROUNDS], ratios[ROUNDS];
    u64 from = load.good + load.bad;
    for (u32 i = 0; i < ROUNDS; i++) {
        pin(1);
        recovers[i] = recover_alone();
        pin(pinned ? 0 : -1);
        orders[i] = run_orders(seconds, 0, used);
        ratios[i] = orders[i] / recovers[i];
        printf("round %u: recover %.0f /s, orders %.0f /s, %.1f %%\n", i + 1, recovers[i],
               orders[i], 100 * ratios[i]);
    }
    print_usage(used, (double)(load.good + load.bad - from));
    printf("one core of libsecp256k1, alone: median %.0f recovers/s\n", median(recovers));
    printf("signed orders through HTTP, durable on disk: median %.0f orders/s, %.1f %% of it\n",
           median(orders), 100 * median(ratios));
    print_latency("at saturation", orders[ROUNDS - 1]);
    return median(orders);
}

static void run_at(double rate, double seconds)
{
    static struct usage used[EXCHANGE_PROCS_MAX + 1];
    u64 from = load.good + load.bad;
    run_orders(seconds, rate, used);
    print_latency("at half of it", rate);
    print_usage(used, (double)(load.good + load.bad - from));
}

int main(int argc, char **argv)
{
    u64 first = seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 1.0;
    u32 connections = argc > 3 ? (u32)strtoul(argv[3], NULL, 10) : 256;
    bool pinned = argc > 4 ? atoi(argv[4]) : sysconf(_SC_NPROCESSORS_ONLN) == 2;
    start(pinned);
    make_alone();
    make_script(seconds);
    http_load_open(&load, &script, connections, exchange.port);
    printf("seed %lu, %u wallets, %u connections, %u rounds of %.1f s%s\n", first, WALLETS,
           connections, ROUNDS, seconds, pinned ? ", verify on a core of its own" : "");
    u64 seq = durable_sequence();
    pin(pinned ? 0 : -1);
    while (load.next < DEPTH) http_load_run(&load, 0.01, 0);
    http_load_run(&load, seconds / 2, 0);
    run_at(compare(seconds, pinned) / 2, HALF_ROUNDS * seconds);
    printf("answers: %lu with an order, %lu others; %lu commands durable\n", load.good, load.bad,
           durable_sequence() - seq);
    http_load_close(&load);
    http_script_free(&script);
    secp256k1_context_destroy(alone.context);
    exchange_down(&exchange);
    stop();
    return load.bad != 0;
}
