/* run.h: the one loop of every process.
 *
 *   arguments, configuration -> attach -> take the own block -> init -> seal, Landlock, seccomp
 *        -> ops HTTP -> READY -> turn, turn, ... (spin, then sleep) -> STOPPING -> stop -> exit 0
 *
 * A process is a descriptor and a folder; this file is what all have in common: arguments, attach,
 * heartbeat, sleeping and waking, signals, crash report, sandbox, exit codes. Callbacks, all on the
 * main thread:
 *
 *   init   once, attached, before the sandbox: open files and sockets, recover. May take long; then
 *          it calls run_progress now and then. -1 with err ends the process (state FAILED, exit 1).
 *   turn   again and again: take what the inputs hold, at most about a millisecond's worth,
 * publish, and return how much was done. 0 lets the loop spin and then sleep until an input moves,
 *          at most run->sleep_ns, which is 50 ms before each turn and which the turn may lower (a
 *          deadline; a full ring or log, on whose reader nobody can sleep).
 *   stop   once, after SIGTERM or SIGINT and when turns find nothing more (two seconds at most).
 *
 * Exit codes: 0 stopped as asked, 1 failed, 2 wrong usage.
 */
#ifndef EIDOS_PROCS_LIB_RUN_H
#define EIDOS_PROCS_LIB_RUN_H

#include "procs/lib/config.h"
#include "procs/lib/sandbox.h"
#include "procs/lib/standby.h"
#include "procs/lib/text_log.h"
#include "shm/metrics.h"
#include "shm/segment.h"

#define RUN_SLEEP_NS 50000000UL /* the longest sleep: keeps the heartbeat */

struct run;

struct proc_descriptor {
    const char *name; /* "trading": the program is eidos-trading */
    u32 role;
    u32 calls;                        /* SANDBOX_*: system calls beyond everybody's */
    const struct sandbox_path *paths; /* below the instance's directory; NULL = no files at all */
    u64 state_bytes;                  /* of run->state, zeroed, page-aligned */
    bool ops_socket;                  /* serves its own /health and /metrics */
    int (*init)(struct run *run);
    u32 (*turn)(struct run *run);
    void (*stop)(struct run *run); /* may be NULL */
    /* Sleeps in epoll: the descriptor to watch beside the bell (readable = call turn). NULL: sleeps
     * in futex. */
    int (*epoll_fd)(struct run *run);
    const struct standby_calls *standby; /* NULL: this role has none */
};

struct run {
    const struct proc_descriptor *descriptor;
    u32 instance;
    int listener, tls;            /* from the supervisor: a bound socket, tls_bundle.h; or -1 */
    char name[TEXT_LOG_NAME_MAX]; /* "api@0" */
    struct config_source source;
    struct config config;
    struct segment segment;
    struct proc_block *proc;   /* own */
    struct standby *standby;   /* NULL: no standby, or one that took over */
    bool too_free;             /* it took over, and still may what only a standby needs */
    int bells[TOPO_PROCS_MAX]; /* for segment_ring_tx and its like; -1 = none */
    struct waiter waiter;
    void *state;
    u64 now_ns;         /* CLOCK_MONOTONIC when the turn began */
    u64 sleep_ns;       /* see turn */
    bool blocked;       /* a turn sets it when it leaves work for want of room in an output */
    _Atomic u64 *spent; /* what the time since now_ns counts as: worked, waited or blocked */
    u64 spin_ns;
};

/* main of every process. */
int run_main(const struct proc_descriptor *descriptor, int argc, char **argv);

/* Beat, and say how a long recovery goes on; state RECOVERING. A process that returns from init in
 * this state goes on recovering in its turns and ends with run_ready. */
void run_progress(struct run *run, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The heart beats: call it now and then in steps that take long. Sets now_ns. */
void run_beat(struct run *run);

/* Ready to serve. Done by the loop itself unless init left it RECOVERING. */
void run_ready(struct run *run);

/* Has SIGTERM or SIGINT arrived? For long steps. */
bool run_is_stopping(void);

/* End at once from inside a turn: the error text goes to stderr and the note, state FAILED, exit 1.
 * For what must not go on (disk broken, log damaged). */
_Noreturn void run_fail(struct run *run);

#endif
