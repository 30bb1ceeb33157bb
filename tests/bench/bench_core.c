/* bench_core: what trading and matching cost without processes, rings, disks and signatures: both
 * machines in one thread, with their real logs. Prints ns per order for each and for both. Orders
 * that ended give their slots up to new ones, as in an exchange that has run for a while.
 *   bench_core [seed [accounts]]      default 1, 1000 */
#include <time.h>

#include "tests/lib/engine.h"
#include "tests/lib/flow.h"

#define ORDERS (1UL << 20)
#define BATCH  64U

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

static u64 replies;

static void on_reply(void *context, const struct msg *m)
{
    (void)context;
    replies += m->kind == MSG_REPLY_ORDER;
}

struct spent {
    u64 accept, match, merge;
};

static void batch(struct engine *e, struct flow *f, struct spent *s)
{
    static struct msg_order m[BATCH];
    for (u32 i = 0; i < BATCH; i++) flow_order(f, &m[i]);
    u64 a = now();
    for (u32 i = 0; i < BATCH; i++) {
        e->trading.now_ns++;
        trading_order(&e->trading, &m[i], NO_SOURCE, 0);
    }
    log_publish(&e->command);
    u64 b = now();
    const struct rec *cmd;
    matching_look_ahead(&e->matching, &e->commands, BATCH);
    for (; (cmd = log_peek(&e->commands)); log_advance(&e->commands, cmd))
        while (!matching_apply(&e->matching, cmd) && !matching_more(&e->matching))
            ;
    log_publish(&e->match);
    u64 c = now();
    while (trading_merge(&e->trading, 0, &e->matches))
        ;
    log_publish(&e->account);
    u64 d = now();
    s->accept += b - a;
    s->match += c - b;
    s->merge += d - c;
}

int main(int argc, char **argv)
{
    struct engine *e = aligned_alloc(4096, align_up(sizeof *e, 4096));
    u32 accounts = argc > 2 ? (u32)strtoul(argv[2], NULL, 10) : 1000;
    struct engine_sizes sizes = sizes_for(accounts);
    struct flow f;
    struct spent s = {0};
    CHECK(e);
    engine_init(e, &sizes, on_reply, NULL);
    flow_init(&f, argc > 1 ? strtoull(argv[1], NULL, 10) : 1, accounts);
    flow_config(&e->trading);
    for (u32 i = 0; i < accounts * 3; i++) {
        struct msg_credit m;
        flow_credit(&f, i, &m);
        trading_credit(&e->trading, &m, NO_SOURCE, 0);
        engine_settle(e);
    }
    u64 command = e->command.head, match = e->match.head, account = e->account.head;
    for (u64 i = 0; i < ORDERS; i += BATCH) batch(e, &f, &s);
    double n = (double)ORDERS;
    printf(
        "orders %lu, commands %lu, match records %lu, account records %lu, answered %lu, open %u\n",
        ORDERS, e->command.seq, e->match.seq, e->account.seq, replies,
        e->trading.orders->open_count);
    printf("bytes per order: command %.0f, match %.0f, account %.0f\n",
           (double)(e->command.head - command) / n, (double)(e->match.head - match) / n,
           (double)(e->account.head - account) / n);
    printf("ns per order: accept %.0f, match %.0f, merge %.0f; %.2f M orders/s in one core\n",
           (double)s.accept / n, (double)s.match / n, (double)s.merge / n,
           n * 1e3 / (double)(s.accept + s.match + s.merge));
    flow_free(&f);
    engine_free(e);
    free(e);
    return 0;
}
