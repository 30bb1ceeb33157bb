/* recover.c: the start of the whole exchange. The single processes are in recover_live.c. */
#include "procs/lib/recover.h"

#include "procs/lib/clock.h"
#include "procs/lib/logfile_retire.h"
#include "procs/lib/logfile_survey.h"
#include "procs/lib/recover_inside.h"
#include "procs/lib/replay.h"
#include "shm/err.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#define SURVEY_BYTES (64UL << 20)  /* of each log, beyond what must be read */
#define BATCH_BYTES  (128UL << 10) /* of derived records written again */

/* A derived log whose files are brought up to what replay makes. */
struct derived {
    u64 end; /* last record its files hold */
    bool writing;
    struct logfile_writer file;
    u8 *batch;
    u64 bytes, first, last;
};

struct start {
    const struct recover_options *options;
    struct logdir dir;
    struct replica replica;
    u64 end;                               /* of the command log */
    u64 cut;                               /* 1: record end + 1 was there, torn, and reported */
    struct derived derived[PROC_LOGS_MAX]; /* by log index; [LOG_COMMAND] is not used */
    u32 logs;
    bool covered; /* the snapshot to begin with has no derived record that the files have not */
    u64 phase_ns; /* CLOCK_MONOTONIC: when the present phase began */
    struct recovered out;
};

static void report(const struct start *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void report(const struct start *s, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX + 200];
    va_list ap;
    if (!s->options->report) return;
    static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    pthread_mutex_lock(&one_at_a_time);
    s->options->report(s->options->context, text);
    pthread_mutex_unlock(&one_at_a_time);
}

static void report_damaged(void *context, const char *why)
{
    report(context, "passing over a damaged snapshot: %s", why);
}

/* Cut a torn tail, and say so. */
static int cut_torn(struct start *s, const struct logfile_reader *r)
{
    report(s, "%s: cut %lu bytes of an unfinished write at byte %lu, after record %lu (%s)%s",
           r->fault.path, r->fault.bytes, r->fault.offset, r->seq, r->fault.cause,
           r->fault.was_synced
               ? "; THE RECORD HAD BEEN ON DISK: what it answered for is lost, check the disk"
               : "");
    if (r->log == LOG_COMMAND && r->fault.was_synced) s->cut = 1;
    return logfile_cut(&s->dir, r->log, r->seq);
}

/* The last whole record of a log; reads its newest file. */
static int find_end(struct start *s, u32 log, u64 *seq)
{
    u64 *firsts;
    struct logfile_reader r;
    const struct rec *rec;
    int count = logfile_list(&s->dir, log, &firsts);
    u64 from = count > 0 ? firsts[count - 1] - 1 : 0;
    free(firsts);
    if (count < 0) return -1;
    enum logfile_status status = logfile_open(&r, &s->dir, log, from, UINT64_MAX);
    if (status == LOGFILE_END)
        while ((status = logfile_next(&r, &rec)) == LOGFILE_RECORD) {
        }
    *seq = r.seq;
    int rc = status == LOGFILE_END ? 0 : status == LOGFILE_TORN ? cut_torn(s, &r) : -1;
    logfile_close(&r);
    return rc;
}

/* What `witness` holds is only written when command `seq` is on disk: is that still there? */
static int check_witness(const struct start *s, const char *witness, u64 seq)
{
    if (s->options->lossy || seq <= s->end + s->cut) return 0;
    return err_set("%s/journal/command-*.log: end with record %lu, but %s proves that record %lu "
                   "was on disk and answered for; restore the missing files or their end from a "
                   "copy (to begin anew, empty the whole directory)",
                   s->dir.dir, s->end, witness, seq);
}

