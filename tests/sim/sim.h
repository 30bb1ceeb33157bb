/* sim.h: the core of the exchange in one process, one small step at a time.
 *
 *   clients --ingress rings--> trading --command log--> matching --match logs--> trading (merge)
 *      ^                         |  \                      |
 *      '------- reply ring ------'   account log           |
 *                                       \                  |
 *   durable.seq <--- journal <---- command, account, match logs ---> files on a simulated disk
 *                                                                       |
 *                              snapshot, market data, recovery <--------'
 *
 * The machines, the journal, the snapshots and the recovery are the production code; logs and rings
 * are the real ones, in private memory. What is written again here is the thin shell of each
 * process, cut into steps so that it can die between any two of them. After every step the auditor
 * (audit.h) reads what was published and holds it against what it knows.
 */
#ifndef EIDOS_TESTS_SIM_SIM_H
#define EIDOS_TESTS_SIM_SIM_H

#include <setjmp.h>

#include "procs/journal/journal.h"
#include "procs/lib/follow.h"
#include "procs/lib/recover.h"
#include "procs/lib/replica.h"
#include "procs/lib/tail.h"
#include "procs/snapshot/check.h"
#include "procs/trading/clock.h"
#include "shm/ring.h"
#include "tests/sim/disk.h"
#include "tests/sim/plan.h"

#define SIM_MATCHINGS 2U
#define SIM_MARKETS   3U
#define SIM_TOKENS    4U
#define SIM_ACCOUNTS  10U
#define SIM_VERIFY    2U
#define SIM_SOURCES   3U  /* ingress rings: verify 0, verify 1, ops */
#define SIM_OPS       16U /* what the command log calls the ops ring */
#define SIM_LOGS      (2 + SIM_MATCHINGS)
#define SIM_NONCES    65536U

/* Faults of the program itself, put in on purpose: the auditor must see each. */
#define SIM_MUTANTS(X) \
    X(NONE, "nothing is wrong") \
    X(ACK_EARLY, "clients hear an answer before it is durable") \
    X(DURABLE_EARLY, "durable.seq moves before the sync") \
    X(SYNC_LIES, "the journal's syncs do nothing") \
    X(MARK_LOST, "the journal's mark is never written") \
    X(MERGE_SKIPS, "trading steps over a match record without merging it") \
    X(TAIL_LOST, "a new trading process takes what the log has consumed once more") \
    X(RELEASE_EARLY, "trading gives ring room back before it publishes its commands") \
    X(CANCEL_TWICE, "matching applies a cancel twice") \
    X(DERIVED_FIRST, "trading publishes the account log before the command log") \
    X(NO_GATE, "the writer of the command log does not wait for its readers") \
    X(MATCH_SKIPS, "a new matching process steps over the first command it meets") \
    X(HIDES_NOTHING, "market data sees what is not durable") \
    X(EXPIRE_LATE, "orders are accepted before what is due has expired") \
    X(NONCES_LOST, "a new trading process forgets which nonces were used") \
    X(STANDBY_DIFFERS, "the standby of trading applies something of its own") \
    X(OWED_LOST, "a standby takes over without what its primary had not published") \
    X(FULL_EARLY, "matching turns orders away before as many rest as the log allows") \
    X(TWO_WRITERS, "a standby takes over from a primary that still writes")

enum sim_mutant {
#define SIM_ENUM(name, what) MUTANT_##name,
    SIM_MUTANTS(SIM_ENUM)
#undef SIM_ENUM
        MUTANT_COUNT
};

enum sim_actor {
    ACTOR_WORLD, /* clients, the auditor */
    ACTOR_START, /* the recovery of the whole */
    ACTOR_JOURNAL,
    ACTOR_TRADING,
    ACTOR_SNAPSHOT,
    ACTOR_MARKET,
    ACTOR_STANDBY_TRADING,
    ACTOR_MATCHING, /* and the next ones */
    ACTOR_STANDBY_MATCHING = ACTOR_MATCHING + SIM_MATCHINGS,
    ACTOR_COUNT = ACTOR_STANDBY_MATCHING + SIM_MATCHINGS
};

