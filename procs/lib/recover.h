/* recover.h: coming back: the state at the end of the command log, from the newest snapshot and the
 * journal after it.
 *
 *   the whole exchange starts (recover_start, before there is a segment)
 *     cut torn tails -> newest snapshot -> replay to the end -> rewrite what match and account
 *     files miss -> fresh snapshot at the end, unless little was replayed; all processes load it
 *     Where little follows on the snapshot nothing is replayed here, if the processes can publish
 *     what the files miss (leave_tail).
 *
 *   one process starts (recover_trading, recover_matching, in its init)
 *     newest snapshot -> replay to the head of the log in shared memory -> its own state region;
 *     what its predecessor did not publish any more is published now, and nothing twice
 *
 * In a fresh segment the logs go on where the files end (durable.written, which must be told by
 * then); the match log begins with what trading has not merged yet, so that trading finds it there.
 * What is not in the files is published again, and the journal writes it.
 */
#ifndef EIDOS_PROCS_LIB_RECOVER_H
#define EIDOS_PROCS_LIB_RECOVER_H

#include "procs/lib/owed.h"
#include "procs/lib/replica.h"
#include "shm/durable.h"

#define RECOVER_TAIL 65536U /* commands: quicker replayed by each process than saved and loaded */

struct run;

/* Told what was found and done, one line each: damaged snapshots, torn tails, rewritten files. */
typedef void recover_report_fn(void *context, const char *text);

/* Told what begins now: before memory is taken to replay in; before a snapshot is written, which
 * the processes load. `so_far` has the phases that are over. */
enum recover_step { RECOVER_REPLAY, RECOVER_SAVE };
struct recovered;
typedef void recover_step_fn(void *context, enum recover_step step, const struct recovered *so_far);

struct recover_options {
    const char *dir;
    const struct topo_params *params;
    u64 segment_bytes; /* of journal files */
    u32 snapshots_keep;
    bool lossy; /* journal.durability = memory: the end of the command log may be lost with the host
                 */
    u64 tail_commands; /* that may stay after the last snapshot, for each process to replay */
    bool leave_tail;   /* so many are not even replayed here, where that is not needed */
    u32 threads;       /* to replay with, as in procs/lib/replay.h; 0 = 1 */
    recover_report_fn *report; /* may be NULL */
    recover_step_fn *step;     /* may be NULL */
    void *context;
};

struct recovered {
    u64 seq, account_seq, match_seq[SNAPSHOT_MATCHING_MAX]; /* last of each log, in its files */
    u64 time_ns;                                            /* of the last command */
    u64 snapshot_seq;                                       /* where replay began, 0 = at genesis */
    u64 checksum;                                           /* of the state */
    u64 checksum_seq; /* after this command: seq, or snapshot_seq where the rest was left */
    /* Nanoseconds: finding and checking files and snapshot; loading it; replaying, derived records
     * included; writing a new one. */
    u64 check_ns, load_ns, replay_ns, save_ns;
};

/* Make <dir> ready for a start; nobody else may be working in it. `out` may be NULL. -1 with err:
 * file, offset, cause and remedy; nothing was changed but torn tails cut. */
int recover_start(const struct recover_options *options, struct recovered *out);

/* The whole state after command `seq` (UINT64_MAX: the last), in private memory, from the newest
 * whole snapshot, *snapshot_seq (0 = none), and the journal, of which records beyond `limit` are
 * not looked at (UINT64_MAX: nobody writes it). Opens `r`, which the caller closes. 0, or -1 with
 * err and `r` closed. */
int recover_at(struct logdir *d, const struct topo_params *params, u64 seq, u64 limit, u32 threads,
               struct replica *r, u64 *snapshot_seq);

/* Where a single process finds the logs. `progress` (may be NULL) is called now and then. */
struct recover_source {
    const char *dir;
    const struct topo_params *params;
    const struct log *command;
    const struct durable *durable;
    void (*progress)(void *context, u64 seq, u64 target);
    void *context;
};

/* Fill trading's empty objects; t->command and t->account are joined as writers. Leaves the match
 * readers after what is merged. */
int recover_trading_from(const struct recover_source *s, struct trading *t,
                         struct log_reader *matches);

/* Fill the empty books and rules of m; m->log is joined as a writer. Leaves the command reader
 * after what is applied. */
int recover_matching_from(const struct recover_source *s, struct matching *m,
                          struct log_reader *commands);

/* A standby: fill its empty objects with the state after some command that is published, *seq. What
 * was made beyond `derived` (the last record of the role's derived log that is known to be
 * published) is owed. Answers given on the way are not: who asked then has them, or a time-out. */
int recover_trading_standby(const struct recover_source *s, struct trading *t, u64 derived,
                            struct owed *account, u64 *seq);
int recover_matching_standby(const struct recover_source *s, struct matching *m, u64 derived,
                             struct owed *made, u64 *seq);

/* The same for the processes themselves: where they find the logs, and their own recovery. */
void recover_source_of(struct run *run, struct recover_source *s);
int recover_trading(struct run *run, struct trading *t, struct log_reader *matches);
int recover_matching(struct run *run, struct matching *m, struct log_reader *commands);

#endif
