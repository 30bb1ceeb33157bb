/* snapshot_take.h: asking eidos-snapshot for a snapshot now.
 *
 *   operator: writes <dir>/snapshots/take (the sequence that must be in it), waits until it is gone
 *   process:  replays that far, writes a snapshot unless it has that one, removes the file
 */
#ifndef EIDOS_PROCS_LIB_SNAPSHOT_TAKE_H
#define EIDOS_PROCS_LIB_SNAPSHOT_TAKE_H

#include "shm/base.h"

/* Ask for one that holds command `seq`. A later request replaces an earlier one. 0 or -1. */
int snapshot_ask(const char *dir, u64 seq);

/* Is one asked for? Then *seq must be in it. */
bool snapshot_asked(const char *dir, u64 *seq);

/* Done, whatever came of it. */
void snapshot_answer(const char *dir);

#endif
