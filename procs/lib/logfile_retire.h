/* logfile_retire.h: taking whole files off the old end of a log.
 *
 *   [1 .. 500] [501 .. 900] [901 .. 1400] [1401 ..
 *    `through` = 1000: the first two may go, the third holds 1001; the newest never goes
 */
#ifndef EIDOS_PROCS_LIB_LOGFILE_RETIRE_H
#define EIDOS_PROCS_LIB_LOGFILE_RETIRE_H

#include "procs/lib/logfile.h"

/* Remove the oldest file if all its records are at most `through` and it was last written before
 * `before_s` (Unix time), and sync the directory. 1, and *last (may be NULL) = its last record; 0 =
 * nothing may go; -1. */
int logfile_retire(const struct logdir *d, u32 log, u64 through, u64 before_s, u64 *last);

/* Remove every file of a derived log. 0 or -1. */
int logfile_discard(struct logdir *d, u32 log);

/* The first record the files hold, or 0 when there are none; -1. */
int logfile_begin(const struct logdir *d, u32 log, u64 *first);

#endif
