/* Those who read what is on disk or durable: the snapshot process (procs/snapshot) and market data
 * (procs/market), step by step. */
#include "tests/sim/sim.h"

#include "shm/err.h"

#include <string.h>
#include <sys/stat.h>

static int take_derived(void *context, u32 log, const struct rec *rec)
{
    struct world *w = context;
    check_made(&w->snapshot.check, log, rec);
    return 0;
}

static u64 durable_seq(const struct world *w)
{
    return atomic_load_explicit(&w->segment.durable.seq, memory_order_acquire);
}

static int load(struct sim_snapshot *s, u64 most)
{
    struct snapshot_reader r;
    int found = snapshot_newest(&r, s->dir.dir, s->dir.instance, most, NULL, NULL, NULL);
    if (found <= 0) return found;
    int rc = replica_load(&s->replica, &r);
    snapshot_close(&r);
    s->saved = s->replica.seq;
    return rc;
}

static int open_snapshot(struct world *w)
{
    struct sim_snapshot *s = &w->snapshot;
    struct snapshot_info info;
    struct replica_config config = {.params = &w->params,
                                    .trading = true,
                                    .market = true,
                                    .matching_count = w->params.matching,
                                    .market_data = s->data,
                                    .sink = take_derived,
                                    .context = w};
    char path[300];
    struct market_config market = topo_market_config(&w->params);
    *s = (struct sim_snapshot){.alive = true, .data = s->data, .commands.fd = -1};
    if (!market_new(s->data, &market)) return -1;
    if (logdir_open(&s->dir, w->journal_dir, false)) return -1;
    snprintf(path, sizeof path, "%s/snapshots", s->dir.dir);
    mkdir(path, 0755);
    if (replica_open(&s->replica, &config) || load(s, durable_seq(w))) return -1;
    replica_info(&s->replica, &info);
    s->check.durable = &w->segment.durable;
    if (check_add(&s->check, &s->dir, LOG_ACCOUNT, info.account_seq)) return -1;
    for (u32 i = 0; i < w->params.matching; i++)
        if (check_add(&s->check, &s->dir, LOG_MATCH(i), info.match_seq[i])) return -1;
    enum logfile_status status =
        logfile_open(&s->commands, &s->dir, LOG_COMMAND, s->replica.seq, durable_seq(w));
    return status == LOGFILE_END ? 0 : -1;
}

static int snapshot_work(struct world *w, u64 random, u64 *work)
{
    struct sim_snapshot *s = &w->snapshot;
    const struct rec *cmd;
    s->commands.limit = durable_seq(w);
    for (u64 n = random % 64 + 1; n && s->commands.seq < s->commands.limit; n--, ++*work)
        if (logfile_next(&s->commands, &cmd) != LOGFILE_RECORD || replica_apply(&s->replica, cmd))
            return -1;
    i64 compared = check_files(&s->check, (u32)(random >> 8 & 255) + 1);
    if (compared < 0) return -1;
    *work += (u64)compared;
    if (random >> 20 & 31 || s->replica.seq == s->saved || w->settling) return 0;
    s->saved = s->replica.seq;
    return replica_save(&s->replica, s->dir.dir, s->dir.instance, NULL) ||
                   snapshot_retire(s->dir.dir, s->dir.instance, 3)
               ? -1
               : 0;
}

bool snapshot_step(struct world *w, u64 random)
{
    struct sim_snapshot *s = &w->snapshot;
    u64 work = 0;
    if (!w->journal.ready) return false;
    u32 was = disk_enter(ACTOR_SNAPSHOT);
    int rc = s->alive ? snapshot_work(w, random, &work) : open_snapshot(w);
    disk_enter(was);
    if (rc) world_unrecovered(w, "the standing proof holds");
    return work != 0;
}

void snapshot_kill(struct world *w)
{
    struct sim_snapshot *s = &w->snapshot;
    if (!s->alive) return;
    w->result->kills++;
    logfile_close(&s->commands);
    check_close(&s->check);
    replica_close(&s->replica);
    logdir_close(&s->dir);
    s->alive = false;
    disk_kill(ACTOR_SNAPSHOT);
}

static int from_section(void *context, void *data, u64 bytes)
{
    return snapshot_get(context, data, bytes);
}

static int load_market(struct world *w)
{
    struct snapshot_reader r;
    struct logdir dir;
    int rc = 0;
    if (logdir_open(&dir, w->journal_dir, false)) return -1;
    int found = snapshot_newest(&r, dir.dir, dir.instance, UINT64_MAX, NULL, NULL, NULL);
    logdir_close(&dir);
    if (found <= 0) return found;
    if (snapshot_seek(&r, SECTION_MARKET_DATA, 0))
        rc = market_load(w->market.data, from_section, &r);
    snapshot_close(&r);
    return rc;
}

static int open_market(struct world *w)
{
    struct sim_market *m = &w->market;
    struct market_config config = topo_market_config(&w->params);
    if (!market_new(m->data, &config)) return -1;
    m->markets = 0;
    m->alive = true;
    for (u32 i = 0; i < SIM_MATCHINGS; i++) m->follows[i].files.buf = NULL;
    if (load_market(w)) return -1;
    for (u32 i = 0; i < w->params.matching; i++)
        if (follow_open(&m->follows[i], w->journal_dir, LOG_MATCH(i), w->segment.logs[LOG_MATCH(i)],
                        &w->segment.durable, market_through(m->data, (u16)i)))
            return -1;
    for (u32 i = 0; i < w->params.matching; i++)
        m->follows[i].sees_all = w->mutant == MUTANT_HIDES_NOTHING;
    return 0;
}

static int open_markets(struct world *w)
{
    struct sim_market *m = &w->market;
    const struct rules *rules = w->trading.machine.rules;
    for (; m->markets < rules->market_count; m->markets++) {
        const struct market *row = &rules->markets[m->markets];
        if (market_add(m->data, m->markets, row->matching, row->tick_lot)) return -1;
    }
    return 0;
}

static int market_work(struct world *w, u64 random, u32 *work)
{
    struct sim_market *m = &w->market;
    const struct rec *rec;
    for (u32 i = 0; i < w->params.matching; i++) {
        u64 laps = m->follows[i].laps;
        for (u64 n = random >> 8 * i & 127; n; n--, ++*work) {
            if (open_markets(w)) return -1;
            int found = follow_next(&m->follows[i], &rec);
            if (found < 0) return -1;
            if (!found) break;
            if (rec->cause > durable_seq(w))
                sim_fail(w, "nothing is seen before it is durable",
                         "market data read match record %lu of process %u, which follows from "
                         "command %lu; durable is %lu",
                         rec->seq, i, rec->cause, durable_seq(w));
            if (market_apply(m->data, (u16)i, rec)) return -1;
        }
        w->result->laps += m->follows[i].laps - laps;
    }
    return 0;
}

/* It opens markets before the records that need them, so it waits while trading rebuilds them. */
bool market_step(struct world *w, u64 random)
{
    u32 work = 0;
    if (!w->journal.ready || !w->trading.alive) return false;
    u32 was = disk_enter(ACTOR_MARKET);
    int rc = w->market.alive ? market_work(w, random, &work) : open_market(w);
    disk_enter(was);
    if (rc) sim_fail(w, "market data follows", "%s", err_text());
    return work != 0;
}

void market_kill(struct world *w)
{
    if (!w->market.alive) return;
    w->result->kills++;
    w->market.alive = false;
    for (u32 i = 0; i < w->params.matching; i++) follow_close(&w->market.follows[i]);
    disk_kill(ACTOR_MARKET);
}