/* The steps of trading's turn, in order. */
enum trading_stage {
    TRADING_TIME,
    TRADING_MERGE,
    TRADING_EXPIRE,
    TRADING_TAKE,
    TRADING_SHOW_COMMANDS,
    TRADING_SHOW_ACCOUNTS,
    TRADING_SHOW_REPLIES,
    TRADING_RELEASE_MATCHES,
    TRADING_RELEASE_RINGS,
};

struct sim_trading {
    bool alive;
    enum trading_stage stage;
    struct trading machine;
    struct trading_clock clock;
    struct log_writer command, account;
    struct ring_rx ingress[SIM_SOURCES];
    struct ring_tx replies;
    struct log_reader matches[SIM_MATCHINGS];
    u64 merge_reserve;
    u64 epoch; /* in this segment */
    void *ledger, *orders, *rules;
};

struct sim_matching {
    bool alive, sweeping, released, skips;
    struct matching machine;
    struct log_writer log;
    struct log_reader commands;
    struct rules rules;
    void *books;
};

/* Whoever stands by; `opened`: there is something to close. */
struct sim_standby_trading {
    bool alive, opened;
    struct trading machine;
    struct tail_trading tail;
    struct mark_check check;
    void *ledger, *orders, *rules;
};

struct sim_standby_matching {
    bool alive, opened;
    struct matching machine;
    struct tail_matching tail;
    struct mark_check check;
    struct rules rules;
    void *books;
};

struct sim_journal {
    bool alive, ready; /* ready: has opened all logs once in this segment */
    struct journal journal;
};

struct sim_snapshot {
    bool alive;
    struct market_data *data; /* memory of the replica's, used again */
    struct logdir dir;
    struct replica replica;
    struct logfile_reader commands;
    struct check check;
    u64 saved;
};

struct sim_market {
    bool alive;
    struct market_data *data;
    u32 markets;
    struct follow follows[SIM_MATCHINGS];
};

/* The segment: what all processes of one life of the exchange share. */
struct sim_segment {
    struct durable durable;
    struct log *logs[SIM_LOGS]; /* by log index */
    u64 log_bytes[SIM_LOGS];
    struct ring *ingress[SIM_SOURCES], *replies;
    _Atomic u64 cursors[ACTOR_COUNT][SIM_LOGS];
    _Atomic u64 tails[SIM_SOURCES + 1];                   /* the last one: of the reply ring */
    struct proc_block *trading, *matching[SIM_MATCHINGS]; /* derived, replied, marks */
    u32 number;                                           /* which life this is, from 1 */
};

/* What clients remember. */
struct sim_sent {
    struct msg_order m;
    bool answered, wild; /* wild: it may be refused without a record */
};

struct sim_credit {
    u32 segment; /* life in which it was sent */
    bool published;
};

struct sim_clients {
    struct ring_tx tx[SIM_SOURCES];
    struct ring_rx rx;
    struct sim_sent *sent;
    u32 sent_count, sent_room;
    u32 *requests; /* request id - 1 -> sent */
    u32 request_count, request_room;
    struct sim_credit *credits;
    u32 credit_count, credit_room;
    u64 nonces[SIM_ACCOUNTS][NONCE_USES];
    u64 withdrawals[64]; /* ids that answers told, the newest, circular */
    u32 withdrawal_count;
    struct msg_withdraw last_withdrawal; /* sent again now and then */
    u64 mid[SIM_MARKETS];
    u64 ids[256]; /* order ids heard of lately */
    u32 id_count;
    u8 (*waiting)[sizeof(struct msg_reply_cancel) + 32]; /* replies not durable yet */
    u32 waiting_count, waiting_room;
};

