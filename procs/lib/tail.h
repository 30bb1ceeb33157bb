/* tail.h: the machines of a standby at work: what they apply, and what they keep for a takeover.
 *
 *   log.command --follow--> trading machine --> owed account records    } until the primary shows
 *   log.match@i --follow---------^        '---> owed answers            } that it published them
 *
 *   log.command --follow--> matching machine --> owed match records
 *
 * The shells around it are procs/trading/standby.c and procs/matching/standby.c; the simulator has
 * its own. `derived` and `replied` are the words of the role's block (shm/proc.h).
 */
#ifndef EIDOS_PROCS_LIB_TAIL_H
#define EIDOS_PROCS_LIB_TAIL_H

#include "procs/lib/follow.h"
#include "procs/lib/recover.h"

struct tail_trading {
    struct trading *machine;
    struct owed account, answers;
    struct follow commands, matches[MATCHINGS_MAX];
    u32 matching_count;
    u64 position;           /* last command begun */
    struct cmd_merge merge; /* being applied; head.seq 0 = none */
};

/* Bring the empty objects of `machine` to the state after some command that is published, and go on
 * from there; `matches` are the match logs by matching process. 0 or -1. */
int tail_trading_open(struct tail_trading *s, const struct recover_source *from,
                      struct trading *machine, const struct log *const *matches, u64 derived);
void tail_trading_close(struct tail_trading *s);

/* Apply what is published, `most` records. How many; 0 = all are applied, or there is no room for
 * what they make; -1 with err. */
int tail_trading(struct tail_trading *s, u64 derived, u64 replied, u32 most);

/* Nobody else writes to the logs any more: go on to the end of `command`, joined as its writer, and
 * append to `account` what it lacks. `machine` then writes to both. -1: they do not agree. */
int tail_trading_finish(struct tail_trading *s, struct log_writer *command,
                        struct log_writer *account, u64 derived, u64 replied,
                        const struct owed_wait *wait);

struct tail_matching {
    struct matching *machine;
    struct owed made;
    struct follow commands;
    bool sweeping; /* a command is only half applied */
};

/* The same; machine->self, rules and books are set, and empty. */
int tail_matching_open(struct tail_matching *s, const struct recover_source *from,
                       struct matching *machine, u64 derived);
void tail_matching_close(struct tail_matching *s);
int tail_matching(struct tail_matching *s, u64 derived, u32 most);
int tail_matching_finish(struct tail_matching *s, struct log_writer *log, u64 derived,
                         const struct owed_wait *wait);

#endif
