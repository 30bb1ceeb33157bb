/* journal.h: the logs, from shared memory to disk.
 *
 *   command log --gather--> one write, one sync --> mark --> durable.seq --> answers may leave
 *   match logs  --gather (cause <= durable.seq)--> write        synced once a second
 *   account log --gather (cause <= durable.seq)--> write        and when a file ends
 *
 * Everything between written and head goes in one batch; while it syncs, the next one gathers. Room
 * in the shared command log is given back only after the sync: should the sync fail, what it may
 * have lost is still there, and the next journal process writes it again.
 */
#ifndef EIDOS_PROCS_JOURNAL_JOURNAL_H
#define EIDOS_PROCS_JOURNAL_JOURNAL_H

#include "procs/lib/logfile.h"
#include "shm/durable.h"
#include "shm/log.h"
#include "shm/signal.h"

#define JOURNAL_SYNC_NS   1000000000UL /* match and account logs, and the mark itself */
#define JOURNAL_RETRY_NS  100000000UL  /* when the disk is full */
#define JOURNAL_OWES_NS   4000000UL    /* sleep no longer than this while zeros are owed */
#define JOURNAL_TIMES_MAX 512U

/* One log. */
struct journal_log {
    u32 log; /* index */
    struct log_reader shm;
    _Atomic u64 *seq_seen; /* proc_block.log_seq of this log, may be NULL */
    struct logfile_writer file;
    bool blocked; /* no space for the next batch; tried again at journal.retry_ns */
};

struct journal {
    struct logdir dir;
    const struct logfile_io *io;
    u32 count;
    struct journal_log logs[PROC_LOGS_MAX]; /* logs[0] is the command log */
    struct durable *durable;
    struct watch watch; /* on durable->seq; the shell adds who waits for it */
    const struct durable
        *exporter;   /* durability = kafka: nobody is told beyond its seq; else NULL */
    u64 exported;    /* through this command, as a former exporter said */
    int exported_fd; /* where that is kept, -1 = nowhere */
    bool sync;       /* durability = disk; false: memory */
    u64 batch_bytes, segment_bytes;
    u64 synced_ns, retry_ns, zeroed_ns; /* CLOCK_MONOTONIC */
    bool owes_zeros; /* the next file is not as far as it should be: turn again soon */
    u32 sync_step;   /* which log is synced next; `count` = the mark */
    bool unsynced;   /* something was written since the first of these steps */
    bool full;       /* a file could not be reserved or written */
    bool scarce;     /* the shell's: space is short; either sets durable->low_disk */
    int mark_fd;
    struct logfile_mark mark;
    /* Of the last batch of the command log, for metrics and traces: the times of its commands,
     * equal ones together; what has no room counts as the last. */
    struct journal_times {
        u64 gathered_ns, durable_ns; /* CLOCK_MONOTONIC; durable_ns 0 = nothing new */
        u64 first, last;             /* commands */
        u32 count;
        struct {
            u64 time_ns, records;
        } at[JOURNAL_TIMES_MAX];
    } times;
    u64 batches, records, bytes, syncs, sync_ns, sync_max_ns,
        retries; /* since the start, for metrics */
};

/* Open the directory. `batch_bytes` is bounded to half a file. 0 or -1. */
int journal_open(struct journal *j, const char *dir, struct durable *durable, bool sync,
                 u64 segment_bytes, u64 batch_bytes, const struct logfile_io *io);

/* Tell nobody of a command before `exporter` has it, from here on; before any journal_add. How far
 * it was is kept in <dir>/journal/exported, so that a restart need not wait for it to come back. */
int journal_wait_for(struct journal *j, const struct durable *exporter);

/* Add a log, the command log first. `shm` is joined; its cursor gates the log's writer. Goes on
 * after what the files hold; where shared memory still has what was not synced, that is written
 * again. -1 when shared memory no longer holds the next record, or the files are damaged. */
int journal_add(struct journal *j, u32 log, const struct log_reader *shm, _Atomic u64 *seq_seen);

/* Write what there is. `now_ns`: CLOCK_MONOTONIC. Returns how many records were written; 0 =
 * nothing to do or no space (durable->low_disk); -1 = fatal, err says why: note it and exit. */
i64 journal_turn(struct journal *j, u64 now_ns);

/* Sync everything, mark included, and close. */
int journal_close(struct journal *j);

#endif
