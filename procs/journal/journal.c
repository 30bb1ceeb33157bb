#include "procs/journal/journal.h"

#include "procs/lib/clock.h"
#include "shm/err.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define ZEROS    (64UL << 10) /* written ahead at once: 0.03 ms */
#define ZEROS_NS 2000000UL    /* between two of them: 32 MB/s, which the disk hardly notices */

/* A run of whole records in shared memory. */
struct gathered {
    struct iovec pieces[LOGFILE_PIECES_MAX];
    int count;
    u64 bytes, records, first, last;
};

int journal_open(struct journal *j, const char *dir, struct durable *durable, bool sync,
                 u64 segment_bytes, u64 batch_bytes, const struct logfile_io *io)
{
    *j = (struct journal){
        .io = io, .durable = durable, .sync = sync, .mark_fd = -1, .exported_fd = -1};
    j->segment_bytes = max_u64(segment_bytes, LOGFILE_SEGMENT_MIN);
    j->batch_bytes = min_u64(max_u64(batch_bytes, RECORD_BYTES_MAX), j->segment_bytes / 2);
    j->watch.head = &durable->seq;
    if (logdir_open(&j->dir, dir, true) || logdir_lock(&j->dir)) return -1;
    j->mark_fd = logfile_mark_open(&j->dir, &j->mark);
    if (j->mark_fd < 0 || logfile_mark_write(j->mark_fd, &j->mark, true)) return -1;
    return 0;
}

/* Where the files of a log end, after cutting a torn tail: r->seq, 0 if there are none. Unless one
 * was cut, 1 is returned and `r` stands there. The caller closes it. */
static int files_end(struct journal *j, u32 log, struct logfile_reader *r)
{
    const struct rec *rec;
    u64 *firsts;
    int count = logfile_list(&j->dir, log, &firsts);
    u64 from = count > 0 ? firsts[count - 1] - 1 : 0;
    free(firsts);
    if (count < 0) return -1;
    enum logfile_status status = logfile_open(r, &j->dir, log, from, UINT64_MAX);
    if (status == LOGFILE_END)
        while ((status = logfile_next(r, &rec)) == LOGFILE_RECORD) {
        }
    if (status == LOGFILE_END) return 1;
    bool torn = status == LOGFILE_TORN && !r->fault.was_synced;
    return torn ? logfile_cut(&j->dir, log, r->seq) : -1;
}

/* Decide after which record to go on, and bring the files and the reader there. 1: nothing had to
 * be cut, `r` stands there; 0; -1. */
static int resume_at(struct journal *j, struct journal_log *l, struct logfile_reader *r, u64 *seq)
{
    u64 synced = j->mark.synced[l->log];
    int found = files_end(j, l->log, r);
    if (found < 0) return -1;
    u64 end = r->seq;
    /* Should the mark itself be lost, what was acknowledged stays where it is. */
    if (l->log == LOG_COMMAND)
        synced = max_u64(synced, atomic_load_explicit(&j->durable->synced, memory_order_relaxed));
    /* A failed sync may have dropped pages that still read well from memory: what the mark does not
     * vouch for is written again, if it can be. */
    if (j->sync && l->log == LOG_COMMAND && synced < end && log_seek(&l->shm, synced) == 0) {
        *seq = synced;
        return logfile_cut(&j->dir, l->log, synced);
    }
    *seq = end;
    /* A fresh log is told by its writer, a little later, where it goes on; a match log begins with
     * what is not merged, of which not all may be there yet: gather passes over it. */
    int later = log_seek(&l->shm, end);
    if (later == 0 || (later > 0 && (l->log >= LOG_MATCH(0) || l->shm.pos == 0))) return found;
    char name[LOGFILE_NAME_BYTES];
    logfile_name(l->log, name);
    return err_set("the files of the %s log end with record %lu, and shared memory no longer holds "
                   "record %lu; stop everything and start again: `eidosctl down`, `eidosctl up`",
                   name, end, end + 1);
}