struct audit;

struct world {
    struct sim_segment segment;
    struct sim_matching matching[SIM_MATCHINGS];
    struct sim_market market;
    struct sim_snapshot snapshot;
    struct sim_journal journal;
    struct sim_trading trading;
    struct sim_standby_trading standby_trading;
    struct sim_standby_matching standby_matching[SIM_MATCHINGS];
    struct log_writer ghost; /* of a primary that should be dead: a mutant */
    struct sim_clients clients;
    const struct plan *plan;
    struct topo_params params; /* the plan's, with the sizes of this life */
    struct audit *audit;
    struct sim_result *result;
    u64 wall_ns, mono_ns;
    u64 random; /* for what is outside of plan steps */
    u64 crash_random;
    sigjmp_buf journal_jump, recover_jump, start_jump; /* where a process dies to */
    char dir[128], journal_dir[160];
    enum sim_mutant mutant;
    u32 next;   /* step of the plan */
    u32 die_in; /* system calls until the journal, or a start of the whole, dies; 0 = never */
    u32 tries;  /* of a start of the whole */
    u32 idles;  /* waits of a recovery */
    bool trace, disk_slow, in_sync, recovering, settling, in_start, crash_pending;
    bool wants_room; /* a recovery said that a size is too small: all stops, and the size is raised
                      */
};

/* What a run tells its parent; in memory both share. */
struct sim_result {
    u32 step;
    u32 failed;
    char label[64]; /* which rule was broken: equal for equal failures */
    char text[1400];
    u64 commands, trades, kills, crashes, lives, laps, full, acks, takeovers, left;
    u64 resized, too_small, turned_away;
};

/* The run ends here: `label` names the rule. */
void sim_fail(struct world *w, const char *label, const char *fmt, ...)
    __attribute__((format(printf, 3, 4), noreturn, cold));

/* world.c */
void world_open(struct world *w, const struct plan *plan, const char *dir);
void world_run(struct world *w);
void world_step(struct world *w, const struct plan_step *s);
void world_settle(struct world *w);

/* world_segment.c */
void world_fresh_segment(struct world *w);
void world_crash(struct world *w, u64 random);
void world_config(struct trading *t, u32 matchings); /* what is missing of the genesis */
void *world_memory(u64 bytes);
void world_source(struct world *w, struct recover_source *s);
/* A recovery failed: it is to, if this life's sizes are smaller than an older one's; else the run.
 */
void world_unrecovered(struct world *w, const char *label);

/* The actors, act_*.c: a step of one that is dead starts it. True: something was done. */
bool trading_step(struct world *w, u64 random);
void trading_kill(struct world *w);
bool matching_step(struct world *w, u32 i, u64 random);
void matching_kill(struct world *w, u32 i);
/* Logs and rings of the role; and its clock, answers and first record, after a takeover. */
void trading_join(struct world *w);
void trading_take_role(struct world *w);
void matching_join(struct world *w, u32 i);
bool standby_step(struct world *w, u64 random);
bool standby_trading_take_over(struct world *w, u64 random);
bool standby_matching_take_over(struct world *w, u32 i, u64 random);
void standby_trading_kill(struct world *w);
void standby_matching_kill(struct world *w, u32 i);
void standby_kill(struct world *w, u64 random);
bool standby_settle(struct world *w);
bool journal_step(struct world *w);
void journal_kill(struct world *w);
bool snapshot_step(struct world *w, u64 random);
void snapshot_kill(struct world *w);
bool market_step(struct world *w, u64 random);
void market_kill(struct world *w);
void clients_begin(struct world *w); /* all are given something to trade with */
void clients_join(struct world *w);
void clients_send(struct world *w, u64 random);
bool clients_read(struct world *w);
void clients_publish(struct world *w);
void clients_forget(struct world *w);
void clients_wallet(u32 account, u8 *wallet);

#endif
