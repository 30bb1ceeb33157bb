/* crash.h: a dying process says why: name, signal, address, the region it lies in, and the way it
 * came, on stderr, by async-signal-safe means; its block says FAILED. Then the signal takes its
 * course, so that the supervisor and a core dump see it. */
#ifndef EIDOS_PROCS_LIB_CRASH_H
#define EIDOS_PROCS_LIB_CRASH_H

#include "shm/segment.h"

/* Report crashes of this process from now on. The arguments stay where they are. */
void crash_report(const char *name, const struct segment *segment, struct proc_block *own);

/* From now on `own` is the block that says so. */
void crash_report_to(struct proc_block *own);

#endif
