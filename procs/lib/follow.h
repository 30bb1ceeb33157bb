/* follow.h: one reader of one log, wherever its records are.
 *
 *      journal files ......................................|  <- written
 *                         shared memory [...................]  <- head
 *      ------------------^ cursor        ^ oldest held
 *
 * A reader that was lapped in shared memory, or begins in the past, reads the files, and returns to
 * shared memory when it can. It sees no record whose cause is beyond durable.seq.
 */
#ifndef EIDOS_PROCS_LIB_FOLLOW_H
#define EIDOS_PROCS_LIB_FOLLOW_H

#include "procs/lib/logfile.h"
#include "shm/durable.h"
#include "shm/log.h"

struct follow {
    u32 log;                       /* index */
    const struct durable *durable; /* how far the files go, and what may be seen */
    struct log_reader shm;         /* shm.log NULL: files only */
    struct logdir dir;
    struct logfile_reader files;
    bool in_files;
    bool sees_all; /* set after follow_open by primaries and standbys: hide nothing */
    u64 seq;       /* of the last record given */
    u64 laps;      /* how often it fell back to the files */
    alignas(8) u8 buf[RECORD_BYTES_MAX];
};

/* Begin after `seq`. `log` may be NULL: then only the files of `dir` are read. Opens the directory
 * now, and files whenever it needs them. 0 or -1. */
int follow_open(struct follow *f, const char *dir, u32 log_index, const struct log *log,
                const struct durable *durable, u64 seq);

/* The next record, valid until the next call. 1; 0 = none (yet); -1 with err: the files do not hold
 * what they must. */
int follow_next(struct follow *f, const struct rec **rec);

void follow_close(struct follow *f);

#endif
