#include "procs/lib/logfile_survey.h"

#include "procs/lib/logfile_inside.h"

#include "shm/err.h"
#include "shm/log.h"

#include <string.h>
#include <sys/stat.h>

/* A view is at most this long. */
#define VIEW_BYTES (64UL << 10)

/* Offset after the last byte of the file that is not zero. */
static u64 used_bytes(struct logfile_reader *r, u64 size)
{
    const u8 *p;
    for (u64 end = size; end;) {
        u64 at = end - min_u64(end, VIEW_BYTES);
        u64 have = logfile_view(r, at, end - at, &p);
        while (have && !p[have - 1]) have--;
        if (have) return at + have;
        end = at;
    }
    return 0;
}

/* The sequence of the last whole record: it ends where the last byte that is not zero stands, or a
 * little later, for records may end in zeros. 0 = there is none. */
static u64 last_record(struct logfile_reader *r)
{
    struct stat st;
    const u8 *p;
    if (fstat(r->fd, &st)) return 0;
    u64 used = used_bytes(r, (u64)st.st_size), least = LOGFILE_HEAD_BYTES;
    if (used > least + RECORD_BYTES_MAX) least = used - RECORD_BYTES_MAX;
    for (u64 at = used & ~7UL; at >= least && at + 8 > least; at -= 8) {
        u64 have = logfile_view(r, at, RECORD_BYTES_MAX, &p);
        const struct rec *rec = (const struct rec *)(const void *)p;
        if (have < sizeof *rec || !rec->seq || rec->length < sizeof *rec || rec->length > have ||
            rec->length % 8 || at + rec->length < used)
            continue;
        if (rec_is_whole(rec)) return rec->seq;
    }
    return 0;
}

/* The file `first`, of which the next begins with `next`. 0 or 1. */
static int look_at_ends(struct logdir *d, u32 log, u64 first, u64 next)
{
    struct logfile_reader r;
    enum logfile_status status = logfile_open(&r, d, log, first - 1, first - 1);
    u64 last = status == LOGFILE_END && r.fd >= 0 ? last_record(&r) : 0;
    if (status == LOGFILE_END && last + 1 != next) {
        char cause[160];
        snprintf(cause, sizeof cause,
                 "its last whole record is %lu, and the next file begins with record %lu", last,
                 next);
        r.seq = last;
        status = logfile_fault(&r, LOGFILE_GAP, cause, logfile_remedy(log));
    }
    logfile_close(&r);
    return status != LOGFILE_END;
}

/* Nothing may follow the last record of a file. */
static enum logfile_status look_behind(struct logfile_reader *r)
{
    struct stat st;
    if (r->fd < 0 || fstat(r->fd, &st) || used_bytes(r, (u64)st.st_size) <= r->offset)
        return LOGFILE_END;
    return logfile_fault(r, LOGFILE_DAMAGE, "something stands after the last record of the file",
                         logfile_remedy(r->log));
}

/* All records in [first, end). 0 or 1. */
static int read_whole(struct logdir *d, u32 log, u64 first, u64 end)
{
    struct logfile_reader r;
    const struct rec *rec;
    enum logfile_status status = logfile_open(&r, d, log, first - 1, end - 1);
    r.settled = true;
    if (status == LOGFILE_END)
        while ((status = logfile_next(&r, &rec)) == LOGFILE_RECORD) {
        }
    if (status == LOGFILE_END) status = look_behind(&r);
    logfile_close(&r);
    return status != LOGFILE_END;
}

int logfile_survey(struct logdir *d, u32 log, u64 bytes)
{
    u64 *firsts;
    int count = logfile_list(d, log, &firsts), whole = count - 1, found = 0;
    if (count < 0) return -1;
    for (; whole > 0; whole--) {
        char file[64];
        struct stat st;
        logfile_file(log, firsts[whole - 1], file);
        if (fstatat(d->fd, file, &st, 0) == 0 && (u64)st.st_size > bytes) break;
        bytes -= (u64)st.st_size;
    }
    for (int i = 0; i < count - 1 && !found; i++)
        found = look_at_ends(d, log, firsts[i], firsts[i + 1]);
    if (!found && whole < count - 1) found = read_whole(d, log, firsts[whole], firsts[count - 1]);
    free(firsts);
    return found;
}