#define EXPORTED_BYTES 21 /* digits and a newline */

int journal_wait_for(struct journal *j, const struct durable *exporter)
{
    char text[EXPORTED_BYTES + 1] = "";
    CHECK(!j->count);
    j->exported_fd = openat(j->dir.fd, "exported", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (j->exported_fd < 0 || pread(j->exported_fd, text, EXPORTED_BYTES, 0) < 0)
        return err_sys("opening %s/journal/exported", j->dir.dir);
    j->exported = strtoull(text, NULL, 10);
    j->exporter = exporter;
    return 0;
}

/* Older than it was after a power failure at worst, which only makes a start wait longer. */
static int keep_exported(struct journal *j)
{
    char text[EXPORTED_BYTES + 1];
    u64 seq = atomic_load_explicit(&j->durable->seq, memory_order_relaxed);
    if (!j->exporter || seq <= j->exported) return 0;
    j->exported = seq;
    snprintf(text, sizeof text, "%020lu\n", seq);
    if (pwrite(j->exported_fd, text, EXPORTED_BYTES, 0) == EXPORTED_BYTES) return 0;
    return err_sys("writing %s/journal/exported", j->dir.dir);
}

/* Tell how far commands are safe: on disk, and where that is asked for, exported. */
static void publish(struct journal *j)
{
    u64 seq = atomic_load_explicit(&j->durable->synced, memory_order_relaxed);
    if (j->exporter) {
        u64 exported = atomic_load_explicit(&j->exporter->seq, memory_order_acquire);
        seq = min_u64(seq, max_u64(exported, j->exported));
    }
    if (seq <= atomic_load_explicit(&j->durable->seq, memory_order_relaxed)) return;
    atomic_store_explicit(&j->durable->seq, seq, memory_order_release);
    watch_notify(&j->watch);
}

/* What was found on disk counts as durable only once it was synced. */
static int vouch(struct journal *j, struct journal_log *l)
{
    if (l->log != LOG_COMMAND) return 0;
    if (logfile_sync(&l->file)) return -1;
    j->mark.synced[LOG_COMMAND] = l->file.seq;
    if (logfile_mark_write(j->mark_fd, &j->mark, true)) return -1;
    if (atomic_load_explicit(&j->durable->synced, memory_order_relaxed) < l->file.seq)
        atomic_store_explicit(&j->durable->synced, l->file.seq, memory_order_release);
    publish(j);
    return 0;
}

/* Open the newest file where it goes on, after record *seq. */
static int open_file(struct journal *j, struct journal_log *l, u64 *seq)
{
    struct logfile_reader end = {.fd = -1};
    bool zeroed = l->log == LOG_COMMAND && j->sync;
    int rc = resume_at(j, l, &end, seq);
    if (rc > 0 && end.fd >= 0)
        rc = logfile_writer_open_at(&l->file, &j->dir, l->log, j->segment_bytes, zeroed, &end,
                                    j->io);
    else if (rc >= 0)
        rc = logfile_writer_open(&l->file, &j->dir, l->log, j->segment_bytes, zeroed, *seq, j->io);
    logfile_close(&end);
    return rc ? -1 : 0;
}

int journal_add(struct journal *j, u32 log, const struct log_reader *shm, _Atomic u64 *seq_seen)
{
    CHECK(j->count < PROC_LOGS_MAX && (log == LOG_COMMAND) == (j->count == 0));
    struct journal_log *l = &j->logs[j->count];
    u64 seq;
    *l = (struct journal_log){.log = log, .shm = *shm, .seq_seen = seq_seen};
    if (open_file(j, l, &seq)) return -1;
    /* What the mark vouches for is on disk. */
    u64 synced = j->mark.synced[log];
    if (j->sync && synced < seq && logfile_rewrite(&j->dir, log, synced, j->io)) return -1;
    if (vouch(j, l)) return -1;
    j->count++;
    log_release(&l->shm);
    j->batch_bytes = min_u64(j->batch_bytes, l->shm.log->capacity / 2);
    atomic_store_explicit(&j->durable->written[log], seq, memory_order_release);
    return 0;
}

static void note_time(struct journal_times *t, u64 time_ns)
{
    bool same = t->count && t->at[t->count - 1].time_ns == time_ns;
    if (!same && t->count < JOURNAL_TIMES_MAX) {
        t->at[t->count].time_ns = time_ns;
        t->at[t->count++].records = 0;
    }
    t->at[t->count - 1].records++;
}

/* Take whole records after `seq` whose cause is at most `cause_max`, up to `bytes_max`. A fresh
 * match log begins with records that the files have. */
static void gather(struct log_reader *r, u64 seq, u64 cause_max, u64 bytes_max, struct gathered *g,
                   struct journal_times *times)
{
    *g = (struct gathered){0};
    for (const struct rec *rec; (rec = log_peek(r)); log_advance(r, rec)) {
        if (rec->seq <= seq) continue;
        if (rec->cause > cause_max || g->bytes + rec->length > bytes_max) return;
        struct iovec *piece = g->count ? &g->pieces[g->count - 1] : NULL;
        if (piece && (u8 *)piece->iov_base + piece->iov_len == (const u8 *)rec)
            piece->iov_len += rec->length;
        else g->pieces[g->count++] = (struct iovec){(void *)rec, rec->length};
        if (!g->records++) g->first = rec->seq;
        g->bytes += rec->length;
        g->last = rec->seq;
        if (times) note_time(times, rec->time_ns);
    }
}

/* Sync the command log, and only then let it be known. */
static int make_durable(struct journal *j, u64 seq)
{
    u64 before = clock_mono();
    if (logfile_sync(&j->logs[0].file)) return -1;
    j->syncs++;
    u64 took = clock_mono() - before;
    j->sync_ns += took;
    j->sync_max_ns = max_u64(j->sync_max_ns, took);
    j->mark.synced[LOG_COMMAND] = seq;
    return logfile_mark_write(j->mark_fd, &j->mark, false);
}

static void set_full(struct journal *j, bool full)
{
    bool low = full || j->scarce;
    j->full = full;
    if (atomic_load_explicit(&j->durable->low_disk, memory_order_relaxed) != low)
        atomic_store_explicit(&j->durable->low_disk, low, memory_order_release);
}

/* One batch of one log: records written, 0, or -1. */
static i64 write_log(struct journal *j, struct journal_log *l, u64 cause_max, u64 now_ns)
{
    struct gathered g;
    struct log_reader before = l->shm;
    if (l->blocked && now_ns < j->retry_ns) return 0;
    struct journal_times *times = l->log == LOG_COMMAND ? &j->times : NULL;
    if (times) times->count = 0;
    gather(&l->shm, l->file.seq, cause_max, j->batch_bytes, &g, times);
    if (!g.records) {
        if (l->shm.pos != before.pos) log_release(&l->shm);
        return 0;
    }
    if (g.first != l->file.seq + 1)
        return err_set("record %lu came from shared memory where %lu was expected", g.first,
                       l->file.seq + 1);
    int rc = logfile_append(&l->file, g.pieces, g.count, g.bytes, g.first, g.last);
    l->blocked = rc == LOGFILE_NO_SPACE;
    if (rc) {
        l->shm = before;
        if (rc != LOGFILE_NO_SPACE) return -1;
        set_full(j, true);
        j->retry_ns = now_ns + JOURNAL_RETRY_NS;
        j->retries++;
        return 0;
    }
    atomic_store_explicit(&j->durable->written[l->log], g.last, memory_order_release);
    if (l->log == LOG_COMMAND) {
        if (j->sync && make_durable(j, g.last)) return -1;
        atomic_store_explicit(&j->durable->synced, g.last, memory_order_release);
        j->times.gathered_ns = now_ns;
        j->times.durable_ns = clock_mono(); /* before anybody can see it and answer */
        publish(j);
        j->times.first = g.first;
        j->times.last = g.last;
    }
    j->unsynced = true;
    log_release(&l->shm);
    if (l->seq_seen) atomic_store_explicit(l->seq_seen, g.last, memory_order_relaxed);
    j->batches++;
    j->records += g.records;
    j->bytes += g.bytes;
    return (i64)g.records;
}

/* Keep the next file ahead of need: reserved when the current one is half full, and written with
 * zeros in small steps while there is nothing else to do, twice as fast as the current one fills.
 * More at once would make those wait who share the core and the disk. A file that is not zeroed in
 * time serves as well; its syncs take longer, which big batches do not mind. */
static int prepare(struct journal *j, u64 now_ns, bool idle)
{
    if (now_ns < j->retry_ns) return 0;
    bool may_zero = idle && now_ns - j->zeroed_ns >= ZEROS_NS;
    j->owes_zeros = false;
    for (u32 i = 0; i < j->count; i++) {
        struct logfile_writer *w = &j->logs[i].file;
        u64 due = 2 * (w->offset - LOGFILE_HEAD_BYTES);
        if (w->spare_bytes >= min_u64(due, w->segment_bytes)) continue;
        j->owes_zeros |= w->zeroed;
        bool zero = w->zeroed && (may_zero || w->unreserved);
        if (!zero && (w->offset < w->size / 2 || w->spare_fd >= 0)) continue;
        if (zero) j->zeroed_ns = now_ns;
        int rc = logfile_prepare(w, zero ? min_u64(due - w->spare_bytes, ZEROS) : 0);
        if (rc == LOGFILE_NO_SPACE) {
            set_full(j, true);
            j->retry_ns = now_ns + JOURNAL_RETRY_NS;
        }
        if (rc) return rc;
    }
    set_full(j, false);
    return 0;
}

/* A log that is not synced with every batch, or after the last of them the mark. */
static int sync_one(struct journal *j, u32 step)
{
    if (step == j->count && keep_exported(j)) return -1;
    if (step == j->count) return logfile_mark_write(j->mark_fd, &j->mark, true);
    struct journal_log *l = &j->logs[step];
    if (j->mark.synced[l->log] == l->file.seq) return 0;
    if (logfile_sync(&l->file)) return -1;
    j->mark.synced[l->log] = l->file.seq;
    return 0;
}

/* One of them at a time, so that commands never wait for all; once a second each. */
static int sync_next(struct journal *j, u64 now_ns)
{
    if (!j->unsynced && !j->sync_step) return 0;
    if (now_ns - j->synced_ns < JOURNAL_SYNC_NS / (j->count + 1)) return 0;
    j->synced_ns = now_ns;
    if (!j->sync_step) j->unsynced = false;
    u32 step = j->sync_step;
    j->sync_step = step == j->count ? 0 : step + 1;
    return sync_one(j, step);
}

i64 journal_turn(struct journal *j, u64 now_ns)
{
    i64 done = 0;
    if (j->exporter) publish(j);
    for (u32 i = 0; i < j->count; i++) {
        u64 cause_max = atomic_load_explicit(&j->durable->seq, memory_order_relaxed);
        i64 n = write_log(j, &j->logs[i], i ? cause_max : UINT64_MAX, now_ns);
        if (n < 0) return -1;
        done += n;
    }
    if (prepare(j, now_ns, !done) < 0) return -1;
    return sync_next(j, now_ns) ? -1 : done;
}

int journal_close(struct journal *j)
{
    int rc = 0;
    for (u32 step = 0; j->count && !rc && step <= j->count; step++) rc = sync_one(j, step);
    for (u32 i = 0; i < j->count; i++) logfile_writer_close(&j->logs[i].file);
    if (keep_exported(j)) rc = -1;
    if (j->exported_fd >= 0) close(j->exported_fd);
    if (j->mark_fd >= 0) close(j->mark_fd);
    logdir_close(&j->dir);
    return rc;
}
