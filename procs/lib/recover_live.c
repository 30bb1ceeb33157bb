/* recover_live.c: one process comes back while the others may be running. */
#include "procs/lib/recover_inside.h"
#include "procs/lib/run.h"
#include "shm/err.h"

#include <string.h>
#include <time.h>

#define PROGRESS_EVERY 16384U   /* commands */
#define ROOM_WAIT_NS   100000UL /* for readers that hold a log back */
#define WAITS_MAX      20000U   /* of that, for a record that must be there */

static void progress(const struct live *l)
{
    if (l->source->progress) l->source->progress(l->source->context, l->replica.seq, l->target);
}

/* Publish a record that the predecessor did not publish any more. */
static int append(const struct live *l, struct log_writer *w, const struct rec *rec)
{
    if (rec->seq <= w->seq) return 0;
    while (!log_room(w, RECORD_BYTES_MAX)) {
        nanosleep(&(struct timespec){.tv_nsec = ROOM_WAIT_NS}, NULL);
        progress(l);
        if (run_is_stopping()) return err_set("told to stop while recovering");
    }
    struct rec *copy = log_begin_again(w, rec);
    CHECK(copy->seq == rec->seq);
    log_commit(w, copy, rec->time_ns, rec->cause);
    log_publish(w);
    return 0;
}

static int take_account(void *context, u32 log, const struct rec *rec)
{
    const struct live *l = context;
    return log == LOG_ACCOUNT ? append(l, l->account, rec) : 0;
}

void recover_need(struct live *l, u64 account_seq)
{
    memset(&l->need, 0xff, sizeof l->need);
    l->need.account_seq = account_seq;
}

/* Each its part; trading matches only what it must replay. */
static int load_newest(struct live *l, const struct logdir *dir)
{
    const struct replica_config *c = &l->replica.config;
    struct snapshot_reader s;
    int found = snapshot_newest_of(&s, dir->dir, dir->instance, l->target, &l->need,
                                   replica_sections(c), NULL, NULL);
    if (found <= 0) return found;
    l->replica.config.no_books = c->trading && s.manifest->info.seq == l->target;
    int rc = replica_load(&l->replica, &s);
    snapshot_close(&s);
    return rc;
}

/* Nothing to read for the moment: a writer that is busy may lap the search for a place. */
static int wait_for_more(const struct live *l, u32 *waits)
{
    if (++*waits == WAITS_MAX)
        return err_set("the command log ends with %lu, but %lu was published", l->replica.seq,
                       l->target);
    nanosleep(&(struct timespec){.tv_nsec = ROOM_WAIT_NS}, NULL);
    return 0;
}

static int replay(struct live *l)
{
    const struct rec *rec;
    u32 waits = 0;
    l->follow.sees_all = true;
    while (l->replica.seq < l->target) {
        int rc = follow_next(&l->follow, &rec);
        if (rc < 0 || (!rc && wait_for_more(l, &waits))) return -1;
        if (!rc) continue;
        waits = 0;
        if (replica_apply(&l->replica, rec)) return -1;
        if (rec->seq % PROGRESS_EVERY == 0) progress(l);
        if (run_is_stopping()) return err_set("told to stop while recovering");
    }
    return 0;
}

int recover_rebuild(struct live *l, const struct recover_source *s, struct replica_config *config,
                    u64 published)
{
    u64 synced = atomic_load_explicit(&s->durable->synced, memory_order_acquire);
    struct logdir dir;
    l->source = s;
    l->target = max_u64(published, synced);
    config->params = s->params;
    config->context = l;
    if (logdir_open(&dir, s->dir, false)) return -1;
    if (replica_open(&l->replica, config)) {
        logdir_close(&dir);
        return -1;
    }
    int rc = load_newest(l, &dir);
    logdir_close(&dir);
    if (!rc) {
        rc = follow_open(&l->follow, s->dir, LOG_COMMAND, s->command, s->durable, l->replica.seq);
        if (!rc) {
            rc = replay(l);
            follow_close(&l->follow);
        }
    }
    if (rc) replica_close(&l->replica);
    return rc;
}

/* Where the files of a log end. In a segment in which nobody wrote to it yet this was told first.
 */
static u64 files_end(const struct recover_source *s, u32 log)
{
    return atomic_load_explicit(&s->durable->written[log], memory_order_acquire);
}

int recover_files_beyond(const char *dir, u32 log, u64 held, u64 made)
{
    char name[LOGFILE_NAME_BYTES];
    logfile_name(log, name);
    return err_set("the files of the %s log hold records through %lu, but replay of the command "
                   "log makes only %lu: they are not of this command log; delete "
                   "%s/journal/%s-*.log, the next start makes them anew",
                   name, held, made, dir, name);
}

