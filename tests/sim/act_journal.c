/* The journal: the production object over the simulated disk. */
#include "tests/sim/sim.h"

#include "shm/err.h"

#include <string.h>
#include <unistd.h>

static int add(struct world *w, u32 log)
{
    struct log_reader r;
    log_join_gate(&r, w->segment.logs[log], &w->segment.cursors[ACTOR_JOURNAL][log]);
    return journal_add(&w->journal.journal, log, &r, NULL);
}

static int open_all(struct world *w)
{
    struct journal *j = &w->journal.journal;
    if (journal_open(j, w->journal_dir, &w->segment.durable, true, w->plan->segment_bytes,
                     w->plan->batch_bytes, &logfile_io_real))
        return -1;
    for (u32 log = 0; log < LOG_MATCH(w->params.matching); log++)
        if (add(w, log)) return -1;
    return 0;
}

/* A start or a turn that failed is a death; one that failed for no reason is a bug. */
static void gave_up(struct world *w, u64 injected)
{
    if (disk_injected() == injected) sim_fail(w, "the journal goes on", "%s", err_text());
    journal_kill(w);
}

bool journal_step(struct world *w)
{
    struct sim_journal *j = &w->journal;
    u64 injected = disk_injected();
    bool done = true;
    if (w->in_sync) return false;
    u32 was = disk_enter(ACTOR_JOURNAL);
    if (sigsetjmp(w->journal_jump, 0)) {
        w->in_sync = false;
        journal_kill(w);
    } else if (!j->alive) {
        if (open_all(w)) gave_up(w, injected);
        else j->alive = j->ready = true;
    } else {
        i64 n = journal_turn(&j->journal, w->mono_ns);
        if (n < 0) gave_up(w, injected);
        done = n > 0;
    }
    disk_enter(was);
    return done;
}

void journal_kill(struct world *w)
{
    w->result->kills += w->journal.alive;
    w->journal.alive = false;
    w->die_in = 0;
    disk_kill(ACTOR_JOURNAL);
}
