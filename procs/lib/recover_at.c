/* recover_at.c: the state as it was after any command, in private memory. */
#include "procs/lib/logfile_retire.h"
#include "procs/lib/recover.h"
#include "procs/lib/replay.h"
#include "shm/err.h"

static int load_below(struct replica *r, const struct logdir *d, u64 seq)
{
    struct snapshot_reader s;
    int found = snapshot_newest(&s, d->dir, d->instance, seq, NULL, NULL, NULL);
    if (found <= 0) return found;
    int rc = replica_load(r, &s);
    snapshot_close(&s);
    return rc;
}

static int replay(struct replica *r, struct logdir *d, u64 seq, u64 limit, u32 threads)
{
    struct logfile_reader files;
    const struct rec *rec;
    struct replay p;
    int rc = 0;
    u64 first;
    if (logfile_begin(d, LOG_COMMAND, &first)) return -1;
    if (first > r->seq + 1)
        return err_set(
            "the journal begins with command %lu, and no whole snapshot is left from "
            "which command %lu can be reached; `eidosctl snapshot list` shows from where "
            "on it can",
            first, seq);
    enum logfile_status status = logfile_open(&files, d, LOG_COMMAND, r->seq, limit);
    rc = replay_begin(&p, r, threads);
    if (status == LOGFILE_END)
        while (!rc && files.seq < seq && (status = logfile_next(&files, &rec)) == LOGFILE_RECORD)
            rc = replay_put(&p, rec);
    rc = replay_end(&p, rc);
    logfile_close(&files);
    if (rc) return -1;
    /* A torn tail was never answered for: what is before it is the end. */
    if (status > LOGFILE_RECORD && status != LOGFILE_TORN) return -1;
    if (seq == UINT64_MAX || r->seq == seq) return 0;
    return err_set("the command log ends with record %lu; %lu is beyond it", r->seq, seq);
}

int recover_at(struct logdir *d, const struct topo_params *params, u64 seq, u64 limit, u32 threads,
               struct replica *r, u64 *snapshot_seq)
{
    struct replica_config config = {.params = params,
                                    .trading = true,
                                    .market = true,
                                    .matching_count = params->matching,
                                    .pool = true};
    if (replica_open(r, &config)) return -1;
    int rc = load_below(r, d, min_u64(seq, limit));
    *snapshot_seq = r->seq;
    if (!rc) rc = replay(r, d, seq, limit, threads);
    if (rc) replica_close(r);
    return rc;
}