/* Snapshots are made of durable commands only. */
static int check_snapshots(const struct start *s)
{
    u64 *seqs;
    int count = snapshot_list(s->options->dir, &seqs), rc = count < 0 ? -1 : 0;
    for (int i = count - 1; !rc && i >= 0 && seqs[i] > s->end; i--) {
        struct snapshot_reader r;
        if (snapshot_open(&r, s->options->dir, s->dir.instance, seqs[i])) continue;
        rc = check_witness(s, r.path, seqs[i]);
        snapshot_close(&r);
    }
    free(seqs);
    return rc;
}

/* The first record of one file that follows from a command beyond the end, or 0. -1 = err. */
static int find_beyond(struct start *s, u32 log, u64 first, u64 *seq)
{
    struct logfile_reader r;
    const struct rec *rec;
    u64 cause = 0;
    *seq = 0;
    enum logfile_status status = logfile_open(&r, &s->dir, log, first - 1, UINT64_MAX);
    if (status == LOGFILE_END)
        while ((status = logfile_next(&r, &rec)) == LOGFILE_RECORD) {
            if (rec->cause > s->end && !*seq) *seq = rec->seq;
            cause = max_u64(cause, rec->cause);
        }
    logfile_close(&r);
    if (status > LOGFILE_RECORD) return -1;
    char file[64];
    logfile_file(log, first, file);
    return check_witness(s, file, cause);
}

/* Derived records must not outlive the commands they follow from: their numbers will be given out
 * again. */
static int trim(struct start *s, u32 log, u64 *end)
{
    u64 *firsts, found = 0;
    int count = logfile_list(&s->dir, log, &firsts), rc = count < 0 ? -1 : 0;
    for (int i = count - 1; !rc && i >= 0; i--) {
        u64 seq;
        rc = find_beyond(s, log, firsts[i], &seq);
        if (rc || !seq) break;
        found = seq;
        if (seq != firsts[i]) break;
    }
    free(firsts);
    if (rc || !found) return rc;
    char name[LOGFILE_NAME_BYTES];
    logfile_name(log, name);
    report(s, "%s log: cut records %lu to %lu, which follow from commands that are gone", name,
           found, *end);
    *end = found - 1;
    return logfile_cut(&s->dir, log, *end);
}

/* --- Writing derived records again -------------------------------------------------------------
 */

static int flush(struct derived *d)
{
    struct iovec piece = {d->batch, d->bytes};
    if (!d->bytes) return 0;
    int rc = logfile_append(&d->file, &piece, 1, d->bytes, d->first, d->last);
    d->bytes = 0;
    return rc ? -1 : 0;
}

static int begin_writing(struct start *s, u32 log, struct derived *d)
{
    char name[LOGFILE_NAME_BYTES];
    logfile_name(log, name);
    report(s, "%s log: files end with record %lu; writing what replay makes after it", name,
           d->end);
    d->batch = malloc(BATCH_BYTES);
    CHECK(d->batch);
    d->writing = true;
    return logfile_writer_open(&d->file, &s->dir, log, s->options->segment_bytes, false, d->end,
                               &logfile_io_real)
               ? -1
               : 0;
}

static int take_derived(void *context, u32 log, const struct rec *rec)
{
    struct start *s = context;
    struct derived *d = &s->derived[log];
    if (rec->seq <= d->end) return 0;
    if (!d->writing && begin_writing(s, log, d)) return -1;
    if (d->bytes + rec->length > BATCH_BYTES && flush(d)) return -1;
    if (!d->bytes) d->first = rec->seq;
    memcpy(d->batch + d->bytes, rec, rec->length);
    d->bytes += rec->length;
    d->last = rec->seq;
    return 0;
}

/* A full book turned an order away: so did the live one, or its arena was larger. Beyond the files
 * nobody knows, and nobody was told. */
