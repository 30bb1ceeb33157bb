#include "procs/lib/follow.h"

#include "shm/err.h"

#define RETURN_EVERY 4096U /* records read from files between two looks at shared memory */

/* A log that never held a record may go on where the files end: its writer will tell. */
static bool try_shm(struct follow *f)
{
    f->in_files = !f->shm.log || log_seek(&f->shm, f->seq) != 0 || !f->shm.head_cached;
    return !f->in_files;
}

/* What the files are known to hold and may be shown. Derived records are only written when their
 * cause is durable; commands may be written before they are. */
static u64 files_limit(const struct follow *f)
{
    const struct durable *d = f->durable;
    const _Atomic u64 *limit = &d->written[f->log];
    if (f->log == LOG_COMMAND) limit = f->sees_all ? &d->synced : &d->seq;
    return atomic_load_explicit(limit, memory_order_acquire);
}

static int enter_files(struct follow *f)
{
    u64 limit = files_limit(f);
    enum logfile_status status;
    f->laps++;
    if (f->files.buf) {
        f->files.limit = limit;
        status = logfile_seek(&f->files, f->seq);
    } else {
        status = logfile_open(&f->files, &f->dir, f->log, f->seq, limit);
    }
    return status == LOGFILE_END ? 0 : -1;
}

int follow_open(struct follow *f, const char *dir, u32 log_index, const struct log *log,
                const struct durable *durable, u64 seq)
{
    f->log = log_index;
    f->durable = durable;
    f->seq = seq;
    f->laps = 0;
    f->sees_all = false;
    f->files = (struct logfile_reader){.fd = -1};
    f->shm = (struct log_reader){0};
    if (logdir_open(&f->dir, dir, false)) return -1;
    if (log) log_join_reader(&f->shm, log);
    if (try_shm(f) || enter_files(f) == 0) return 0;
    follow_close(f);
    return -1;
}

void follow_close(struct follow *f)
{
    if (f->files.buf) logfile_close(&f->files);
    logdir_close(&f->dir);
}

static int next_in_files(struct follow *f, const struct rec **rec)
{
    f->files.limit = files_limit(f);
    if (f->files.seq >= f->files.limit) return 0;
    enum logfile_status status = logfile_next(&f->files, rec);
    if (status == LOGFILE_RECORD) f->seq = (*rec)->seq;
    return status > LOGFILE_RECORD ? -1 : (int)status;
}

int follow_next(struct follow *f, const struct rec **rec)
{
    if (f->in_files) {
        if (f->seq % RETURN_EVERY || !try_shm(f)) {
            int rc = next_in_files(f, rec);
            if (rc || !try_shm(f)) return rc;
        }
    }
    u64 visible =
        f->sees_all ? UINT64_MAX : atomic_load_explicit(&f->durable->seq, memory_order_acquire);
    int length = log_copy(&f->shm, f->buf, visible);
    if (length < 0) {
        f->in_files = true;
        return enter_files(f) ? -1 : next_in_files(f, rec);
    }
    if (!length) return 0;
    *rec = (const struct rec *)(const void *)f->buf;
    f->seq = (*rec)->seq;
    return 1;
}
