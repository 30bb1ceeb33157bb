/* proc.h: the block each process owns: who it is, whether it lives, where it reads, what it counts.
 *
 *   STARTING --> RECOVERING --> READY --> STOPPING        (only the process itself makes a step)
 *        \___________\____________\________> FAILED      (it says why in `note`, then exits)
 *
 * Everybody may read it; only its process writes it. All that a process must not lose when it
 * restarts is elsewhere (logs, journal); ring tails and log cursors here outlive it all the same,
 * because the region does.
 */
#ifndef EIDOS_SHM_PROC_H
#define EIDOS_SHM_PROC_H

#include "shm/base.h"

#define PROC_MAGIC       0x31434f5250534445UL
#define PROC_RINGS_MAX   32    /* rings a process consumes */
#define PROC_LOGS_MAX    16    /* logs a process reads */
#define PROC_METRICS_MAX 16384 /* words */
#define PROC_NOTE_BYTES  256
#define PROC_MARKS       64
#define PROC_SERVED_MAX  64          /* processes of one instance; topo.h has as many */
#define HEARTBEAT_NS     100000000UL /* 100 ms; five missed beats are a hang */

enum proc_state {
    PROC_ABSENT = 0,
    PROC_STARTING = 1,
    PROC_RECOVERING = 2,
    PROC_READY = 3,
    PROC_STOPPING = 4,
    PROC_STOPPED = 5,
    PROC_FAILED = 6,
    PROC_HELD = 7, /* ready, and held up by something outside: `note` says what it waits for */
};

/* Which protections hold (eidosctl ps). */
enum {
    GUARD_SEALED = 1,
    GUARD_LANDLOCK = 2,
    GUARD_SECCOMP = 4,
    GUARD_HUGEPAGES = 8,
    GUARD_USER = 16
};

/* A checksum of a state, after command `seq`: mark.h. */
struct proc_mark {
    _Atomic u64 seq; /* 0 = none, or being written */
    _Atomic u64 sum;
};

struct proc_block {
    u64 magic;
    u32 role; /* enum role */
    u32 instance;
    _Atomic u32 state;
    _Atomic u32 guards;
    _Atomic u32 pid;
    _Atomic u32 copy;        /* of arenas that exist twice: the one that counts, 0 or 1 */
    _Atomic u64 start_ticks; /* field 22 of /proc/PID/stat: with pid, names a process for good */
    _Atomic u64 epoch;       /* how many times this block was taken over */
    _Atomic u32 ops_port;    /* 0 = none */
    _Atomic u32 port;        /* service port (api), 0 = none */

    alignas(CACHE_LINE) _Atomic u64 beat_ns; /* CLOCK_MONOTONIC of the last turn of the loop */
    _Atomic u64 turns;                       /* of the loop */
    _Atomic u64 busy_turns;                  /* that found work */
    _Atomic u64 worked_ns;                   /* in turns that found work */
    _Atomic u64 waited_ns;                   /* in turns that found none, and asleep after them */
    _Atomic u64 blocked_ns; /* there was work, but no room for what it makes: backpressure */
    _Atomic u64 slept_ns;   /* a part of the two before */

    alignas(CACHE_LINE) _Atomic u32 sleeping; /* signal.h */
    u8 zero[60];

    alignas(CACHE_LINE) _Atomic u64 ring_tail[PROC_RINGS_MAX]; /* by topology input index */
    alignas(CACHE_LINE) _Atomic u64
        log_cursor[PROC_LOGS_MAX];      /* byte positions; UINT64_MAX = not gating */
    _Atomic u64 log_seq[PROC_LOGS_MAX]; /* last sequence consumed */
    /* Of a role with a standby (procs/lib/standby.h). */
    alignas(
        CACHE_LINE) _Atomic u64 derived; /* last record of its own derived log that is published */
    _Atomic u64 replied;                 /* last command whose answers are all published */
    /* CLOCK_MONOTONIC: a standby that took over heard of the exit, and went on in its place. */
    _Atomic u64 taken_ns, served_ns;
    _Atomic u64 checked; /* a standby's own: last command after which its state was the primary's */
    struct proc_mark marks[PROC_MARKS];
    alignas(CACHE_LINE) _Atomic u64 metrics[PROC_METRICS_MAX]; /* by metrics.h */
    alignas(CACHE_LINE) char note[PROC_NOTE_BYTES]; /* last error or progress, zero-terminated */

    /* Supervisor only: ops ports it serves for processes that may have no socket, by their index in
     * the topology; 0 = none. */
    alignas(CACHE_LINE) _Atomic u16 served_ports[PROC_SERVED_MAX];

    /* Supervisor only, set by `eidosctl log`: the log level of each process, by its index; 0 = as
     * configured, else 1 + enum text_level. */
    alignas(CACHE_LINE) _Atomic u8 log_levels[PROC_SERVED_MAX];
};
OFFSET_IS(struct proc_block, beat_ns, 64);
OFFSET_IS(struct proc_block, sleeping, 128);
OFFSET_IS(struct proc_block, ring_tail, 192);

static inline u64 proc_align(void)
{
    return CACHE_LINE;
}

static inline u64 proc_footprint(void)
{
    return sizeof(struct proc_block);
}

/* Format zeroed memory: ABSENT, and gating no log. */
void proc_new(void *memory, u32 role, u32 instance);
struct proc_block *proc_join(void *memory);
void *proc_leave(struct proc_block *p);
void proc_delete(void *memory);

/* Take the block for this process: its pid and start time, STARTING, epoch + 1; ring tails, cursors
 * and counters go on. -1 if another living process has it; err names it. proc_take_from: only from
 * the process `holder`, which is known to have ended (0 = from nobody); `start_ticks` is the start
 * time of the caller. */
int proc_take(struct proc_block *p);
int proc_take_from(struct proc_block *p, u32 holder, u64 start_ticks);

/* Give the block back, for another process to take. */
void proc_give_back(struct proc_block *p);

/* Does the process that holds the block (or last held it) live? */
bool proc_is_alive(const struct proc_block *p);

/* Field 22 of /proc/PID/stat, which with the pid names a process for good; 0 = there is none. */
u64 proc_start_ticks(u32 pid);

/* Does this very process live? */
bool pid_is_alive(u32 pid, u64 start_ticks);

/* The holder's own steps: state with release, and why (NULL leaves the note as it is). */
void proc_step(struct proc_block *p, enum proc_state state, const char *note);

/* "ready"; "unknown" for what is no state. */
const char *proc_state_name(u32 state);

/* Is the last beat younger than five beats? `now_ns` is CLOCK_MONOTONIC. */
bool proc_is_beating(const struct proc_block *p, u64 now_ns);

#endif
