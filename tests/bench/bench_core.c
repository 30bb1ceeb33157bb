/* bench_core: what trading and matching cost without processes, disks and signatures: both machines
 * in one thread, with their real logs, and a ring that orders come by. Prints ns per order for each
 * and for both; once as the processes do it, and once without telling the machines of what comes.
 * Orders that ended give their slots up to new ones, as in an exchange that has run for a while.
 *   bench_core [seed [accounts]]      default 1; 1000, then 50000 */
#include <string.h>
#include <time.h>

#include "shm/ring.h"
#include "shm/trading_ahead.h"
#include "tests/lib/engine.h"
#include "tests/lib/flow.h"

#define ORDERS     (1UL << 20)
#define BATCH      64U
#define TURN       8192U
#define RING_BYTES (1UL << 20)

static struct engine_sizes sizes_for(u32 accounts)
{
    return (struct engine_sizes){.accounts = accounts + 1,
                                 .balances = 4 * accounts,
                                 .nonce_windows = 2 * accounts,
                                 .orders = 1U << 18,
                                 .resting = 1U << 18,
                                 .log_bytes = 64UL << 20};
}

static u64 now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (u64)t.tv_sec * 1000000000UL + (u64)t.tv_nsec;
}

static void on_reply(void *context, const struct msg *m)
{
    (void)context, (void)m;
}

struct spent {
    u64 accept, match, merge;
};

/* The machines, and the ring that orders come by. */
struct lane {
    struct engine engine;
    struct flow flow;
    struct spent spent;
    struct ring_tx tx;
    struct ring_rx rx;
    _Atomic u64 tail;
    u64 told[TRADING_AHEAD_MESSAGE_STAGES];
    struct trading_slots slots;
    void *ring;
};

static struct lane *lane_open(u64 seed, u32 accounts)
{
    struct lane *l = aligned_alloc(4096, align_up(sizeof *l, 4096));
    struct engine_sizes sizes = sizes_for(accounts);
    CHECK(l);
    memset(l, 0, sizeof *l);
    l->ring = calloc(1, ring_footprint(RING_BYTES));
    CHECK(l->ring);
    ring_new(l->ring, RING_BYTES);
    ring_join_tx(&l->tx, l->ring, &l->tail);
    ring_join_rx(&l->rx, l->ring, &l->tail);
    engine_init(&l->engine, &sizes, on_reply, NULL);
    flow_init(&l->flow, seed, accounts);
    flow_config(&l->engine.trading);
    for (u32 i = 0; i < accounts * 3; i++) {
        struct msg_credit m;
        flow_credit(&l->flow, i, &m);
        trading_credit(&l->engine.trading, &m, NO_SOURCE, 0);
        engine_settle(&l->engine);
    }
    return l;
}

static void lane_close(struct lane *l)
{
    flow_free(&l->flow);
    engine_free(&l->engine);
    free(l->ring);
    free(l);
}

static void send(struct lane *l)
{
    for (u32 i = 0; i < BATCH; i++) {
        struct msg_order *m = ring_alloc(&l->tx, sizeof *m);
        CHECK(m);
        flow_order(&l->flow, m);
        ring_push(&l->tx, sizeof *m);
    }
    ring_publish(&l->tx);
}

static void batch(struct lane *l, bool ahead)
{
    struct engine *e = &l->engine;
    const struct msg *m;
    send(l);
    u64 a = now();
    for (; (m = ring_peek(&l->rx)); ring_pop(&l->rx, m->length)) {
        e->trading.now_ns++;
        if (ahead) trading_look_ahead(&e->trading, &l->rx, m->length, l->told, &l->slots);
        trading_order(&e->trading, (const void *)m, NO_SOURCE, 0);
    }
    ring_release(&l->rx);
    log_publish(&e->command);
    u64 b = now();
    const struct rec *cmd;
    if (ahead) matching_look_ahead(&e->matching, &e->commands, BATCH);
    for (; (cmd = log_peek(&e->commands)); log_advance(&e->commands, cmd))
        while (!matching_apply(&e->matching, cmd) && !matching_more(&e->matching))
            ;
    log_publish(&e->match);
    u64 c = now();
    while (trading_merge(&e->trading, 0, &e->matches))
        ;
    log_publish(&e->account);
    u64 d = now();
    l->spent.accept += b - a;
    l->spent.match += c - b;
    l->spent.merge += d - c;
}

static void print(const char *name, const struct spent *s)
{
    double n = (double)ORDERS;
    printf(
        "  %-14s ns per order: accept %.0f, match %.0f, merge %.0f; %.2f M orders/s in one core\n",
        name, (double)s->accept / n, (double)s->match / n, (double)s->merge / n,
        n * 1e3 / (double)(s->accept + s->match + s->merge));
}

/* The two in turns, as a machine is seldom as fast all the time. */
static void run(u64 seed, u32 accounts)
{
    struct lane *told = lane_open(seed, accounts), *plain = lane_open(seed, accounts);
    const struct engine *e = &told->engine;
    u64 command = e->command.head, match = e->match.head, account = e->account.head;
    for (u64 i = 0; i < ORDERS; i += TURN) {
        for (u64 k = 0; k < TURN; k += BATCH) batch(told, true);
        for (u64 k = 0; k < TURN; k += BATCH) batch(plain, false);
    }
    CHECK(e->account.digest == plain->engine.account.digest);
    double n = (double)ORDERS;
    printf("%u accounts, %lu orders, %u open; bytes per order: command %.0f, match %.0f, account "
           "%.0f\n",
           accounts, ORDERS, e->trading.orders->open_count, (double)(e->command.head - command) / n,
           (double)(e->match.head - match) / n, (double)(e->account.head - account) / n);
    print("told ahead", &told->spent);
    print("not", &plain->spent);
    lane_close(told);
    lane_close(plain);
}

int main(int argc, char **argv)
{
    u64 seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    if (argc > 2) {
        run(seed, (u32)strtoul(argv[2], NULL, 10));
        return 0;
    }
    run(seed, 1000);
    run(seed, 50000);
    return 0;
}