static int check_refused(void *context, u32 log, const struct rec *rec)
{
    struct start *s = context;
    const struct match_order *made = (const void *)rec, *was;
    const struct rec *there = NULL;
    struct logfile_reader r;
    if (rec->seq > s->derived[log].end) return 0;
    enum logfile_status status = logfile_open(&r, &s->dir, log, rec->seq - 1, UINT64_MAX);
    if (status == LOGFILE_END) status = logfile_next(&r, &there);
    bool same = false;
    if (status == LOGFILE_RECORD && there) {
        was = (const void *)there;
        same = there->kind == rec->kind && was->order_id == made->order_id &&
               was->reason == made->reason && was->code == made->code;
    }
    logfile_close(&r);
    if (same) return 0;
    if (status != LOGFILE_RECORD) return -1;
    return err_set("matching.orders_max is too small for what the journal holds: order %lu of "
                   "command %lu found room in its book, and now there is none; raise it",
                   made->order_id, rec->cause);
}

static int finish_derived(struct start *s, u32 log, u64 made)
{
    struct derived *d = &s->derived[log];
    if (made < d->end) return recover_files_beyond(s->dir.dir, log, d->end, made);
    if (!d->writing) return 0;
    return flush(d) || logfile_sync(&d->file) ? -1 : 0;
}

static void close_derived(struct start *s)
{
    for (u32 log = LOG_ACCOUNT; log < s->logs; log++) {
        struct derived *d = &s->derived[log];
        if (d->writing) logfile_writer_close(&d->file);
        free(d->batch);
    }
}

/* --- The steps ---------------------------------------------------------------------------------
 */

/* What a crash left only in memory is on disk from here on, also where a sync had failed before. */
static int sync_commands(struct start *s)
{
    u64 *firsts;
    struct logfile_mark mark;
    char file[64];
    int count = logfile_list(&s->dir, LOG_COMMAND, &firsts);
    u64 last = count > 0 ? firsts[count - 1] : 0;
    free(firsts);
    if (count <= 0) return count;
    logfile_mark_read(&s->dir, &mark);
    if (logfile_rewrite(&s->dir, LOG_COMMAND, mark.synced[LOG_COMMAND], &logfile_io_real))
        return -1;
    logfile_file(LOG_COMMAND, last, file);
    int fd = openat(s->dir.fd, file, O_RDONLY | O_CLOEXEC), rc = 0;
    if (fd < 0 || fdatasync(fd) || fsync(s->dir.fd)) /* the name, too, may not be on disk yet */
        rc = err_sys("syncing %s/journal/%s", s->dir.dir, file);
    if (fd >= 0) close(fd);
    if (rc || (fd = logfile_mark_open(&s->dir, &mark)) < 0) return -1;
    mark.synced[LOG_COMMAND] = s->end;
    rc = logfile_mark_write(fd, &mark, true);
    close(fd);
    return rc;
}

/* What is not needed now, and would be missed later: said, not acted on. */
static void survey(struct start *s)
{
    struct logfile_mark mark;
    u64 first = 0, *seqs;
    if (s->end && !logfile_mark_read(&s->dir, &mark))
        report(s,
               "%s/journal/mark is missing or damaged; it is made anew, and through which command "
               "the log had been on disk is not known from it",
               s->dir.dir);
    for (u32 log = LOG_COMMAND; log < s->logs; log++)
        if (logfile_survey(&s->dir, log, SURVEY_BYTES))
            report(s, "not needed for this start, but not as it was written: %s", err_text());
    int count = snapshot_list(s->options->dir, &seqs);
    if (count > 0 && !logfile_begin(&s->dir, LOG_COMMAND, &first) && seqs[0] + 1 < first)
        report(s,
               "the journal begins with command %lu, though a snapshot at %lu is kept: command "
               "files in between are missing; restore them from a copy",
               first, seqs[0]);
    if (count >= 0) free(seqs);
}

