#include "tests/sim/plan.h"

#include <string.h>

const char *const plan_names[OP_COUNT] = {
#define PLAN_NAME(name, what) #name,
    PLAN_OPS(PLAN_NAME)
#undef PLAN_NAME
};

/* How often, of 10000 steps, where a kind is switched on at its usual rate. */
static const u32 usual[OP_COUNT] = {
    [OP_CLIENT] = 2200,     [OP_REPLIES] = 500,     [OP_TRADING] = 3600,     [OP_MATCHING] = 2000,
    [OP_JOURNAL] = 600,     [OP_SNAPSHOT] = 200,    [OP_MARKET] = 200,       [OP_CLOCK] = 300,
    [OP_QUIET] = 2,         [OP_KILL_TRADING] = 12, [OP_KILL_MATCHING] = 12, [OP_KILL_JOURNAL] = 12,
    [OP_KILL_SNAPSHOT] = 4, [OP_KILL_MARKET] = 6,   [OP_CRASH] = 6,          [OP_CLOCK_JUMP] = 4,
    [OP_DISK_FULL] = 6,     [OP_DISK_SLOW] = 6,     [OP_DISK_ERROR] = 8,     [OP_SNAPSHOT_ROT] = 2,
    [OP_STANDBY] = 800,     [OP_KILL_STANDBY] = 8,
};

/* In busy runs, where logs fill and readers are lapped: the weight + 1, 0 = as drawn. */
#define BUSY 16U
static const u32 busy[OP_COUNT] = {
    [OP_QUIET] = 1, [OP_CRASH] = 2, [OP_DISK_FULL] = 21, [OP_MARKET] = 4, [OP_KILL_MARKET] = 2};

u64 plan_random(u64 *state)
{
    u64 z = *state += 0x9e3779b97f4a7c15UL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9UL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebUL;
    return z ^ (z >> 31);
}

/* Steps are a quarter to four times as frequent as usual, faults absent, usual or many. */
static u32 draw_weights(u64 *state, u32 burst, u32 weights[OP_COUNT])
{
    u32 total = 0;
    for (u32 op = 0; op < OP_COUNT; op++) {
        u64 r = plan_random(state);
        weights[op] = usual[op];
        if (op < OP_QUIET) weights[op] = (usual[op] << (r % 3)) / 2;
        /* Those who only read may be late, and so may the journal. */
        bool reads = op == OP_SNAPSHOT || op == OP_MARKET || op == OP_JOURNAL || op == OP_STANDBY;
        if (reads && r >> 8 & 1) weights[op] /= op == OP_JOURNAL ? 10 : 40;
        if (op > OP_QUIET && r % 3 == 0) weights[op] = 0;
        if (op > OP_QUIET && r % 12 == 1) weights[op] *= 8;
        if (burst >= BUSY && busy[op]) weights[op] = busy[op] - 1;
        total += weights[op];
    }
    return total;
}

void plan_sizes(struct topo_params *p, u64 random)
{
    p->orders_max = random & 2 ? PLAN_ORDERS : 300 + (random >> 8 & 511);
    p->resting_max = random & 4 ? PLAN_RESTING : 20 + (random >> 20 & 127);
}

static void draw_params(struct plan *p, u64 *state)
{
    u64 r = plan_random(state);
    p->sizes = r;
    p->params = (struct topo_params){.api = 1,
                                     .verify = 2,
                                     .matching = 1 + (r & 1),
                                     .accounts_max = 64,
                                     .balances_max = 512,
                                     .nonce_windows_max = 128,
                                     .transfers_max = 1024,
                                     .orders_max = PLAN_ORDERS,
                                     .resting_max = PLAN_RESTING,
                                     .command_bytes = 1UL << 20,
                                     .match_bytes = 1UL << 20,
                                     .account_bytes = 1UL << 20,
                                     .ring_bytes = 64UL << 10,
                                     .recent_trades = 50,
                                     .markets_max = 16,
                                     .candles = MARKET_CANDLES_FEWEST,
                                     .history_rows = 1024};
    p->segment_bytes = 256UL << 10;
    p->batch_bytes = 16384UL << (r >> 30 & 3);
    u32 heavy = r >> 40 & 7;
    p->burst = heavy < 2 ? BUSY + (r >> 44 & 63) : heavy < 4 ? 1 + (r >> 44 & 15) : 1;
    p->random = plan_random(state);
}

void plan_make(struct plan *p, u64 seed, u32 steps)
{
    u64 state = seed * 0x2545f4914f6cdd1dUL + 1;
    u32 weights[OP_COUNT];
    *p = (struct plan){.seed = seed, .count = steps};
    draw_params(p, &state);
    u32 total = draw_weights(&state, p->burst, weights);
    p->count = steps = max_u64(steps / (1 + p->burst / 48), 1) & UINT32_MAX;
    p->steps = calloc(steps, sizeof *p->steps);
    p->dropped = calloc(steps, 1);
    CHECK(p->steps && p->dropped);
    for (u32 i = 0; i < steps; i++) {
        u64 at = plan_random(&state) % total;
        u32 op = 0;
        for (; at >= weights[op]; op++) at -= weights[op];
        p->steps[i] = (struct plan_step){.op = op, .random = plan_random(&state)};
    }
    /* A young exchange is worth a crash of its own. */
    u64 r = plan_random(&state);
    if (r & 1) p->steps[(r >> 8) % min_u64(steps, 128)].op = OP_CRASH;
}

void plan_free(struct plan *p)
{
    free(p->steps);
    free(p->dropped);
    *p = (struct plan){0};
}
