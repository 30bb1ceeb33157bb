/* The shell of matching (procs/matching), step by step. */
#include "tests/sim/sim.h"

#include "shm/err.h"

#include <string.h>

void matching_join(struct world *w, u32 i)
{
    struct sim_matching *m = &w->matching[i];
    struct sim_segment *s = &w->segment;
    log_join_writer(&m->log, s->logs[LOG_MATCH(i)]);
    log_add_gate(&m->log, &s->cursors[ACTOR_JOURNAL][LOG_MATCH(i)]);
    log_add_gate(&m->log, &s->cursors[ACTOR_TRADING][LOG_MATCH(i)]);
    log_join_gate(&m->commands, s->logs[LOG_COMMAND], &s->cursors[ACTOR_MATCHING + i][LOG_COMMAND]);
}

/* The order of procs/matching: the log, then what speaks of it. */
static void publish(struct world *w, struct sim_matching *m, u32 i)
{
    log_publish(&m->log);
    mark_show(w->segment.matching[i], &m->machine.mark);
    atomic_store(&w->segment.matching[i]->derived, m->log.seq);
}

static void start(struct world *w, u32 i)
{
    struct sim_matching *m = &w->matching[i];
    struct books_config c = topo_books_config(&w->params);
    struct recover_source source;
    if (!w->journal.ready) return;
    matching_join(w, i);
    CHECK(books_new(m->books, &c));
    rules_new(&m->rules);
    matching_init(&m->machine, (u16)i, rules_join(&m->rules), books_join(m->books), &m->log);
    m->sweeping = false;
    world_source(w, &source);
    u32 was = disk_enter(ACTOR_MATCHING + i);
    w->recovering = true;
    w->idles = 0;
    if (sigsetjmp(w->recover_jump, 0)) {
        w->recovering = false;
        matching_kill(w, i);
        disk_enter(was);
        return;
    }
    if (recover_matching_from(&source, &m->machine, &m->commands)) {
        world_unrecovered(w, "matching recovers");
        disk_enter(was);
        return;
    }
    mark_begin(&m->machine.mark, &m->log, m->machine.applied);
    w->recovering = false;
    disk_enter(was);
    m->skips = w->mutant == MUTANT_MATCH_SKIPS && m->commands.pos;
    publish(w, m, i);
    log_release(&m->commands);
    m->released = true;
    m->alive = true;
}

/* One command, or the next part of a long one. */
static bool work(struct world *w, struct sim_matching *m)
{
    const struct rec *cmd = log_peek(&m->commands);
    if (!cmd) return false;
    if (!log_room(&m->log, MATCHING_STEP_BYTES)) {
        w->result->full++;
        return false;
    }
    if (m->skips) {
        m->skips = false;
        log_advance(&m->commands, cmd);
        return true;
    }
    bool done = m->sweeping ? matching_more(&m->machine) : matching_apply(&m->machine, cmd);
    if (w->mutant == MUTANT_CANCEL_TWICE && cmd->kind == CMD_CANCEL && cmd->seq % 4 == 0)
        matching_apply(&m->machine, cmd);
    if (w->mutant == MUTANT_FULL_EARLY && cmd->kind == CMD_START)
        books_limit(m->machine.books, m->rules.resting_max - 1);
    m->sweeping = !done;
    if (done) log_advance(&m->commands, cmd);
    m->released = false;
    return true;
}

bool matching_step(struct world *w, u32 i, u64 random)
{
    struct sim_matching *m = &w->matching[i];
    if (!m->alive && w->standby_matching[i].alive)
        return standby_matching_take_over(w, i, random >> 8);
    if (!m->alive) {
        if (random % 4 == 0 || w->settling) start(w, i);
        return m->alive;
    }
    if (m->log.published != m->log.head && random % 3 == 0) {
        publish(w, m, i);
        return true;
    }
    if (m->log.published == m->log.head && !m->released && random % 3 == 1) {
        log_release(&m->commands);
        m->released = true;
        return true;
    }
    /* Between publishing and releasing there is no work. */
    if (m->log.published == m->log.head && !m->released) {
        log_release(&m->commands);
        m->released = true;
    }
    if (work(w, m)) return true;
    bool left = m->log.published != m->log.head || !m->released;
    publish(w, m, i);
    return left;
}

void matching_kill(struct world *w, u32 i)
{
    w->result->kills += w->matching[i].alive;
    w->matching[i].alive = false;
    disk_kill(ACTOR_MATCHING + i);
}