static int find_ends(struct start *s)
{
    if (find_end(s, LOG_COMMAND, &s->end) || check_snapshots(s)) return -1;
    for (u32 log = LOG_ACCOUNT; log < s->logs; log++) {
        u64 *end = &s->derived[log].end;
        if (find_end(s, log, end) || trim(s, log, end)) return -1;
    }
    survey(s);
    if (!s->end && s->dir.used && !s->options->lossy)
        return err_set(
            "%s/journal: there is no command, and %s/instance says that there were some; "
            "restore the missing folder journal, and snapshots, from a copy (to begin "
            "anew, empty the whole directory)",
            s->dir.dir, s->dir.dir);
    if (s->end && logdir_set_used(&s->dir)) report(s, "%s", err_text());
    return sync_commands(s);
}

static int no_beginning(const struct start *s, u64 first)
{
    return err_set(
        "%s/journal/command-*.log: begin with record %lu, and no whole snapshot in "
        "%s/snapshots holds what was before; restore the missing command-*.log files, or "
        "the snapshots, from a copy",
        s->dir.dir, first, s->options->dir);
}

/* Old commands are retired, and with them what would make the end of a derived log again: its files
 * begin anew after the oldest snapshot. 1 = opened; 0 = the commands are all there; -1. */
static int begin_derived_anew(struct start *s, struct snapshot_reader *r)
{
    u64 first, *seqs;
    if (logfile_begin(&s->dir, LOG_COMMAND, &first)) return -1;
    if (first <= 1) return 0;
    int count = snapshot_list(s->options->dir, &seqs), found = 0;
    if (count < 0) return -1;
    for (int i = 0; i < count && !found; i++)
        found = seqs[i] + 1 >= first &&
                snapshot_open(r, s->options->dir, s->dir.instance, seqs[i]) == 0;
    free(seqs);
    if (!found) return no_beginning(s, first);
    for (u32 log = LOG_ACCOUNT; log < s->logs; log++) {
        const struct snapshot_info *info = &r->manifest->info;
        u64 made = log == LOG_ACCOUNT ? info->account_seq : info->match_seq[log - LOG_MATCH(0)];
        char name[LOGFILE_NAME_BYTES];
        if (s->derived[log].end >= made) continue;
        logfile_name(log, name);
        report(s,
               "%s log: files end with record %lu, and the commands that made the next are "
               "retired; its files begin anew with record %lu",
               name, s->derived[log].end, made + 1);
        s->derived[log].end = made;
        if (logfile_discard(&s->dir, log)) {
            snapshot_close(r);
            return -1;
        }
    }
    return 1;
}

/* The snapshot to begin with: 1 = opened, 0 = none, -1. */
static int open_newest(struct start *s, struct snapshot_reader *r)
{
    int gone = snapshot_cut(s->options->dir, s->dir.instance, s->end);
    if (gone < 0) return -1;
    if (gone) report(s, "removed %d snapshots of commands that are gone", gone);
    struct snapshot_info need = {.account_seq = s->derived[LOG_ACCOUNT].end};
    for (u32 i = 0; LOG_MATCH(i) < s->logs; i++) need.match_seq[i] = s->derived[LOG_MATCH(i)].end;
    u64 first;
    int found =
        snapshot_newest(r, s->options->dir, s->dir.instance, s->end, &need, report_damaged, s);
    if (found < 0 || logfile_begin(&s->dir, LOG_COMMAND, &first)) return -1;
    s->covered = found && r->manifest->info.seq + 1 >= first;
    if (s->covered) return 1;
    if (found) snapshot_close(r); /* what follows on it is no longer there */
    return begin_derived_anew(s, r);
}

/* After an orderly stop there is nothing to replay: every log ends where the snapshot does. */
static bool is_whole(const struct start *s, const struct snapshot_info *info)
{
    bool whole = info->seq == s->end && info->account_seq == s->derived[LOG_ACCOUNT].end &&
                 info->matchings == s->logs - LOG_MATCH(0);
    for (u32 i = 0; whole && i < info->matchings; i++)
        whole = info->match_seq[i] == s->derived[LOG_MATCH(i)].end;
    return whole;
}

