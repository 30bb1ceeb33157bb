#include "tests/sim/audit.h"

#include "shm/err.h"

#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS_MAX 3000U
#define IDLES_MAX  300U

static struct world *sleeper; /* whose processes may sleep in their recovery */

void sim_fail(struct world *w, const char *label, const char *fmt, ...)
{
    va_list ap;
    struct sim_result *r = w->result;
    r->failed = 1;
    snprintf(r->label, sizeof r->label, "%s", label);
    va_start(ap, fmt);
    vsnprintf(r->text, sizeof r->text, fmt, ap);
    va_end(ap);
    fflush(stdout);
    _exit(1);
}

/* --- What happens inside of system calls -------------------------------------------------------
 */

static void world_next(struct world *w)
{
    u32 at = w->next++;
    if (w->plan->dropped[at]) return;
    const struct plan_step *s = &w->plan->steps[at];
    w->result->step = at;
    if (w->trace) printf("%6u %s %016lx\n", at, plan_names[s->op], s->random);
    world_step(w, s);
    audit_follow(w->audit);
}

/* While the journal waits for its disk, the others go on. */
static void slow_sync(struct world *w)
{
    u64 state = w->plan->seed + w->next;
    u32 was = disk_enter(ACTOR_WORLD), n = (u32)(plan_random(&state) % 30);
    w->in_sync = true;
    while (n-- && w->next < w->plan->count) world_next(w);
    w->in_sync = false;
    disk_enter(was);
}

static void before_call(void *context, u32 owner, enum disk_call call)
{
    struct world *w = context;
    bool journal = owner == ACTOR_JOURNAL;
    if ((journal || w->in_start) && w->die_in && --w->die_in == 0) {
        if (w->in_start) siglongjmp(w->start_jump, 1);
        siglongjmp(w->journal_jump, 1);
    }
    if (!journal || call != DISK_SYNC || w->in_sync || w->recovering || w->settling) return;
    if (w->mutant == MUTANT_DURABLE_EARLY && w->journal.alive) {
        u64 seq = atomic_load(&w->segment.logs[LOG_COMMAND]->seq);
        atomic_store(&w->segment.durable.seq, seq);
    }
    if (w->disk_slow) slow_sync(w);
}

/* A process that recovers waits for room that others make. */
/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name) */
int nanosleep(const struct timespec *time, struct timespec *left)
{
    struct world *w = sleeper;
    if (!w || !w->recovering) return (int)syscall(SYS_nanosleep, time, left);
    if (w->in_sync || ++w->idles > IDLES_MAX) siglongjmp(w->recover_jump, 1);
    w->mono_ns += 1000000;
    journal_step(w);
    for (u32 i = 0; i < 20; i++) {
        u64 r = plan_random(&w->random);
        if (w->trading.alive) trading_step(w, r);
        for (u32 m = 0; m < w->plan->params.matching; m++)
            if (w->matching[m].alive) matching_step(w, m, r);
    }
    audit_follow(w->audit);
    return 0;
}

/* --- Steps -------------------------------------------------------------------------------------
 */

static void tick(struct world *w, u64 random)
{
    u64 ns = 1000000UL << (random & 7);
    if ((random >> 8 & 15) == 0) ns = 1500000000UL;
    w->wall_ns += ns;
    w->mono_ns += ns;
}

static void jump(struct world *w, u64 random)
{
    u64 ns = (random >> 8) % 30000000000UL;
    if (random & 3) w->wall_ns -= ns;
    else w->wall_ns += ns;
}

static void kill_journal(struct world *w, u64 random)
{
    if (!w->journal.alive) return;
    if (w->in_sync) siglongjmp(w->journal_jump, 1);
    if (random & 1) journal_kill(w);
    else w->die_in = 1 + (u32)(random >> 8) % 12;
}

static void crash(struct world *w, u64 random)
{
    if (!w->in_sync) {
        world_crash(w, random);
        return;
    }
    w->crash_pending = true;
    w->crash_random = random;
    siglongjmp(w->journal_jump, 1);
}

static void toggle_full(u64 random)
{
    struct disk_faults *f = disk_faults();
    f->full = !f->full;
    f->full_hard = f->full && random & 1;
}

static void disk_error(u64 random)
{
    struct disk_faults *f = disk_faults();
    u32 n = 1 + (u32)(random >> 8) % 6;
    if (random % 3 == 0) f->fail_write = n;
    if (random % 3 == 1) f->fail_short = n;
    if (random % 3 == 2) f->fail_sync = n;
}

