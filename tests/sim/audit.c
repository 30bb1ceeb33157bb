#include "tests/sim/audit.h"

#include "shm/err.h"

#include <string.h>

const struct rec *audit_record(const struct audit_stream *s, u64 seq)
{
    CHECK(seq && seq <= s->count);
    return (const struct rec *)(const void *)(s->bytes + s->at[seq - 1]);
}

void audit_push(struct audit_stream *s, const struct rec *rec)
{
    CHECK(rec->seq == s->count + 1);
    if (s->used + rec->length > s->room) {
        s->room = max_u64(2 * s->room, 1UL << 20);
        s->bytes = realloc(s->bytes, s->room);
    }
    if (s->count == s->at_room) {
        s->at_room = max_u64(2 * s->at_room, 4096);
        s->at = realloc(s->at, s->at_room * sizeof *s->at);
    }
    CHECK(s->bytes && s->at);
    memcpy(s->bytes + s->used, rec, rec->length);
    s->at[s->count++] = s->used;
    s->used += rec->length;
}

static const char *log_name(u32 log)
{
    static const char *const names[SIM_LOGS] = {"command", "account", "match-0", "match-1"};
    return names[log];
}

/* What replay makes of the commands: the measure of everything else. */
static int take_derived(void *context, u32 log, const struct rec *rec)
{
    struct audit *a = context;
    struct audit_stream *s = &a->streams[log];
    if (rec->seq != s->count + 1)
        sim_fail(a->world, "derived logs have no gaps", "%s log: record %lu after %lu",
                 log_name(log), rec->seq, s->count);
    if (rec->kind == MATCH_TRADE) a->world->result->trades++;
    audit_push(s, rec);
    if (log >= LOG_MATCH(0)) audit_book_match(a, rec);
    return 0;
}

static void open_replica(struct audit *a)
{
    struct replica_config c = {.params = &a->world->plan->params,
                               .trading = true,
                               .market = true,
                               .matching_count = a->world->plan->params.matching,
                               .market_data = a->market,
                               .sink = take_derived,
                               .context = a};
    struct market_config market = topo_market_config(c.params);
    CHECK(market_new(a->market, &market));
    CHECK(replica_open(&a->replica, &c) == 0);
    audit_book_reset(&a->book);
    audit_forget(a);
    for (u32 log = 1; log < SIM_LOGS; log++) a->streams[log].used = a->streams[log].count = 0;
}

struct audit *audit_open(struct world *w)
{
    struct audit *a = calloc(1, sizeof *a);
    CHECK(a);
    struct market_config market = topo_market_config(&w->plan->params);
    a->world = w;
    a->market = world_memory(market_footprint(&market));
    a->nonces = calloc(SIM_ACCOUNTS + 1, sizeof *a->nonces);
    CHECK(a->nonces);
    open_replica(a);
    return a;
}

static void apply(struct audit *a, const struct rec *cmd)
{
    audit_command(a, cmd);
    audit_book_command(a, cmd);
    if (replica_apply(&a->replica, cmd))
        sim_fail(a->world, "the command log replays", "%s", err_text());
    audit_book_end(a);
}

/* --- What is published -------------------------------------------------------------------------
 */

static const struct rec *next_live(struct audit *a, u32 log, void *buf)
{
    int n = log_copy(&a->live[log], buf, UINT64_MAX);
    if (n < 0)
        sim_fail(a->world, "logs hold back for their gates", "%s log: lapped after record %lu",
                 log_name(log), a->live[log].seq);
    return n ? buf : NULL;
}

static void follow_commands(struct audit *a)
{
    static alignas(8) u8 buf[RECORD_BYTES_MAX];
    struct audit_stream *s = &a->streams[LOG_COMMAND];
    const struct rec *rec;
    while ((rec = next_live(a, LOG_COMMAND, buf))) {
        if (rec->seq != s->count + 1)
            sim_fail(a->world, "the command log has no gaps", "record %lu after %lu", rec->seq,
                     s->count);
        if (!rec_is_whole(rec)) sim_fail(a->world, "records are whole", "command %lu", rec->seq);
        audit_push(s, rec);
        apply(a, audit_record(s, rec->seq));
    }
}

/* A live derived record is the one that replay makes, to the byte. */
static void follow_derived(struct audit *a, u32 log)
{
    static alignas(8) u8 buf[RECORD_BYTES_MAX];
    const struct audit_stream *s = &a->streams[log];
    const struct rec *rec;
    u64 before = a->live[log].seq;
    while ((rec = next_live(a, log, buf))) {
        if (before && rec->seq != before + 1)
            sim_fail(a->world, "derived logs have no gaps", "%s log: record %lu after %lu",
                     log_name(log), rec->seq, before);
        before = rec->seq;
        if (rec->seq > s->count)
            sim_fail(
                a->world, "what follows is not seen before its cause",
                "%s log: record %lu of command %lu is published, the commands through %lu make "
                "%lu",
                log_name(log), rec->seq, rec->cause, a->streams[LOG_COMMAND].count, s->count);
        const struct rec *mine = audit_record(s, rec->seq);
        if (rec->length != mine->length || memcmp(rec, mine, rec->length) != 0)
            sim_fail(a->world, "live = replay",
                     "%s log: record %lu differs: kind %u, cause %lu; replay: kind %u, cause %lu",
                     log_name(log), rec->seq, rec->kind, rec->cause, mine->kind, mine->cause);
    }
}

