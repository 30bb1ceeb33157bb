/* super.h: the supervisor: the processes of one instance, started in layers and kept running.
 *
 *   START 0: journal     each wave when the one before is ready (state READY, heart beating)
 *         1: trading, matching@i, market, history, verify@k
 *         2: api@n, snapshot      then READY is announced
 *      Waves 0 and 1 go together, unless an exporter decides what is durable.
 *
 *   RUN      the standbys are started: they load the state for which the first ones needed the
 *            processors. Until a standby is there, a primary that dies is started again.
 *            Who dies is started again, at once, or later if it keeps dying young; but a primary
 *            with a living standby is left to that, and a new standby is started once it holds the
 *            role (super_standby.c)
 *
 *   STOP     layers from the highest; SIGTERM, and SIGKILL for who has not ended by the deadline
 *         4: api@n
 *         3: verify@k
 *         2: market, history, snapshot, standbys
 *         1: trading, matching@i
 *         0: journal
 *
 * One thread, one epoll: a signalfd for SIGINT and SIGTERM, a pidfd for each process, a timer. It
 * signals only processes that it started itself, by their pidfds.
 */
#ifndef EIDOS_CLI_SUPER_H
#define EIDOS_CLI_SUPER_H

#include "cli/cli.h"
#include "cli/tls_files.h"
#include "procs/lib/ops_http.h"

enum super_phase { SUPER_START, SUPER_RUN, SUPER_STOP, SUPER_DONE };

struct child {
    u32 proc;  /* index into topo.procs */
    u32 wave;  /* in which it is started */
    u32 layer; /* in which it is stopped */
    int pid;   /* 0 = not running */
    int pidfd;
    u32 quick_deaths;     /* in a row */
    u64 started_ns;       /* CLOCK_MONOTONIC */
    u64 ready_ns;         /* when it was first seen to be ready since then; 0 = not yet */
    u64 died_ns;          /* last death, 0 = never */
    u64 again_ns;         /* when to start it again; 0 = not waiting */
    u32 silent_ticks;     /* own ticks without any sign of life from it */
    u64 last_sign;        /* folds heartbeat, state and note */
    int listener;         /* its share of the service port, kept over its death; -1 = none */
    struct ops_http *ops; /* served for it, or NULL */
};

struct super {
    const struct config *config;
    const struct config_source *source;
    struct segment *segment; /* attached as ROLE_OPS */
    struct proc_block *own;
    struct segment view; /* as an onlooker, whose metrics tell of every queue */
    bool to_files;       /* children write to <dir>/log/NAME.log, else to this stderr */
    /* Told how long each process took, as text. */
    void (*on_ready)(void *context, const char *took);
    void *context;

    enum super_phase phase;
    u32 wave, layer; /* being started; being stopped */
    u64 phase_ns, layer_ns, watchdog_ns;
    bool killed_layer, failed;
    char why[1024]; /* the start failed */
    u32 count;
    struct child children[TOPO_PROCS_MAX];
    int epoll, signals, timer;
    struct tls_files *tls; /* NULL = connections are plain */
    u64 spare_mask[16];    /* sigset_t of before, for the children */
};

/* Run until the last process has stopped. 0 when it was asked to stop, -1 with err when the start
 * failed (everything is stopped again). Fields above the gap are the caller's. */
int super_run(struct super *s);

/* ---- Of primaries and standbys, for super.c ---------------------------------------------------*/

/* Ready, and the very process that was started. */
bool super_is_ready(const struct super *s, const struct child *c);

/* The primary that `c` stands by for, or NULL: it is no standby. */
struct child *super_primary_of(const struct super *s, const struct child *c);

/* A standby that has taken over is the primary's child from here on. Returns whose child the
 * process of `c` is now. */
struct child *super_notice_takeover(struct super *s, struct child *c);

/* A primary that has died is left to its standby, if that lives: true. A standby that dies while it
 * should take over leaves the primary to be started. */
bool super_leave_to_standby(struct super *s, struct child *c, const char *obituary);

/* A living standby whose primary is gone. */
bool super_must_take_over(const struct super *s, const struct child *c);

/* A standby needs somebody to stand by for. */
bool super_may_start(const struct super *s, const struct child *c);

#endif
