/* replay.h: commands on their way into a replica, fast.
 *
 * A window of commands is known before its turn, so that the memory each will touch can be asked
 * for in time (shm/trading_ahead.h): a replay is bound by cache misses, not by work. And matching
 * needs nothing of trading, so with a second core they work side by side:
 *
 *   one thread   put -->|window|--> replica_apply
 *   two          put -->|window|--> replica_match --|lane|--> replica_take, replica_trade
 *
 * The lane carries commands, and before each the match records it made. Market data is on its far
 * side too, where there is less to do. The levels of market data are left out and come from the
 * books at the end.
 *
 * What comes out is the same, number by number. */
#ifndef EIDOS_PROCS_LIB_REPLAY_H
#define EIDOS_PROCS_LIB_REPLAY_H

#include <pthread.h>

#include "procs/lib/replica.h"
#include "shm/err.h"
#include "shm/ring.h"

#define REPLAY_WINDOW 256U        /* records, a power of two */
#define REPLAY_PLACE  320U        /* bytes: a record that fits is copied to a place of its own */
#define REPLAY_BYTES  (8UL << 20) /* for copies of longer ones, in turn */
_Static_assert(REPLAY_BYTES >= (REPLAY_WINDOW + 2) * RECORD_BYTES_MAX, "a window fits");

/* Trading's side, in a thread of its own. */
struct replay_lane {
    bool running;
    pthread_t thread;
    struct ring_tx tx;
    struct ring_rx rx, probes[REPLICA_AHEAD_STAGES];
    u32 ahead[REPLICA_AHEAD_STAGES]; /* records each probe is beyond rx */
    void *memory;
    _Atomic u64 tail;
    _Atomic bool ended, failed;
    char why[ERR_TEXT_MAX];
};

struct replay {
    alignas(CACHE_LINE) u8 places[REPLAY_WINDOW][REPLAY_PLACE]; /* few, so they stay in the cache */
    const struct rec *records[REPLAY_WINDOW];
    struct replica *replica; /* the caller's */
    u64 put, applied;        /* records, since the beginning */
    u64 seq;                 /* of the last one applied, or on its way to trading */
    u8 *bytes;
    u64 at; /* where the next copy of a long one goes */
    struct replay_lane lane;
};

/* Cores this process may use, at most `most`: what to give replay_begin. */
u32 replay_threads(u32 most);

/* `threads`: 1, or 2 for a replica of trading and all matchings. Its sink then gets account records
 * in a thread of their own. -1 with err when there is no thread to be had. */
int replay_begin(struct replay *p, struct replica *replica, u32 threads);

/* Take the next sound record of the command log; when the window is full, the oldest one in it is
 * applied. -1 as replica_apply. */
int replay_put(struct replay *p, const struct rec *cmd);

/* Apply everything that was put, unless `rc` says that something failed, and end. Returns -1 when
 * something failed, here or before. */
int replay_end(struct replay *p, int rc);

#endif