void audit_follow(struct audit *a)
{
    u64 durable = atomic_load(&a->world->segment.durable.seq);
    for (u32 log = 0; log < LOG_MATCH(a->world->plan->params.matching); log++) {
        u64 head = atomic_load(&a->world->segment.logs[log]->head);
        if (head < a->live[log].pos)
            sim_fail(a->world, "a head never goes back", "of log %u: from %lu to %lu", log,
                     a->live[log].pos, head);
    }
    follow_commands(a);
    for (u32 log = 1; log < LOG_MATCH(a->world->plan->params.matching); log++)
        follow_derived(a, log);
    if (durable > a->streams[LOG_COMMAND].count)
        sim_fail(a->world, "durable is published", "durable.seq is %lu, the log ends with %lu",
                 durable, a->streams[LOG_COMMAND].count);
    if (a->world->journal.ready && durable < a->durable)
        sim_fail(a->world, "durable never falls", "durable.seq went from %lu to %lu", a->durable,
                 durable);
    a->durable = max_u64(a->durable, durable);
}

void audit_join(struct audit *a)
{
    for (u32 log = 0; log < SIM_LOGS; log++) {
        log_join_reader(&a->live[log], a->world->segment.logs[log]);
        a->live[log].seq = 0;
    }
}

/* --- Coming back -------------------------------------------------------------------------------
 */

/* The surviving commands are those that were there. */
static void compare_survivors(struct audit *a, u64 through)
{
    struct audit_stream *s = &a->streams[LOG_COMMAND];
    struct logfile_reader r;
    struct logdir dir;
    const struct rec *rec = NULL;
    if (!through) return;
    CHECK(logdir_open(&dir, a->world->journal_dir, false) == 0);
    enum logfile_status status = logfile_open(&r, &dir, LOG_COMMAND, 0, UINT64_MAX);
    for (u64 seq = 1; seq <= through; seq++) {
        if (status == LOGFILE_END) status = logfile_next(&r, &rec);
        if (status != LOGFILE_RECORD || !rec)
            sim_fail(a->world, "the journal reads", "command %lu: %s", seq, err_text());
        status = LOGFILE_END;
        const struct rec *mine = audit_record(s, seq);
        if (rec->length != mine->length || memcmp(rec, mine, rec->length) != 0)
            sim_fail(a->world, "records never change", "command %lu came back as another", seq);
    }
    logfile_close(&r);
    logdir_close(&dir);
}

void audit_restart(struct audit *a, const struct recovered *out)
{
    struct audit_stream *s = &a->streams[LOG_COMMAND];
    struct snapshot_info info;
    if (out->seq < a->acked)
        sim_fail(a->world, "nothing acknowledged is lost",
                 "came back with command %lu; answers had left through %lu", out->seq, a->acked);
    if (out->seq < a->durable)
        sim_fail(a->world, "what is durable survives",
                 "came back with command %lu; durable.seq had been %lu", out->seq, a->durable);
    if (out->seq > s->count)
        sim_fail(a->world, "nothing comes from nowhere",
                 "came back with command %lu; %lu were published", out->seq, s->count);
    compare_survivors(a, out->seq);
    replica_close(&a->replica);
    s->count = out->seq;
    if (s->count) s->used = s->at[s->count - 1] + audit_record(s, s->count)->length;
    else s->used = 0;
    open_replica(a);
    u64 seq = 1;
    for (; seq <= out->checksum_seq; seq++) apply(a, audit_record(s, seq));
    replica_info(&a->replica, &info);
    bool same = info.checksum == out->checksum;
    for (; seq <= out->seq; seq++) apply(a, audit_record(s, seq));
    if (out->checksum_seq != out->seq) a->world->result->left++;
    /* What the files lack of a tail that was left to the processes, they publish. */
    info.account_seq = a->replica.account.seq;
    bool whole = out->checksum_seq == out->seq ? out->account_seq == info.account_seq
                                               : out->account_seq <= info.account_seq;
    if (!same || !whole)
        sim_fail(
            a->world, "recovery = replay",
            "at command %lu, from snapshot %lu: checksum %016lx, replay of all %016lx; account "
            "records %lu, %lu",
            out->seq, out->snapshot_seq, out->checksum, info.checksum, out->account_seq,
            info.account_seq);
    a->durable = 0;
    memset(a->positions, 0, sizeof a->positions);
    memset(a->files_through, 0, sizeof a->files_through);
}