static int replay(struct start *s)
{
    struct logfile_reader r;
    const struct rec *rec;
    enum logfile_status status = logfile_open(&r, &s->dir, LOG_COMMAND, s->replica.seq, UINT64_MAX);
    struct replay p;
    int rc = replay_begin(&p, &s->replica, s->options->threads);
    if (status == LOGFILE_END)
        while (!rc && (status = logfile_next(&r, &rec)) == LOGFILE_RECORD) rc = replay_put(&p, rec);
    if (status > LOGFILE_RECORD) rc = -1;
    rc = replay_end(&p, rc);
    logfile_close(&r);
    if (!rc && s->replica.seq != s->end)
        rc = err_set("replay ended with command %lu, not %lu", s->replica.seq, s->end);
    return rc;
}

static void found(struct start *s, const struct snapshot_info *info)
{
    s->out.seq = s->out.checksum_seq = info->seq;
    s->out.time_ns = info->time_ns;
    s->out.account_seq = info->account_seq;
    s->out.checksum = info->checksum;
    memcpy(s->out.match_seq, info->match_seq, sizeof s->out.match_seq);
}

/* A phase is over: nanoseconds it took. */
static u64 lap(struct start *s)
{
    u64 before = s->phase_ns;
    s->phase_ns = clock_mono();
    return s->phase_ns - before;
}

static void step(const struct start *s, enum recover_step begins)
{
    if (s->options->step) s->options->step(s->options->context, begins, &s->out);
}

/* Each process loads a snapshot and replays what follows: a long tail is better replayed once. */
static int save_end(struct start *s, const struct replica_sums *sums)
{
    u64 replayed = s->end - s->out.snapshot_seq;
    if (!s->end || (s->out.snapshot_seq && replayed <= s->options->tail_commands)) return 0;
    step(s, RECOVER_SAVE);
    trading_forget_segment(&s->replica.trading); /* which no checksum knows of */
    return replica_save_known(&s->replica, sums, s->options->threads, s->options->dir,
                              s->dir.instance, NULL);
}

static int finish(struct start *s)
{
    struct snapshot_info info;
    struct replica_sums sums;
    replica_sums(&s->replica, &sums);
    replica_info_from(&s->replica, &sums, &info);
    int rc = finish_derived(s, LOG_ACCOUNT, info.account_seq);
    for (u32 i = 0; !rc && LOG_MATCH(i) < s->logs; i++)
        rc = finish_derived(s, LOG_MATCH(i), info.match_seq[i]);
    found(s, &info);
    s->out.replay_ns = lap(s);
    if (rc || save_end(s, &sums)) return -1;
    return snapshot_retire(s->options->dir, s->dir.instance,
                           max_u64(s->options->snapshots_keep, 1) & UINT32_MAX);
}

/* From the snapshot in `r`, if there is one, to the end. */
static int rebuild(struct start *s, struct snapshot_reader *r)
{
    struct replica_config config = {.params = s->options->params,
                                    .trading = true,
                                    .market = true,
                                    .pool = true,
                                    .matching_count = s->options->params->matching,
                                    .sink = take_derived,
                                    .refused = check_refused,
                                    .account_after = s->derived[LOG_ACCOUNT].end,
                                    .context = s};
    for (u32 i = 0; LOG_MATCH(i) < s->logs; i++)
        config.match_after[i] = s->derived[LOG_MATCH(i)].end;
    step(s, RECOVER_REPLAY);
    if (replica_open(&s->replica, &config)) return -1;
    int rc = 0;
    if (r && s->options->threads > 1) rc = replica_load_by_two(&s->replica, r, s->options->dir);
    else if (r) rc = replica_load(&s->replica, r);
    s->out.snapshot_seq = s->replica.seq;
    s->out.load_ns = lap(s);
    rc = rc || replay(s) || finish(s) ? -1 : 0;
    close_derived(s);
    replica_close(&s->replica);
    s->out.save_ns = lap(s);
    return rc;
}

