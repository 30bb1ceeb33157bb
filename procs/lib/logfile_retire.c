#include "procs/lib/logfile_retire.h"

#include "shm/err.h"

#include <sys/stat.h>
#include <unistd.h>

static int remove_file(const struct logdir *d, u32 log, u64 first)
{
    char file[64];
    logfile_file(log, first, file);
    if (unlinkat(d->fd, file, 0)) return err_sys("removing %s/journal/%s", d->dir, file);
    return fsync(d->fd) ? err_sys("syncing %s/journal", d->dir) : 0;
}

int logfile_retire(const struct logdir *d, u32 log, u64 through, u64 before_s, u64 *last)
{
    u64 *firsts;
    char file[64];
    struct stat st;
    int count = logfile_list(d, log, &firsts);
    u64 first = count > 1 ? firsts[0] : 0, next = count > 1 ? firsts[1] : 0;
    free(firsts);
    if (count < 0) return -1;
    if (!next || next - 1 > through) return 0;
    logfile_file(log, first, file);
    if (fstatat(d->fd, file, &st, 0)) return err_sys("%s/journal/%s", d->dir, file);
    if ((u64)st.st_mtime >= before_s) return 0;
    if (remove_file(d, log, first)) return -1;
    if (last) *last = next - 1;
    return 1;
}

int logfile_discard(struct logdir *d, u32 log)
{
    u64 *firsts;
    if (logfile_cut(d, log, 0)) return -1;
    int count = logfile_list(d, log, &firsts), rc = count < 0 ? -1 : 0;
    for (int i = count - 1; !rc && i >= 0; i--) rc = remove_file(d, log, firsts[i]);
    free(firsts);
    return rc;
}

int logfile_begin(const struct logdir *d, u32 log, u64 *first)
{
    u64 *firsts;
    int count = logfile_list(d, log, &firsts);
    *first = count > 0 ? firsts[0] : 0;
    free(firsts);
    return count < 0 ? -1 : 0;
}
