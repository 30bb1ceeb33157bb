/* replay.h: commands on their way into a replica. A window of them is known before its turn, so
 * that the memory each will touch can be asked for in time (shm/trading_ahead.h): a replay is
 * bound by cache misses, not by work.
 *
 *   put -->|newest ......... oldest|--> replica_apply
 *            stage 0   1   2
 */
#ifndef EIDOS_PROCS_LIB_REPLAY_H
#define EIDOS_PROCS_LIB_REPLAY_H

#include "procs/lib/replica.h"

#define REPLAY_WINDOW 32U         /* records, a power of two */
#define REPLAY_BYTES  (1UL << 20) /* for copies of them */
_Static_assert(REPLAY_BYTES >= (REPLAY_WINDOW + 2) * RECORD_BYTES_MAX, "a window fits");

struct replay {
    struct replica *replica; /* the caller's */
    const struct rec *records[REPLAY_WINDOW];
    u64 put, applied; /* records, since the beginning */
    u8 *bytes;
    u64 at; /* where the next copy goes */
};

void replay_begin(struct replay *p, struct replica *replica);

/* Take the next sound record of the command log; when the window is full, the oldest one in it is
 * applied. -1 as replica_apply. */
int replay_put(struct replay *p, const struct rec *cmd);

/* Apply what is in the window. */
int replay_drain(struct replay *p);
void replay_end(struct replay *p);

#endif
