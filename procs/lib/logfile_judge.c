/* logfile_judge.c: the end of a log, a torn tail, or damage?
 *
 * An unfinished write may leave anything behind: some of its pages, in any order. It was never
 * answered for, so it is cut. What had been synced must be there. Two witnesses tell them apart:
 *
 *   the mark        says through which record the log was synced, at least
 *   a later batch   was only begun when the one before it had been synced (command log)
 */
#include "procs/lib/logfile_inside.h"

#include "shm/log.h"

#include <string.h>
#include <sys/stat.h>

#define STEP_BYTES 4096U
#define MEND_BYTES 512U /* longer kinds end in bytes that are never zero */

/* What stands after the bad place in the same file. */
struct tail {
    u64 end;    /* offset after the last byte that is not zero; 0 = all zero */
    bool later; /* there is proof of a later write */
};

const char *logfile_remedy(u32 log)
{
    return log == LOG_COMMAND
               ? "restore this file from a copy; `eidosctl journal verify` checks it"
               : "delete this file and the later ones of its log: the next start makes them anew";
}

static bool is_zero(const u8 *p, u64 bytes)
{
    u8 any = 0;
    for (u64 i = 0; i < bytes; i++) any |= p[i];
    return !any;
}

static bool is_sound(const struct rec *rec, u64 have)
{
    return rec->length >= sizeof *rec && rec->length <= have && rec->length % 8 == 0 &&
           rec_is_whole(rec);
}

/* Does something whole begin at `at` that can only have been written later? */
static bool is_later(struct logfile_reader *r, u64 at)
{
    const u8 *p;
    u64 have = logfile_view(r, at, RECORD_BYTES_MAX, &p);
    if (have < sizeof(struct rec)) return false;
    const struct rec *rec = (const struct rec *)(const void *)p;
    const struct logfile_batch *batch = (const struct logfile_batch *)(const void *)p;
    if (!rec->seq)
        return logfile_is_batch(batch) && batch->first_seq > r->seq && is_sound(rec, have);
    /* Without a mark any later record counts: better to stop than to cut too much. */
    return !r->has_mark && rec->seq > r->seq && rec->seq - r->seq < 1UL << 32 &&
           is_sound(rec, have);
}

static struct tail scan_tail(struct logfile_reader *r)
{
    struct tail t = {0};
    const u8 *p;
    u64 at = r->offset, have;
    while ((have = logfile_view(r, at, STEP_BYTES, &p)) >= 8) {
        if (is_zero(p, have)) { /* a batch head begins with a zero word: keep the last one */
            at += have > 8 ? (have & ~7UL) - 8 : 8;
            if (have < STEP_BYTES) break;
            continue;
        }
        for (u64 i = 0; i + 8 <= have; i += 8) {
            logfile_view(r, at + i, 8, &p);
            if (!is_zero(p, 8)) t.end = at + i + 8;
            if (!t.later && at + i > r->offset) t.later = is_later(r, at + i);
        }
        at += have & ~7UL;
    }
    have = logfile_view(r, at, 8, &p);
    if (have && !is_zero(p, have)) t.end = at + have;
    return t;
}

/* One changed byte away from a whole record: then it was written in full and changed afterwards. */
static bool is_mendable(struct logfile_reader *r)
{
    alignas(8) u8 copy[MEND_BYTES];
    const u8 *p;
    u64 have = logfile_view(r, r->offset, MEND_BYTES, &p);
    memcpy(copy, p, have);
    const struct rec *rec = (const struct rec *)(const void *)copy;
    if (have < sizeof *rec) return false;
    u64 length = rec->length >= sizeof *rec && rec->length <= have ? rec->length : sizeof *rec;
    for (u64 i = 0; i < length; i++) {
        u8 was = copy[i];
        for (u32 v = 0; v < 256; v++) {
            copy[i] = (u8)v;
            if (v != was && is_sound(rec, have)) return true;
        }
        copy[i] = was;
    }
    return false;
}

/* Does the record look like a write that stopped half-way? The file ends within it, or nothing but
 * zeros follows from a place within it. */
static bool is_half_written(struct logfile_reader *r, const struct tail *t)
{
    const u8 *p;
    struct stat st;
    if (fstat(r->fd, &st)) return false;
    u64 have = logfile_view(r, r->offset, sizeof(struct rec), &p);
    if (have < sizeof(struct rec)) return true;
    u64 length = ((const struct rec *)(const void *)p)->length;
    if (length < sizeof(struct rec) || length > RECORD_BYTES_MAX) length = sizeof(struct rec);
    if (r->offset + length > (u64)st.st_size) return true;
    return t->end + 8 <= r->offset + length && !is_mendable(r);
}

/* First sequence of the next file after the current place, 0 = there is none. */
static u64 later_file(const struct logfile_reader *r)
{
    u64 *firsts, found = 0, from = r->fd >= 0 ? r->first : r->seq;
    int count = logfile_list(r->dir, r->log, &firsts);
    for (int i = count - 1; i >= 0 && firsts[i] > from; i--) found = firsts[i];
    free(firsts);
    return found;
}

/* What to do where records are not there at all: the file that held them may be gone. */
static void missing_remedy(const struct logfile_reader *r, char text[200])
{
    char file[64];
    logfile_file(r->log, r->seq + 1, file);
    if (r->log != LOG_COMMAND) snprintf(text, 200, "%s", logfile_remedy(r->log));
    else if (r->fd < 0)
        snprintf(text, 200,
                 "restore the command-*.log files from a copy (to begin anew, empty the whole "
                 "directory)");
    else
        snprintf(text, 200,
                 "restore from a copy this file or, if that was removed, %s; `eidosctl journal "
                 "verify` checks them",
                 file);
}

static enum logfile_status damage(struct logfile_reader *r, const char *cause, const char *witness)
{
    char text[200], remedy[200];
    snprintf(text, sizeof text, "%s, though %s", cause ? cause : "the record is not there",
             witness);
    if (cause) snprintf(remedy, sizeof remedy, "%s", logfile_remedy(r->log));
    else missing_remedy(r, remedy);
    return logfile_fault(r, cause || r->fd >= 0 ? LOGFILE_DAMAGE : LOGFILE_GAP, text, remedy);
}

enum logfile_status logfile_judge(struct logfile_reader *r, const char *cause)
{
    char witness[100];
    u64 want = r->seq + 1, synced = r->mark.synced[r->log], later = later_file(r);
    bool derived = r->log != LOG_COMMAND;
    if (r->limit != UINT64_MAX) return damage(r, cause, "the journal wrote it");
    snprintf(witness, sizeof witness, "a later file begins with record %lu", later);
    if (later) return damage(r, cause, witness);
    snprintf(witness, sizeof witness, "it was on disk through record %lu, says journal/mark",
             synced);
    if (r->fd < 0) return derived || want > synced ? LOGFILE_END : damage(r, cause, witness);
    struct tail t = scan_tail(r);
    if (derived && !t.end) return LOGFILE_END;
    bool half = want == synced && cause && !t.later && is_half_written(r, &t);
    if (want <= synced && !half) return damage(r, cause, witness);
    if (t.later && !derived) /* a derived log is cut: replay makes it again */
        return damage(r, cause, "whole records of a later write follow");
    if (!t.end && !cause) return LOGFILE_END;
    r->fault.bytes = t.end > r->offset ? t.end - r->offset : 0;
    r->fault.was_synced = half;
    return logfile_fault(r, LOGFILE_TORN, cause ? cause : "an unfinished write",
                         "it is cut at the next start");
}
