/* standby.h: the second process of a role, ready to go on in its place.
 *
 *   TAILING ------ five beats missed ------> WAITING     SIGKILL is sent, and a sent SIGKILL is not
 *      |  ^ ^            in a row               |        a death
 *      |  | '-- a beat, or own lateness         |
 *      |  '------ SUSPECTING <--- a beat missed |
 *      |                                        |
 *      '---- the holder's pidfd reports exit ---'
 *                        |
 *                        v
 *     TAKING: map writable, take the block, finish the logs, switch the copy, answer ---> PRIMARY
 *
 * eidos-trading and eidos-matching run twice, the second time with --standby: the same binary over
 * the same logs. The role owns regions of which only one process may be the writer at any time:
 *
 *   proc.ROLE              the role's block: holder (pid, start, epoch), beat, `copy`, ring tails,
 *                          log cursors, marks, `replied`; survives its holders
 *   logs and rings         of the role
 *   STATE and STATE.b      the role's arenas (ledger, orders; books), each twice: the primary works
 *                          in one, the standby in the other; `copy` in the role's block says which
 *                          one counts. A copy of hundreds of megabytes at a takeover would cost
 *                          what the standby is there to save, and readers of other processes can
 *                          not see private memory: so twins, and one word that readers look at.
 *   proc.standby.ROLE      the standby's own block: beat, position, what was compared
 *
 * A standby maps the role's block, logs and rings read-only and makes exactly these mappings
 * writable (mprotect) once it may. Until then it can only read them; a compromised standby could
 * skip the wait, and do what a compromised primary can: it reads nothing but what the primary
 * wrote, so it is no easier to get at.
 *
 * What the standby follows. Commands from the command log (trading: and the match records that a
 * CMD_MERGE names from the match logs), from shared memory or, when lapped, from the files. It
 * makes the very records and answers the primary makes. Records the role's derived log does not yet
 * show as published are *owed*, answers beyond `replied` too: they are kept until they show.
 *
 * Handshake, in this order. P is the holder, S the standby; L the log the role sequences or
 * derives.
 *
 *   P, each turn   apply; publish L (release head), then the derived log; marks; publish answers,
 *                  then replied = last command (release); then release cursors and tails
 *   S, each turn   load head (acquire), apply through it, drop what is no longer owed
 *   S, at exit(P)  which pidfd reports, and which happens after every store of P
 *     1  mprotect the role's block, logs and rings
 *     2  compare and swap block.pid from P to S (acq_rel); who loses ends: somebody else has it.
 *        Then start_ticks, epoch + 1
 *     3  follow L to its head, which nobody moves any more, and join it as the writer there; what P
 *        committed and did not publish was never seen, and its numbers are given again
 *     4  append what is owed after the derived log's head; a head beyond what was made is a
 *        divergence: end
 *     5  readers' cursors and ring tails go on where the log says, never back
 *     6  copy = own (release): other processes read the state of S
 *     7  send the owed answers: those that P sent too have an id that api has dropped
 *     8  trading: CMD_START with the new epoch; READY
 *
 * S may die at any step. Then nobody holds the role, and the supervisor, which starts a primary
 * only while neither a holder nor a standby lives, starts one: it does 1 to 8 after a recovery from
 * snapshot and log. Every step can be done again. A new standby is started once there is a holder.
 *
 * What holds at every step (the simulator and the model check it):
 *   - at most one living process stores into the role's block, logs and rings
 *   - a head never goes back; record n is published once, and with one content
 *   - every published command is applied once by each; nothing unpublished is applied by S
 *   - who is not suspected by a standby that ran on time is not killed: a tick that came late by
 *     STANDBY_LATE_NS or more starts the count anew, so that a paused machine or a paused group
 *     kills nobody
 *
 * What may still be a time-out to a client: a refusal that leaves no record, when the primary dies
 * between publishing the commands and the answers of that very turn; it asks again and hears it. Of
 * a list of cancels that fell into that moment, those refused at once likewise.
 *
 * Marks. Before applying command s + 1 with s a multiple of MARK_EVERY, each machine folds the
 * checksums of the records it derived since the last mark and a slice of its state into one number;
 * the slice moves on with every mark, so that accounts and orders pass by one after the other, of
 * books the orders that trade next, and nobody pauses. The primary publishes (s, number) after the
 * log it belongs to; the standby compares at the same s. A difference stops the standby, which
 * names s, and never the primary.
 */
#ifndef EIDOS_PROCS_LIB_STANDBY_H
#define EIDOS_PROCS_LIB_STANDBY_H

#include "procs/lib/sandbox.h"
#include "shm/mark.h"

struct run;

#define STANDBY_MISSED  5U                 /* beats in a row, HEARTBEAT_NS each */
#define STANDBY_LATE_NS (HEARTBEAT_NS / 2) /* a tick this late means the standby itself was */

enum standby_stage {
    STANDBY_TAILING,
    STANDBY_SUSPECTING,
    STANDBY_WAITING, /* SIGKILL is sent */
    STANDBY_TAKING,  /* the holder's exit is reported: irrevocable */
};

/* The watch over one holder. Pure: time, beat and exit come in, what to do comes out. */
struct standby_watch {
    enum standby_stage stage;
    u32 missed;  /* beats in a row */
    u64 beat_ns; /* the last one seen */
    u64 tick_ns; /* CLOCK_MONOTONIC of the last tick */
};

enum standby_act { STANDBY_GO_ON, STANDBY_KILL, STANDBY_TAKE };

/* Begin at `now_ns`. */
void standby_watch_begin(struct standby_watch *w, u64 now_ns);

/* When to look again at the latest, though nothing else happens. */
static inline u64 standby_watch_due(const struct standby_watch *w)
{
    return w->tick_ns + HEARTBEAT_NS;
}

/* Look at the holder, as often as one likes: its last beat, whether it is past its own start (state
 * READY), and whether its pidfd has reported its exit. STANDBY_KILL comes once. */
enum standby_act standby_watch_look(struct standby_watch *w, u64 now_ns, u64 beat_ns,
                                    bool holder_is_ready, bool holder_has_exited);

/* ---- In a process (standby_run.c; the machines at work: tail.h)
 * -------------------------------------------------------------*/

/* What a role with a standby has to give, beside what every process does. Main thread only. */
struct standby_calls {
    u32 role; /* the standby's own */
    /* Instead of init: build the own copy of the state up to some published command. */
    int (*follow)(struct run *run);
    /* Apply what is published, a millisecond's worth at most. How many records; 0: all are; -1. */
    int (*tail)(struct run *run);
    /* Steps 3 to 8, with the role's regions writable and its block taken; then turns follow. */
    int (*take_over)(struct run *run);
    const struct mark *(*mark)(const struct run *run);
    u64 (*position)(const struct run *run); /* last command applied */
};

extern const struct sandbox_path standby_paths[];

struct standby *standby_new(void);

/* Have hold of the role's holder, then follow. */
int standby_init(struct run *run);

/* Until told to stop, or until this process holds the role: then run->standby is NULL. */
void standby_loop(struct run *run);

#endif