static void rot(struct world *w, u64 random)
{
    u64 *seqs;
    char path[300];
    struct stat st;
    u8 byte;
    int count = snapshot_list(w->journal_dir, &seqs);
    if (count > 1) {
        snprintf(path, sizeof path, "%s/snapshots/%020lu.snap", w->journal_dir, seqs[count - 1]);
        int fd = (int)syscall(SYS_openat, -100, path, 2 /* O_RDWR */, 0);
        CHECK(fd >= 0 && fstat(fd, &st) == 0);
        long at = (long)(random % (u64)st.st_size);
        CHECK(syscall(SYS_pread64, fd, &byte, 1, at) == 1);
        byte ^= (u8)(1U << (random >> 32 & 7));
        CHECK(syscall(SYS_pwrite64, fd, &byte, 1, at) == 1);
        syscall(SYS_close, fd);
    }
    free(seqs);
}

static void quiet(struct world *w)
{
    if (w->in_sync) return;
    world_settle(w);
    audit_quiet(w->audit);
}

/* One step, or in busy runs several at once. */
static bool busy_step(struct world *w, const struct plan_step *s)
{
    u64 r = s->random, state = r;
    if (s->op != OP_CLIENT && s->op != OP_TRADING && s->op != OP_MATCHING) return false;
    for (u32 i = 0; i < w->plan->burst; i++, r = plan_random(&state)) {
        if (s->op == OP_CLIENT) clients_send(w, r);
        if (s->op == OP_TRADING) trading_step(w, r);
        if (s->op == OP_MATCHING) matching_step(w, (u32)(r >> 8) % w->plan->params.matching, r);
    }
    return true;
}

void world_step(struct world *w, const struct plan_step *s)
{
    if (busy_step(w, s)) return;
    u64 r = s->random;
    u32 m = (u32)(r >> 8) % w->plan->params.matching;
    switch (s->op) {
    case OP_REPLIES: clients_read(w); break;
    case OP_JOURNAL: journal_step(w); break;
    case OP_SNAPSHOT: snapshot_step(w, r); break;
    case OP_MARKET: market_step(w, r); break;
    case OP_STANDBY: standby_step(w, r); break;
    case OP_CLOCK: tick(w, r); break;
    case OP_QUIET: quiet(w); break;
    case OP_KILL_TRADING: trading_kill(w); break;
    case OP_KILL_MATCHING: matching_kill(w, m); break;
    case OP_KILL_JOURNAL: kill_journal(w, r); break;
    case OP_KILL_SNAPSHOT: snapshot_kill(w); break;
    case OP_KILL_MARKET: market_kill(w); break;
    case OP_KILL_STANDBY: standby_kill(w, r); break;
    case OP_CRASH: crash(w, r); break;
    case OP_CLOCK_JUMP: jump(w, r); break;
    case OP_DISK_FULL: toggle_full(r); break;
    case OP_DISK_SLOW: w->disk_slow = !w->disk_slow; break;
    case OP_DISK_ERROR: disk_error(r); break;
    case OP_SNAPSHOT_ROT: rot(w, r); break;
    default: CHECK(false);
    }
    if (w->in_sync) return;
    if (w->wants_room) world_crash(w, r);
    if (!w->crash_pending) return;
    w->crash_pending = false;
    world_crash(w, w->crash_random);
}

/* --- Quiet -------------------------------------------------------------------------------------
 */

static bool log_is_read(const struct world *w, u32 log)
{
    return atomic_load(&w->segment.durable.written[log]) == atomic_load(&w->segment.logs[log]->seq);
}

/* Has everybody done all there is to do? */
static bool is_settled(const struct world *w)
{
    const struct sim_segment *s = &w->segment;
    const struct sim_trading *t = &w->trading;
    u64 head = atomic_load(&s->logs[LOG_COMMAND]->head);
    bool settled = w->journal.alive && t->alive && w->snapshot.alive && w->market.alive &&
                   w->market.markets == t->machine.rules->market_count;
    for (u32 i = 0; settled && i < SIM_SOURCES; i++)
        settled = atomic_load(&s->ingress[i]->head) == atomic_load(&s->tails[i]);
    settled = settled && t->command.head == head && t->account.published == t->account.head;
    for (u32 i = 0; settled && i < w->plan->params.matching; i++) {
        const struct sim_matching *m = &w->matching[i];
        settled = m->alive && m->commands.pos == head && m->log.published == m->log.head &&
                  t->matches[i].pos == m->log.head &&
                  market_through(w->market.data, (u16)i) == m->log.seq;
    }
    for (u32 log = 0; settled && log < LOG_MATCH(w->plan->params.matching); log++)
        settled = log_is_read(w, log);
    return settled && w->snapshot.replica.seq == t->command.seq && !w->clients.waiting_count &&
           atomic_load(&s->durable.seq) == t->command.seq;
}

