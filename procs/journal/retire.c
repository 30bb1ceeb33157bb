#include "procs/journal/retire.h"

#include "procs/lib/logfile_retire.h"
#include "procs/lib/snapshot_file.h"
#include "shm/err.h"

#include <string.h>

/* What the oldest kept snapshot holds. 1; 0 = nothing may go by it. The only snapshot there is
 * does not count: it might be damaged. */
static int oldest_snapshot(const struct journal *j, struct snapshot_info *info)
{
    u64 *seqs;
    int count = snapshot_list(j->dir.dir, &seqs);
    u64 seq = count > 1 ? seqs[0] : 0;
    free(seqs);
    if (count < 0) return -1;
    return seq && snapshot_peek(j->dir.dir, j->dir.instance, seq, info) == 0;
}

/* The last record of a log that is in the snapshot. */
static u64 covered(const struct snapshot_info *info, u32 log)
{
    if (log == LOG_COMMAND) return info->seq;
    if (log == LOG_ACCOUNT) return info->account_seq;
    return log - LOG_MATCH(0) < info->matchings ? info->match_seq[log - LOG_MATCH(0)] : 0;
}

/* A power failure must leave a start no log that ends before the snapshot: only commands that may
 * be gone would make its records again. */
static bool all_synced(const struct journal *j, const struct snapshot_info *info)
{
    for (u32 i = 0; i < j->count; i++)
        if (j->mark.synced[j->logs[i].log] < covered(info, j->logs[i].log)) return false;
    return true;
}

int retire_files(struct journal *j, const u64 readers[static PROC_LOGS_MAX], u64 before_s,
                 u64 last[static PROC_LOGS_MAX])
{
    struct snapshot_info info;
    int known = oldest_snapshot(j, &info), gone = 0;
    memset(last, 0, PROC_LOGS_MAX * sizeof *last);
    if (known <= 0 || !all_synced(j, &info)) return known < 0 ? -1 : 0;
    for (u32 i = 0; i < j->count; i++) {
        u32 log = j->logs[i].log;
        u64 through = min_u64(covered(&info, log), readers[log]);
        int n = logfile_retire(&j->dir, log, through, before_s, &last[log]);
        if (n < 0) return -1;
        gone += n;
    }
    return gone;
}