/* Files that hold more than replay makes are not of this command log. */
static int check_files(const struct recover_source *s, u32 log, u64 made)
{
    u64 held = files_end(s, log);
    return held <= made ? 0 : recover_files_beyond(s->dir, log, held, made);
}

/* A log must not hold more than replay makes. */
static int check_made(const char *name, u64 published, u64 made)
{
    if (published == made) return 0;
    return err_set("the %s log was published through %lu, but replay of the command log makes %lu",
                   name, published, made);
}

static int place(struct log_reader *r, u64 seq, const char *name)
{
    if (log_seek(r, seq) < 0)
        return err_set("the %s log no longer holds record %lu", name, seq + 1);
    log_release(r);
    return 0;
}

int recover_trading_from(const struct recover_source *s, struct trading *t,
                         struct log_reader *matches)
{
    struct live *l = calloc(1, sizeof *l);
    CHECK(l);
    bool fresh = t->command->head == 0;
    l->account = t->account;
    if (fresh && !t->account->head) log_begin_at(t->account, files_end(s, LOG_ACCOUNT));
    recover_need(l, t->account->seq);
    struct replica_config config = {.trading = true,
                                    .matching_count = s->params->matching,
                                    .ledger = t->ledger,
                                    .orders = t->orders,
                                    .rules = t->rules,
                                    .sink = take_account};
    int rc = recover_rebuild(l, s, &config, t->command->seq);
    if (rc) {
        free(l);
        return -1;
    }
    if (fresh) {
        trading_forget_segment(&l->replica.trading);
        log_begin_at(t->command, l->replica.seq);
        rc = check_files(s, LOG_ACCOUNT, l->replica.account.seq);
    }
    if (!rc) rc = check_made("account", t->account->seq, l->replica.account.seq);
    for (u32 i = 0; !rc && i < s->params->matching; i++)
        rc = place(&matches[i], t->ledger->merged[i], "match");
    t->now_ns = max_u64(t->now_ns, l->replica.time_ns);
    replica_close(&l->replica);
    free(l);
    return rc;
}

/* A fresh match log begins with what is not merged yet; an old one gets what it lacks. */
static int publish_unmerged(struct live *l, u32 i, struct log_writer *w, bool fresh)
{
    const struct rec *rec = replica_unmerged(&l->replica, i);
    u64 made = l->replica.matching[i].log.seq, merged = rec ? rec->seq - 1 : made;
    if (fresh) {
        if (check_files(l->source, LOG_MATCH(i), made)) return -1;
        CHECK(merged <= files_end(l->source, LOG_MATCH(i)));
        log_begin_at(w, merged);
    }
    for (; rec; rec = replica_unmerged_next(&l->replica, i, rec))
        if (append(l, w, rec)) return -1;
    return check_made("match", w->seq, made);
}

int recover_matching_from(const struct recover_source *s, struct matching *m,
                          struct log_reader *commands)
{
    struct live *l = calloc(1, sizeof *l);
    CHECK(l);
    u32 self = m->self;
    u64 published = atomic_load_explicit(&s->command->seq, memory_order_acquire);
    recover_need(l, UINT64_MAX);
    struct replica_config config = {
        .matching_first = self, .matching_count = 1, .books = m->books, .matching_rules = m->rules};
    int rc = recover_rebuild(l, s, &config, published);
    if (rc) {
        free(l);
        return -1;
    }
    rc = publish_unmerged(l, self, m->log, m->log->head == 0);
    matching_init(m, (u16)self, m->rules, m->books, m->log);
    m->applied = l->replica.seq;
    if (!rc) rc = place(commands, l->replica.seq, "command");
    replica_close(&l->replica);
    free(l);
    return rc;
}

/* --- For the processes -------------------------------------------------------------------------
 */

static void show_progress(void *context, u64 seq, u64 target)
{
    run_progress(context, "replaying: command %lu of %lu", seq, target);
}

void recover_source_of(struct run *run, struct recover_source *s)
{
    *s = (struct recover_source){.dir = run->segment.boot.dir,
                                 .params = &run->segment.topo.params,
                                 .command = segment_object(&run->segment, "log.command"),
                                 .durable = segment_object(&run->segment, "durable"),
                                 .progress = show_progress,
                                 .context = run};
}

/* Recovery is over: whoever showed progress goes on to READY by the loop. */
static int recovered(struct run *run, int rc)
{
    if (!rc) proc_step(run->proc, PROC_STARTING, "");
    return rc;
}

int recover_trading(struct run *run, struct trading *t, struct log_reader *matches)
{
    struct recover_source s;
    recover_source_of(run, &s);
    return recovered(run, recover_trading_from(&s, t, matches));
}

int recover_matching(struct run *run, struct matching *m, struct log_reader *commands)
{
    struct recover_source s;
    recover_source_of(run, &s);
    return recovered(run, recover_matching_from(&s, m, commands));
}
