/* retire.h: which journal files are not needed any more.
 *
 *   a record may go when the oldest kept snapshot holds what came of it, when everybody who reads
 *   the log by its files is past it, and when its file is older than journal.retain
 *
 * So any snapshot that is kept can still be the beginning of a start, should newer ones be damaged.
 * Whole files go, the oldest first, the newest of a log never.
 */
#ifndef EIDOS_PROCS_JOURNAL_RETIRE_H
#define EIDOS_PROCS_JOURNAL_RETIRE_H

#include "procs/journal/journal.h"

/* Remove at most one file of each log. `readers[log]` is the last record that all who follow its
 * files have consumed; files written at or after `before_s` (Unix time) stay. Returns how many
 * files went, *last[log] (0 = none) through which record; -1 = the disk refused. */
int retire_files(struct journal *j, const u64 readers[static PROC_LOGS_MAX], u64 before_s,
                 u64 last[static PROC_LOGS_MAX]);

#endif
