/* process.h: eidos-trading, the shell around the trading machine (shm/trading.h).
 *
 *   ring.verify@k.trading, ring.ops.trading --> machine --> log.command, log.account
 *   log.match@i ------------------------------^   |
 *                                                 `--> ring.trading.api@n, ring.trading.ops
 *
 * Files: main.c (one turn), clock.h (time), disk.h (the mode that follows the disk), state.c
 * (regions, recovery, genesis), replies.c (answers to rings), standby.c (until it is its turn).
 */
#ifndef EIDOS_TRADING_PROCESS_H
#define EIDOS_TRADING_PROCESS_H

#include "procs/lib/owed.h"
#include "procs/lib/run.h"
#include "procs/trading/clock.h"
#include "shm/durable.h"
#include "shm/trading.h"
#include "shm/trading_ahead.h"

#define VERIFY_MAX    16U
#define API_MAX       16U
#define SOURCE_OPS    VERIFY_MAX /* ingress sources: verify k is k, then this */
#define SOURCES       (VERIFY_MAX + 1)
#define TURN_MESSAGES 64U /* of one ring */

struct process {
    struct trading machine;
    struct trading_clock clock;
    struct log_writer command, account;
    const struct durable *durable;
    u16 verify_count, api_count, matching_count;
    struct ring_rx ingress[SOURCES];
    u64 told[SOURCES][TRADING_AHEAD_MESSAGE_STAGES]; /* see trading_look_ahead */
    struct trading_slots slots;
    struct ring_tx replies[API_MAX];
    struct ring_tx ops_replies;
    struct log_reader matches[MATCHINGS_MAX];
    u64 merge_reserve; /* bytes of the command log kept for CMD_MERGE */
    /* Stamps for metrics and traces; nothing else looks at them. */
    u64 sent_ns[SOURCES * TURN_MESSAGES]; /* of the messages taken in this turn */
    u32 sent_count;
    u64 reply_ns;                  /* stamp of the replies of this step, 0 = not taken yet */
    struct trading_counts counted; /* as told in metrics */
    bool full; /* this turn left work behind because a log or ring had no room */
};

/* Format or recover the state regions, join logs, and log what this start changes. 0 or -1. */
int state_open(struct run *run, struct process *p);

/* Its parts, for a standby: an empty machine over the own copy of the state and `rules`; logs and
 * rings of the role; ring positions that the log has; the copy that counts; CMD_START. */
void state_format(struct run *run, struct process *p, void *rules);
void state_join(struct run *run, struct process *p);
void state_skip_consumed(struct process *p);
void state_show(struct run *run);
void state_log_start(struct process *p, const struct run *run);

/* Show what was done: commands, then what follows from them, then answers; only then forget what it
 * came from. */
void trading_publish(struct run *run, struct process *p);

/* Ring ends. */
void replies_open(struct run *run, struct process *p);

/* trading_reply_fn: copies an answer into the ring of who asked. An answer that finds its ring full
 * is dropped and counted: the asker's time-out tells it, and asking again gives the answer. */
void replies_send(void *context, const struct msg *m);

void replies_publish(struct process *p);

/* A former primary's answers, which it may not have sent: waits a little where a ring is full. */
void replies_send_owed(struct run *run, struct owed *answers);

extern const struct standby_calls trading_standby;

#endif