static void explain(struct world *w)
{
    const struct sim_segment *s = &w->segment;
    sim_fail(w, "all settles",
             "alive: journal %d, trading %d, matching %d %d, snapshot %d, market %d; command %lu "
             "(published %lu, durable %lu), account %lu, match %lu %lu; merged %lu %lu; written "
             "%lu %lu %lu %lu; waiting %u",
             w->journal.alive, w->trading.alive, w->matching[0].alive, w->matching[1].alive,
             w->snapshot.alive, w->market.alive, w->trading.command.seq,
             atomic_load(&s->logs[LOG_COMMAND]->seq), atomic_load(&s->durable.seq),
             w->trading.account.seq, w->matching[0].log.seq, w->matching[1].log.seq,
             w->trading.matches[0].seq, w->trading.matches[1].seq,
             atomic_load(&s->durable.written[0]), atomic_load(&s->durable.written[1]),
             atomic_load(&s->durable.written[2]), atomic_load(&s->durable.written[3]),
             w->clients.waiting_count);
}

void world_settle(struct world *w)
{
    struct disk_faults *f = disk_faults();
    f->full = f->full_hard = false;
    f->fail_write = f->fail_short = f->fail_sync = 0;
    w->die_in = 0;
    w->settling = true;
    clients_publish(w);
    for (u32 round = 0; !is_settled(w) || !standby_settle(w); round++) {
        if (round == ROUNDS_MAX) explain(w);
        if (w->wants_room) world_crash(w, plan_random(&w->random));
        w->wall_ns += 20000000;
        w->mono_ns += 20000000;
        journal_step(w);
        for (u32 i = 0; i < 60; i++) {
            u64 r = plan_random(&w->random);
            trading_step(w, r);
            for (u32 m = 0; m < w->plan->params.matching; m++) matching_step(w, m, r >> 8);
        }
        snapshot_step(w, plan_random(&w->random) | 63);
        market_step(w, plan_random(&w->random));
        audit_follow(w->audit);
        clients_read(w);
    }
    audit_follow(w->audit);
    w->settling = false;
}

void world_open(struct world *w, const struct plan *plan, const char *dir)
{
    char trash[160];
    struct ledger_config ledger = topo_ledger_config(&plan->params);
    struct books_config books = topo_books_config(&plan->params);
    struct market_config market = topo_market_config(&plan->params);
    w->plan = plan;
    w->params = plan->params;
    plan_sizes(&w->params, plan->sizes);
    w->random = plan->random;
    snprintf(w->dir, sizeof w->dir, "%s", dir);
    snprintf(w->journal_dir, sizeof w->journal_dir, "%s/disk", dir);
    snprintf(trash, sizeof trash, "%s/trash", dir);
    CHECK(mkdir(w->journal_dir, 0755) == 0 && mkdir(trash, 0755) == 0);
    disk_begin(w->journal_dir, trash, before_call, w);
    disk_set_victim(ACTOR_JOURNAL);
    disk_faults()->sync_lies = w->mutant == MUTANT_SYNC_LIES;
    disk_faults()->mark_lost = w->mutant == MUTANT_MARK_LOST;
    w->wall_ns = 1700000000UL * 1000000000UL;
    w->mono_ns = 5000000000UL;
    w->trading.ledger = world_memory(ledger_footprint(&ledger));
    w->trading.orders = world_memory(orders_footprint(plan->params.orders_max));
    w->trading.rules = world_memory(rules_footprint());
    w->standby_trading.ledger = world_memory(ledger_footprint(&ledger));
    w->standby_trading.orders = world_memory(orders_footprint(plan->params.orders_max));
    w->standby_trading.rules = world_memory(rules_footprint());
    w->segment.trading = world_memory(proc_footprint());
    for (u32 i = 0; i < plan->params.matching; i++) {
        w->matching[i].books = world_memory(books_footprint(&books));
        w->standby_matching[i].books = world_memory(books_footprint(&books));
        w->segment.matching[i] = world_memory(proc_footprint());
    }
    w->market.data = world_memory(market_footprint(&market));
    w->snapshot.data = world_memory(market_footprint(&market));
    for (u32 i = 0; i < SIM_MARKETS; i++) w->clients.mid[i] = 1000000;
    w->disk_slow = plan->random & 1;
    sleeper = w;
    w->audit = audit_open(w);
    world_crash(w, plan->random);
    clients_begin(w);
}

void world_run(struct world *w)
{
    while (w->next < w->plan->count) world_next(w);
    w->result->step = w->plan->count;
    w->disk_slow = false;
    quiet(w);
    world_crash(w, w->plan->random);
    quiet(w);
    w->result->commands = w->audit->streams[LOG_COMMAND].count;
}
