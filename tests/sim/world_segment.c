/* The life of a segment: made, lost, made again by the recovery of the whole. */
#include "tests/sim/audit.h"

#include "shm/err.h"

#include <string.h>
#include <sys/mman.h>

#define DECIMALS 8U
#define WAD      1000000000000000000UL

void *world_memory(u64 bytes)
{
    void *p = mmap(NULL, align_up(bytes, 4096), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(p != MAP_FAILED);
    return p;
}

void world_config(struct trading *t, u32 matchings)
{
    static const char *const symbols[SIM_TOKENS] = {"USDC", "BTC", "ETH", "SOL"};
    struct cmd_limits limits = {.head = {.kind = CMD_LIMITS, .length = sizeof limits},
                                .version = 1};
    limits.open_orders = 150;
    limits.resting_orders = 1500;
    limits.expiry_max_ns = 30UL * 86400 * 1000000000;
    trading_config(t, &limits.head);
    for (u16 i = (u16)t->rules->token_count; i < SIM_TOKENS; i++) {
        struct cmd_token c = {.head = {.kind = CMD_TOKEN, .length = sizeof c}, .token = i};
        c.decimals = DECIMALS;
        c.version = 1;
        snprintf(c.symbol, sizeof c.symbol, "%s", symbols[i]);
        trading_config(t, &c.head);
    }
    for (u16 i = (u16)t->rules->market_count; i < SIM_MARKETS; i++) {
        struct cmd_market c = {.head = {.kind = CMD_MARKET, .length = sizeof c}, .market = i};
        c.base = i + 1;
        c.matching = (u16)(i % matchings);
        c.maker_rate = 1000000 + 333U * i;
        c.taker_rate = i == 2 ? 0 : 2000000;
        c.tick_wad = WAD / 100;
        c.lot_wad = WAD / 10000;
        c.lot_units = 10000;
        c.tick_lot = 100;
        c.price_max = 100000000;
        c.lots_min = 1;
        c.lots_max = 10000000;
        c.notional_min = 100000000;
        c.notional_max = 1000000UL * 100000000;
        c.version = 1;
        c.price_decimals = 2;
        c.amount_decimals = 4;
        snprintf(c.symbol, sizeof c.symbol, "%s-USDC", symbols[i + 1]);
        trading_config(t, &c.head);
    }
}

void world_source(struct world *w, struct recover_source *s)
{
    *s = (struct recover_source){.dir = w->journal_dir,
                                 .params = &w->params,
                                 .command = w->segment.logs[LOG_COMMAND],
                                 .durable = &w->segment.durable};
}

void world_fresh_segment(struct world *w)
{
    struct sim_segment *s = &w->segment;
    const struct topo_params *p = &w->params;
    u64 capacity[SIM_LOGS] = {p->command_bytes, p->account_bytes, p->match_bytes, p->match_bytes};
    for (u32 log = 0; log < SIM_LOGS; log++) {
        if (s->logs[log]) munmap(s->logs[log], s->log_bytes[log]);
        s->log_bytes[log] = align_up(log_footprint(capacity[log]), 4096);
        s->logs[log] = world_memory(s->log_bytes[log]);
        log_new(s->logs[log], capacity[log], 0);
    }
    for (u32 i = 0; i <= SIM_SOURCES; i++) {
        struct ring **ring = i < SIM_SOURCES ? &s->ingress[i] : &s->replies;
        u64 bytes = i < SIM_SOURCES ? p->ring_bytes : 4 * p->ring_bytes;
        if (!*ring) *ring = world_memory(ring_footprint(bytes));
        memset(*ring, 0, ring_footprint(bytes));
        ring_new(*ring, bytes);
        atomic_store(&s->tails[i], 0);
    }
    memset(&s->durable, 0, sizeof s->durable);
    durable_new(&s->durable);
    memset(s->cursors, 0, sizeof s->cursors);
    memset(s->trading, 0, proc_footprint());
    for (u32 i = 0; i < p->matching; i++) memset(s->matching[i], 0, proc_footprint());
    w->ghost.log = NULL;
    s->number++;
    w->trading.epoch = 0;
    w->journal.ready = false;
    w->result->lives++;
}

/* The size of this life that the error names as too small, if the plan has a larger one; or NULL.
 */
static u64 *too_small(struct world *w, u64 *enough)
{
    const struct topo_params *most = &w->plan->params;
    const char *why = err_text();
    bool resting = strstr(why, "matching.orders_max");
    u64 *size = resting ? &w->params.resting_max : &w->params.orders_max;
    *enough = resting ? most->resting_max : most->orders_max;
    if (!strstr(why, "raise") || *size == *enough) return NULL;
    if (!resting && !strstr(why, "trading.orders_max")) return NULL;
    if (w->trace) printf("      %s\n", why);
    w->result->too_small++;
    return size;
}

void world_unrecovered(struct world *w, const char *label)
{
    u64 enough;
    if (!too_small(w, &enough)) sim_fail(w, label, "%s", err_text());
    w->wants_room = true;
    w->recovering = false;
}

/* An operator changes what a new life may hold. */
static void resize(struct world *w, u64 *state)
{
    u64 r = plan_random(state);
    if (w->wants_room) w->params = w->plan->params;
    else if (r % 3 == 0) plan_sizes(&w->params, plan_random(state));
    w->result->resized += w->wants_room || r % 3 == 0;
    w->wants_room = false;
}

/* The first start of a life is refused where it does not fit, and another with what was named. */
static int recover_whole(struct world *w, const struct recover_options *o, struct recovered *out)
{
    u64 *size, enough;
    int rc = recover_start(o, out);
    while (rc && (size = too_small(w, &enough))) {
        *size = enough;
        rc = recover_start(o, out);
    }
    return rc;
}

static void hear_report(void *context, const char *text)
{
    const struct world *w = context;
    if (w->trace) printf("      start: %s\n", text);
}

/* The start of the whole, which may itself be interrupted, and come again. */
static void start_whole(struct world *w, struct recovered *out)
{
    struct recover_options o = {.dir = w->journal_dir,
                                .params = &w->params,
                                .segment_bytes = w->plan->segment_bytes,
                                .snapshots_keep = 3,
                                .tail_commands = w->crash_random % 3 ? 300 : 0,
                                .leave_tail = w->crash_random / 3 % 2,
                                .report = hear_report,
                                .context = w};
    u64 state = w->crash_random;
    u32 was = disk_enter(ACTOR_START);
    w->tries = 0;
    if (sigsetjmp(w->start_jump, 0)) {
        disk_kill(ACTOR_START);
        state = w->crash_random + ++w->tries;
        bool power = plan_random(&state) % 2;
        if (w->trace) printf("      start: interrupted%s\n", power ? ", power lost" : "");
        if (power) disk_crash(plan_random(&state));
    }
    w->in_start = true;
    u64 r = plan_random(&state);
    w->die_in = w->tries < 3 && r % 3 == 0 && w->segment.number ? 1 + (u32)(r >> 8) % 30 : 0;
    int rc = recover_whole(w, &o, out);
    w->in_start = false;
    w->die_in = 0;
    disk_enter(was);
    if (rc) sim_fail(w, "the exchange starts", "%s", err_text());
}

void world_crash(struct world *w, u64 random)
{
    struct recovered out;
    bool first = w->segment.number == 0;
    u64 state = random;
    trading_kill(w);
    journal_kill(w);
    snapshot_kill(w);
    market_kill(w);
    standby_trading_kill(w);
    for (u32 i = 0; i < w->params.matching; i++) {
        matching_kill(w, i);
        standby_matching_kill(w, i);
    }
    clients_forget(w);
    w->result->crashes += !first;
    /* Now and then only the processes die, and the disk keeps everything. */
    bool power = plan_random(&state) % 4 != 0;
    if (w->trace && !first) printf("      all die%s\n", power ? ", power lost" : "");
    if (power && !first) disk_crash(plan_random(&state));
    w->crash_random = plan_random(&state);
    if (!first) resize(w, &state);
    memset(&out, 0, sizeof out);
    start_whole(w, &out);
    if (w->trace && !first)
        printf("      came back with command %lu, from snapshot %lu; durable was %lu\n", out.seq,
               out.snapshot_seq, w->audit->durable);
    audit_restart(w->audit, &out);
    world_fresh_segment(w);
    clients_join(w);
    audit_join(w->audit);
}
