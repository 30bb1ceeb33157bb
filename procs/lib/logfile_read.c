/* logfile_read.c: reading the logs on disk, record by record. What to think of a place that does
 * not hold the record expected is decided in logfile_judge.c. */
#include "procs/lib/logfile.h"
#include "procs/lib/logfile_inside.h"
#include "procs/lib/logfile_kinds.h"

#include "procs/lib/regular.h"
#include "shm/crc32c.h"
#include "shm/err.h"
#include "shm/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define BUF_BYTES (64UL << 10) /* stays in the cache of a core */

enum logfile_status logfile_fault(struct logfile_reader *r, enum logfile_status status,
                                  const char *cause, const char *remedy)
{
    struct logfile_fault *f = &r->fault;
    char file[64];
    logfile_file(r->log, r->fd >= 0 ? r->first : r->seq + 1, file);
    snprintf(f->path, sizeof f->path, "%s/journal/%s", r->dir->dir, file);
    f->offset = r->offset;
    f->seq = r->seq + 1;
    snprintf(f->cause, sizeof f->cause, "%s", cause);
    snprintf(f->remedy, sizeof f->remedy, "%s", remedy);
    err_set("%s: at byte %lu, where record %lu is expected: %s; %s", f->path, f->offset, f->seq,
            f->cause, f->remedy);
    return status;
}

static enum logfile_status io_fault(struct logfile_reader *r, const char *doing, const char *why)
{
    char cause[200];
    snprintf(cause, sizeof cause, "%s: %s", doing, why);
    return logfile_fault(r, LOGFILE_IO, cause,
                         "check the disk and the rights on the file, or restore it from a copy");
}

static void close_file(struct logfile_reader *r)
{
    if (r->fd >= 0) close(r->fd);
    r->fd = -1;
    r->buf_bytes = 0;
}

u64 logfile_view(struct logfile_reader *r, u64 at, u64 bytes, const u8 **p)
{
    if (at < r->buf_at || at + bytes > r->buf_at + r->buf_bytes) {
        ssize_t n = pread(r->fd, r->buf, BUF_BYTES, (off_t)at);
        r->buf_at = at;
        r->buf_bytes = n > 0 ? (u64)n : 0;
        r->io_failed |= n < 0;
    }
    *p = r->buf + (at - r->buf_at);
    return min_u64(bytes, r->buf_at + r->buf_bytes - at);
}

static const char *head_objection(const struct logfile_reader *r, const u8 *page, u64 first)
{
    struct logfile_head head;
    memcpy(&head, page, sizeof head);
    if (head.magic != LOGFILE_MAGIC) return "this is not a journal file: its magic differs";
    static const u32 no_crc = 0;
    u32 at = offsetof(struct logfile_head, crc), crc = crc32c(0, page, at);
    crc = crc32c(crc, &no_crc, sizeof no_crc);
    crc = crc32c(crc, page + at + 4, LOGFILE_HEAD_BYTES - at - 4);
    if (crc != head.crc) return "the head of the file does not match its checksum";
    if (head.version != LOGFILE_VERSION) return "the file has a format this build does not know";
    if (memcmp(head.instance, r->dir->instance, LOGFILE_INSTANCE) != 0)
        return "the file belongs to another instance: its id is not the one in <dir>/instance";
    char name[LOGFILE_NAME_BYTES];
    logfile_name(r->log, name);
    if (strncmp(name, head.log, sizeof head.log) != 0)
        return "the file is one of another log, renamed";
    if (head.first_seq != first) return "the file begins with another sequence than its name says";
    return NULL;
}

static enum logfile_status check_head(struct logfile_reader *r, u64 first)
{
    const u8 *page;
    r->first = first;
    r->offset = 0;
    if (logfile_view(r, 0, LOGFILE_HEAD_BYTES, &page) < LOGFILE_HEAD_BYTES)
        return logfile_fault(r, LOGFILE_DAMAGE, "the file is shorter than its head",
                             logfile_remedy(r->log));
    const char *why = head_objection(r, page, first);
    if (why)
        return logfile_fault(r, strstr(why, "checksum") ? LOGFILE_DAMAGE : LOGFILE_FOREIGN, why,
                             strstr(why, "checksum")
                                 ? logfile_remedy(r->log)
                                 : "take it out of the directory and put back this instance's own, "
                                   "or restore <dir>/instance if that was changed");
    r->offset = LOGFILE_HEAD_BYTES;
    return LOGFILE_END;
}

/* Open the file that begins with `first`. END = open; GAP when there is none (no fault is set). */
static enum logfile_status open_file(struct logfile_reader *r, u64 first)
{
    char file[64];
    const char *why;
    logfile_file(r->log, first, file);
    int fd = regular_open(r->dir->fd, file, O_RDONLY, &why);
    if (fd < 0 && errno == ENOENT) return LOGFILE_GAP;
    if (fd < 0) {
        close_file(r);
        r->offset = 0;
        return io_fault(r, "opening", why);
    }
    close_file(r);
    r->fd = fd;
    return check_head(r, first);
}

enum logfile_status logfile_open(struct logfile_reader *r, struct logdir *d, u32 log, u64 seq,
                                 u64 limit)
{
    *r = (struct logfile_reader){.dir = d, .log = log, .fd = -1, .limit = limit};
    r->buf = malloc(BUF_BYTES);
    CHECK(r->buf);
    r->has_mark = logfile_mark_read(d, &r->mark);
    return logfile_seek(r, seq);
}

