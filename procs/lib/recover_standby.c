/* recover_standby.c: a standby comes to where its primary is, and keeps what that owes. */
#include "procs/lib/recover_inside.h"

/* Once something is owed, all that follows is: it is dropped when it shows as published. */
static int take_account(void *context, u32 log, const struct rec *rec)
{
    const struct live *l = context;
    if (log != LOG_ACCOUNT || rec->seq <= l->derived) return 0;
    return owed_take(l->owed, rec);
}

/* What is not published is not merged, so it is in the queue, also when a snapshot brought it: that
 * may be ahead of the primary. */
static int take_unmerged(struct live *l, u32 i)
{
    for (const struct rec *rec = replica_unmerged(&l->replica, i); rec;
         rec = replica_unmerged_next(&l->replica, i, rec))
        if (rec->seq > l->derived && owed_take(l->owed, rec)) return -1;
    owed_go_on(l->owed, l->replica.matching[i].log.seq);
    return 0;
}

static u64 published_commands(const struct recover_source *s)
{
    return atomic_load_explicit(&s->command->seq, memory_order_acquire);
}

int recover_trading_standby(const struct recover_source *s, struct trading *t, u64 derived,
                            struct owed *account, u64 *seq)
{
    struct live *l = calloc(1, sizeof *l);
    CHECK(l);
    l->owed = account;
    l->derived = derived;
    recover_need(l, derived);
    struct replica_config config = {.trading = true,
                                    .matching_count = s->params->matching,
                                    .ledger = t->ledger,
                                    .orders = t->orders,
                                    .rules = t->rules,
                                    .sink = take_account};
    int rc = recover_rebuild(l, s, &config, published_commands(s));
    if (!rc) {
        owed_go_on(account, l->replica.account.seq);
        *seq = l->replica.seq;
        t->now_ns = l->replica.time_ns;
        /* Should the primary not live to begin the log of this segment, nobody else forgets. */
        if (!atomic_load_explicit(&s->command->head, memory_order_acquire))
            trading_forget_segment(t);
        replica_close(&l->replica);
    }
    free(l);
    return rc;
}

int recover_matching_standby(const struct recover_source *s, struct matching *m, u64 derived,
                             struct owed *made, u64 *seq)
{
    struct live *l = calloc(1, sizeof *l);
    CHECK(l);
    u32 self = m->self;
    l->owed = made;
    l->derived = derived;
    recover_need(l, UINT64_MAX);
    struct replica_config config = {
        .matching_first = self, .matching_count = 1, .books = m->books, .matching_rules = m->rules};
    int rc = recover_rebuild(l, s, &config, published_commands(s));
    if (!rc) {
        rc = take_unmerged(l, self);
        *seq = l->replica.seq;
        matching_init(m, (u16)self, m->rules, m->books, &made->writer);
        m->applied = *seq;
        replica_close(&l->replica);
    }
    free(l);
    return rc;
}
