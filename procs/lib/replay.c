#include "procs/lib/replay.h"

#include "shm/words.h"

#include <sched.h>
#include <string.h>
#include <time.h>

#define LANE_BYTES  (512UL << 10)
#define LANE_EVERY  32U    /* records between two publications */
#define LANE_NAP_NS 20000L /* when the other side is behind */

/* What travels in the lane: a command, or a match record. */
struct parcel {
    u32 length; /* of the whole */
    u32 log;
    struct rec rec;
};

u32 replay_threads(u32 most)
{
    cpu_set_t set;
    int cores = sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
    return (u32)min_u64((u64)cores, most);
}

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = LANE_NAP_NS}, NULL);
}

/* --- Trading's thread --------------------------------------------------------------------------*/

static void hint(const struct replica *r, const struct parcel *m, u32 stage)
{
    if (m->log == LOG_COMMAND) replica_trade_ahead(r, &m->rec, stage);
    else replica_merge_ahead(r, &m->rec, stage);
}

static void look_ahead(const struct replica *r, struct replay_lane *l)
{
    static const u32 distance[REPLICA_AHEAD_STAGES] = {64, 40, 20};
    for (u32 stage = 0; stage < REPLICA_AHEAD_STAGES; stage++) {
        struct ring_rx *probe = &l->probes[stage];
        const struct parcel *m;
        if (l->ahead[stage] == 0) *probe = l->rx;
        for (; l->ahead[stage] < distance[stage] && (m = ring_peek(probe)); l->ahead[stage]++) {
            hint(r, m, stage);
            ring_pop(probe, m->length);
        }
    }
}

static int take(struct replica *r, const struct parcel *m)
{
    if (m->log == LOG_COMMAND) return replica_trade(r, &m->rec);
    return replica_take(r, m->log - LOG_MATCH(0), &m->rec);
}

static void *trade(void *context)
{
    struct replay *p = context;
    struct replay_lane *l = &p->lane;
    for (u32 n = 1;; n++) {
        const struct parcel *m = ring_peek(&l->rx);
        if (!m) {
            ring_release(&l->rx);
            bool ended = atomic_load_explicit(&l->ended, memory_order_acquire);
            if (ended && !ring_peek(&l->rx)) return NULL;
            nap();
            continue;
        }
        look_ahead(p->replica, l);
        if (take(p->replica, m)) break;
        ring_pop(&l->rx, m->length);
        for (u32 stage = 0; stage < REPLICA_AHEAD_STAGES; stage++)
            if (l->ahead[stage]) l->ahead[stage]--;
        if (n % LANE_EVERY == 0) ring_release(&l->rx);
    }
    snprintf(l->why, sizeof l->why, "%s", err_text());
    atomic_store_explicit(&l->failed, true, memory_order_release);
    return NULL;
}

/* --- The lane's other end ----------------------------------------------------------------------*/

static int send_record(struct replay *p, u32 log, const struct rec *rec)
{
    struct replay_lane *l = &p->lane;
    u32 length = (u32)offsetof(struct parcel, rec) + rec->length;
    struct parcel *m;
    while (!(m = ring_alloc(&l->tx, length))) {
        ring_publish(&l->tx);
        if (atomic_load_explicit(&l->failed, memory_order_acquire)) return err_set("%s", l->why);
        nap();
    }
    m->length = length;
    m->log = log;
    words_put(&m->rec, rec, rec->length); /* in the words it was just stored in */
    ring_push(&l->tx, length);
    return 0;
}

static int forward(void *context, u32 matching, const struct rec *rec)
{
    return send_record(context, LOG_MATCH(matching), rec);
}

static int open_lane(struct replay *p)
{
    struct replay_lane *l = &p->lane;
    l->memory = aligned_alloc(CACHE_LINE, ring_footprint(LANE_BYTES));
    CHECK(l->memory);
    ring_new(l->memory, LANE_BYTES);
    ring_join_tx(&l->tx, l->memory, &l->tail);
    ring_join_rx(&l->rx, l->memory, &l->tail);
    p->replica->forward = forward;
    p->replica->forward_context = p;
    if (pthread_create(&l->thread, NULL, trade, p)) return err_set("no thread for the replay");
    l->running = true;
    return 0;
}

static int close_lane(struct replay *p, int rc)
{
    struct replay_lane *l = &p->lane;
    if (l->running) {
        ring_publish(&l->tx);
        atomic_store_explicit(&l->ended, true, memory_order_release);
        pthread_join(l->thread, NULL);
    }
    p->replica->forward = NULL;
    free(l->memory);
    return !rc && l->failed ? err_set("%s", l->why) : rc;
}

/* --- The window --------------------------------------------------------------------------------*/

int replay_begin(struct replay *p, struct replica *replica, u32 threads)
{
    *p = (struct replay){.replica = replica, .seq = replica->seq, .bytes = malloc(REPLAY_BYTES)};
    CHECK(p->bytes);
    bool whole = replica->config.trading && !replica->config.matching_first;
    return threads > 1 && whole ? open_lane(p) : 0;
}

static const struct rec *in_window(const struct replay *p, u64 n)
{
    return p->records[n % REPLAY_WINDOW];
}

/* Trading is told of one command at a time, each time it comes closer. */
static void tell_trading(const struct replay *p)
{
    static const u32 ahead[REPLICA_AHEAD_STAGES] = {32, 24, 16};
    for (u32 stage = 0; stage < REPLICA_AHEAD_STAGES; stage++)
        if (p->applied + ahead[stage] < p->put)
            replica_trade_ahead(p->replica, in_window(p, p->applied + ahead[stage]), stage);
}

/* Matching is told of all there are, which it then works off. */
static void tell_matching(struct replay *p)
{
    const struct rec *next[REPLAY_WINDOW];
    u32 count = 0;
    if (replica_is_told(p->replica, in_window(p, p->applied)->seq)) return;
    for (; p->applied + count < p->put; count++) next[count] = in_window(p, p->applied + count);
    replica_match_ahead(p->replica, next, count);
}

static int apply_oldest(struct replay *p)
{
    const struct rec *cmd = in_window(p, p->applied);
    tell_matching(p);
    if (!p->lane.running) tell_trading(p);
    p->applied++;
    p->seq = cmd->seq;
    if (!p->lane.running) return replica_apply(p->replica, cmd);
    if (replica_match(p->replica, cmd) || send_record(p, LOG_COMMAND, cmd)) return -1;
    if (p->applied % LANE_EVERY == 0) ring_publish(&p->lane.tx);
    return 0;
}

static void *place_for(struct replay *p, u32 length)
{
    if (length <= REPLAY_PLACE) return p->places[p->put % REPLAY_WINDOW];
    if (p->at + length > REPLAY_BYTES) p->at = 0;
    p->at += length;
    return p->bytes + p->at - length;
}

int replay_put(struct replay *p, const struct rec *cmd)
{
    if (!p->put) replica_leave_levels(p->replica);
    if (p->put - p->applied == REPLAY_WINDOW && apply_oldest(p)) return -1;
    void *copy = place_for(p, cmd->length);
    memcpy(copy, cmd, cmd->length);
    p->records[p->put++ % REPLAY_WINDOW] = copy;
    return 0;
}

int replay_end(struct replay *p, int rc)
{
    while (!rc && p->applied < p->put) rc = apply_oldest(p);
    rc = close_lane(p, rc);
    if (!rc && p->put) rc = replica_keep_levels(p->replica);
    free(p->bytes);
    p->bytes = NULL;
    return rc;
}