void logfile_close(struct logfile_reader *r)
{
    close_file(r);
    free(r->buf);
    r->buf = NULL;
}

enum logfile_status logfile_seek(struct logfile_reader *r, u64 seq)
{
    u64 *firsts, first = 0, oldest = 0;
    close_file(r);
    r->seq = seq;
    r->offset = 0;
    int count = logfile_list(r->dir, r->log, &firsts);
    if (count < 0) return io_fault(r, "listing the directory", strerror(errno));
    if (count) oldest = firsts[0];
    for (int i = 0; i < count && firsts[i] <= seq + 1; i++) first = firsts[i];
    free(firsts);
    if (oldest && !first) {
        char cause[120];
        snprintf(cause, sizeof cause, "the oldest file of this log begins with record %lu", oldest);
        return logfile_fault(r, LOGFILE_GAP, cause, logfile_remedy(r->log));
    }
    if (!first) return LOGFILE_END;
    r->seq = first - 1;
    enum logfile_status status = open_file(r, first);
    if (status == LOGFILE_GAP) return io_fault(r, "opening", strerror(ENOENT));
    r->walking = true;
    while (status == LOGFILE_END && r->seq < seq) {
        const struct rec *rec;
        status = logfile_next(r, &rec);
        if (status == LOGFILE_END) break;
        if (status == LOGFILE_RECORD) status = LOGFILE_END;
    }
    r->walking = false;
    return status;
}

/* In files that are being written, a journal that came back may have written again, in other
 * batches, what its predecessor had not synced: then what the buffer holds, and the place itself,
 * are of the old layout. Find the place anew, once. */
static bool look_again(struct logfile_reader *r)
{
    u64 seq = r->seq;
    if (r->limit == UINT64_MAX || r->settled || r->walking || r->looked_again == seq + 1)
        return false;
    r->looked_again = seq + 1;
    return logfile_seek(r, seq) == LOGFILE_END && r->seq == seq;
}

static bool is_zero(const u8 *p, u64 bytes)
{
    for (u64 i = 0; i < bytes; i++)
        if (p[i]) return false;
    return true;
}

/* Nothing was written here: does the log go on in another file? Then *status says how entering it
 * went. */
static bool enter_next(struct logfile_reader *r, enum logfile_status *status)
{
    if (r->fd >= 0 && r->first == r->seq + 1) return false;
    *status = open_file(r, r->seq + 1);
    return *status != LOGFILE_GAP;
}

/* The record or batch head at r->offset, whole, or NULL and in *cause why not; *cause NULL: there
 * are only zeros or nothing. */
static const struct rec *look(struct logfile_reader *r, const char **cause)
{
    const u8 *p;
    u64 have = r->fd < 0 ? 0 : logfile_view(r, r->offset, sizeof(struct rec), &p);
    *cause = NULL;
    if (have == 0 || is_zero(p, have)) return NULL;
    *cause = "the record is incomplete";
    if (have < sizeof(struct rec)) return NULL;
    u32 length = ((const struct rec *)(const void *)p)->length;
    *cause = "the record has an impossible length";
    if (length < sizeof(struct rec) || length > RECORD_BYTES_MAX || length % 8) return NULL;
    *cause = "the record is incomplete: the file ends within it";
    if (logfile_view(r, r->offset, length, &p) < length) return NULL;
    const struct rec *rec = (const struct rec *)(const void *)p;
    *cause = "the record does not match its checksum";
    if (!rec_is_whole(rec)) return NULL;
    return rec;
}

static enum logfile_status take(struct logfile_reader *r, const struct rec *rec)
{
    char cause[160];
    if (rec->seq != r->seq + 1) {
        snprintf(cause, sizeof cause, "there is record %lu", rec->seq);
        return logfile_fault(r, LOGFILE_DAMAGE, cause, logfile_remedy(r->log));
    }
    const char *why = kind_objection(rec, r->log);
    if (why) {
        snprintf(cause, sizeof cause, "%s (kind %u, version %u, length %u)", why, rec->kind,
                 rec->version, rec->length);
        return logfile_fault(r, LOGFILE_UNKNOWN, cause,
                             "use the build that wrote it, or a newer one");
    }
    r->offset += rec->length;
    r->seq = rec->seq;
    return LOGFILE_RECORD;
}

enum logfile_status logfile_next(struct logfile_reader *r, const struct rec **rec)
{
    const char *cause;
    while (r->seq < r->limit) {
        const struct rec *found = look(r, &cause);
        if (r->io_failed) return io_fault(r, "reading", strerror(errno));
        const struct logfile_batch *batch = (const struct logfile_batch *)(const void *)found;
        if (found && found->seq) {
            if (found->seq != r->seq + 1 && look_again(r)) continue;
            *rec = found;
            return take(r, found);
        }
        if (found && logfile_is_batch(batch) && batch->first_seq == r->seq + 1) {
            r->offset += sizeof *batch;
            continue;
        }
        if (found) cause = "there is a batch head that does not belong here";
        if (r->fd >= 0 && r->buf_at != r->offset) { /* the buffer may be older than the record */
            r->buf_bytes = 0;
            continue;
        }
        enum logfile_status status = LOGFILE_END;
        if (cause || !enter_next(r, &status)) {
            if (look_again(r)) continue;
            return logfile_judge(r, cause);
        }
        if (status != LOGFILE_END) return status;
    }
    return LOGFILE_END;
}