/* Orders that rest in the books of a snapshot. */
static u64 resting_in(const struct snapshot_manifest *m)
{
    u64 bytes = 0;
    for (u32 i = 0; i < m->sections; i++)
        if (m->section[i].kind == SECTION_BOOK) bytes += m->section[i].raw;
    return bytes / sizeof(struct book_order);
}

/* Are the match records that this command merges in the files? Matching publishes again only what
 * is not merged. */
static bool is_merge_written(const struct start *s, const struct rec *cmd)
{
    const struct cmd_merge *merge = (const void *)cmd;
    if (cmd->kind != CMD_MERGE) return true;
    return LOG_MATCH(merge->matching) < s->logs &&
           merge->through <= s->derived[LOG_MATCH(merge->matching)].end;
}

/* Can the processes do all that is left: replay what follows on the snapshot, and publish what the
 * derived files lack? Not where a full book might turn an order away: that is held against the
 * files (check_refused). *time_ns = of the last command. What is wrong here a replay will tell. */
static bool can_leave_tail(struct start *s, const struct snapshot_manifest *m, u64 *time_ns)
{
    const struct snapshot_info *info = &m->info;
    u64 tail = s->end - info->seq;
    struct logfile_reader r;
    const struct rec *rec;
    bool can = s->options->leave_tail && s->covered && tail <= s->options->tail_commands &&
               info->matchings == s->logs - LOG_MATCH(0) &&
               resting_in(m) + tail <= s->options->params->resting_max;
    if (!can) return false;
    *time_ns = info->time_ns;
    enum logfile_status status = logfile_open(&r, &s->dir, LOG_COMMAND, info->seq, UINT64_MAX);
    if (status == LOGFILE_END)
        while (can && (status = logfile_next(&r, &rec)) == LOGFILE_RECORD) {
            can = is_merge_written(s, rec);
            *time_ns = rec->time_ns;
        }
    can = can && status == LOGFILE_END && r.seq == s->end;
    logfile_close(&r);
    return can;
}

static void leave_tail(struct start *s, const struct snapshot_info *info, u64 time_ns)
{
    found(s, info);
    s->out.snapshot_seq = info->seq;
    s->out.seq = s->end;
    s->out.time_ns = time_ns;
    s->out.account_seq = s->derived[LOG_ACCOUNT].end;
    for (u32 i = 0; LOG_MATCH(i) < s->logs; i++) s->out.match_seq[i] = s->derived[LOG_MATCH(i)].end;
}

static int recover(struct start *s)
{
    struct snapshot_reader r;
    if (logdir_lock(&s->dir) || find_ends(s)) return -1;
    u64 time_ns = 0;
    int opened = open_newest(s, &r), rc = opened < 0 ? -1 : 0;
    bool left = opened > 0 && can_leave_tail(s, r.manifest, &time_ns);
    bool whole = opened > 0 && is_whole(s, &r.manifest->info);
    if (whole || left) rc = replica_fits(&r, s->options->params); /* what is not loaded here */
    s->out.check_ns = lap(s);
    if (!rc && whole) {
        s->out.snapshot_seq = s->end;
        found(s, &r.manifest->info);
    } else if (!rc && left) {
        leave_tail(s, &r.manifest->info, time_ns);
    } else if (!rc) {
        rc = rebuild(s, opened ? &r : NULL);
    }
    if (opened > 0) snapshot_close(&r);
    return rc;
}

int recover_start(const struct recover_options *options, struct recovered *out)
{
    struct start *s = calloc(1, sizeof *s);
    CHECK(s);
    s->options = options;
    s->phase_ns = clock_mono();
    s->logs = LOG_MATCH(options->params->matching);
    int rc = logdir_open(&s->dir, options->dir, true);
    if (!rc) rc = recover(s);
    if (s->dir.fd > 0) logdir_close(&s->dir);
    if (out) *out = s->out;
    free(s);
    return rc;
}
