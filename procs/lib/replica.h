/* replica.h: the whole exchange in private memory, fed by command records alone.
 *
 *   command record --> trading machine --------------------------------> account records
 *         |                  ^ CMD_MERGE: those through its sequence        (sink)
 *         '--> matching machines --> match records --> queue, not yet merged
 *                                        |    (sink)
 *                                        '--> market data
 *
 * The very machines that run live, so equal commands give equal state and equal numbers. The
 * snapshot process is one replica that never ends; a start and the recovery of a single process are
 * replicas that end at the head of the log. Parts that are not needed can be left out.
 */
#ifndef EIDOS_PROCS_LIB_REPLICA_H
#define EIDOS_PROCS_LIB_REPLICA_H

#include "procs/lib/snapshot_file.h"
#include "shm/log.h"
#include "shm/market.h"
#include "shm/matching.h"
#include "shm/topo.h"
#include "shm/trading.h"

/* Gets every derived record as it is made, in order within its log. -1 with err ends the apply. */
typedef int replica_sink_fn(void *context, u32 log, const struct rec *rec);

struct replica_config {
    const struct topo_params *params; /* sizes; read by replica_open only */
    bool trading, market;             /* parts; market data needs all matchings */
    u32 matching_first, matching_count;
    /* Take pages of the host's pool (vm.nr_hugepages) where it has enough: for whoever gives them
     * back before an exchange needs them. */
    bool pool;
    /* Empty objects to build in; NULL: the replica makes its own. */
    struct ledger *ledger;
    struct orders *orders;
    struct rules *rules;          /* trading's */
    struct books *books;          /* of matching_first */
    struct rules *matching_rules; /* of matching_first */
    struct market_data *market_data;
    bool no_books;         /* nothing will be applied: replica_load leaves the books empty */
    replica_sink_fn *sink; /* may be NULL */
    /* Derived records through these sequences the sink does not want. */
    u64 account_after, match_after[SNAPSHOT_MATCHING_MAX];
    replica_sink_fn *refused;    /* may be NULL; gets each match record by which a full arena of
                                    resting orders turned an order away, wanted or not, where the
                                    log does not say how many may rest */
    void (*tick)(void *context); /* may be NULL; called now and then while saving */
    void *context;
};

/* One matching process, and what it made that trading has not merged yet: records that may lack
 * their checksum. */
struct replica_matching {
    struct matching *machine;
    u32 slots; /* of orders, that its books know */
    struct log_writer log;
    struct log_reader made;
    u8 *queue; /* whole records in [begin, end) */
    u64 begin, end, room;
    u64 told;   /* of records before it trading was told in full, ahead of their merge, */
    u32 untold; /* and of so many after it in part */
    u64 queued; /* last record that came to the queue */
};

struct replica {
    struct replica_config config;
    struct trading trading;
    struct log_writer account;
    struct log_reader made; /* account records */
    struct replica_matching matching[SNAPSHOT_MATCHING_MAX];
    struct market_data *market;
    const struct rules *rules; /* whichever copy there is */
    u64 seq, time_ns;          /* last command applied */
    int (*forward)(void *context, u32 matching,
                   const struct rec *rec); /* replica_match's, or NULL */
    void *forward_context;
    void *memory[64];
    u64 memory_bytes[64];
    u32 memory_count;
};

/* Empty, at sequence 0. 0, or -1: the parameters are impossible or there is no memory. */
int replica_open(struct replica *r, const struct replica_config *config);
void replica_close(struct replica *r);

/* Apply the next command. -1 with err: it is not the next one, or the log does not agree with what
 * the machines make of it. */
int replica_apply(struct replica *r, const struct rec *cmd);

/* The two halves of replica_apply, for two threads (procs/lib/replay.h). The first needs nothing of
 * the second; where `forward` is set it gets the match records that the second must take, with the
 * commands, in the order in which they were made. Market data is then made by the second. */
int replica_match(struct replica *r, const struct rec *cmd);
int replica_take(struct replica *r, u32 matching, const struct rec *rec);
int replica_trade(struct replica *r, const struct rec *cmd);

/* Between these two the levels of market data, which follow from the books, are left out: most of
 * what market data costs a replay. No saving and no loading meanwhile. -1 with err: the arena of
 * levels is too small. */
void replica_leave_levels(struct replica *r);
int replica_keep_levels(struct replica *r);

/* Hints of what comes soon, for each half. A command that the first was not told of is told with
 * those after it, in order, as far as they are known. The second is told as in shm/trading_ahead.h,
 * also of match records. */
#define REPLICA_AHEAD_STAGES 3U
bool replica_is_told(const struct replica *r, u64 seq);
void replica_match_ahead(struct replica *r, const struct rec *const *cmds, u32 count);
void replica_trade_ahead(const struct replica *r, const struct rec *cmd, u32 stage);
void replica_merge_ahead(const struct replica *r, const struct rec *match, u32 stage);

/* Take the parts it has from a snapshot; the replica must be empty. Compares the checksum of each
 * part. -1 with err: damaged, or the arenas are too small (says which option to raise). */
int replica_load(struct replica *r, struct snapshot_reader *s);

/* The same, of a replica that has trading, with two threads: books and market data beside accounts
 * and orders. `s` was opened in `dir`. */
int replica_load_by_two(struct replica *r, struct snapshot_reader *s, const char *dir);

/* Would what a snapshot holds fit the sizes? What is cheap to know: accounts, orders, transfers,
 * what rests in the books. -1 with err: no, says which option to raise; or damaged. */
int replica_fits(struct snapshot_reader *s, const struct topo_params *p);

/* The kinds of sections that replica_load reads, SECTION_BIT each. */
u32 replica_sections(const struct replica_config *config);

/* Write a snapshot of a full replica; *bytes (may be NULL) = its size. */
int replica_save(const struct replica *r, const char *dir, const u8 *instance, u64 *bytes);

/* Checksums of the parts it has; 0 of a part it has not. */
struct replica_sums {
    u64 trading;
    u64 book[MARKETS_MAX];
};
void replica_sums(const struct replica *r, struct replica_sums *sums);

/* replica_save by who knows the checksums, those of this state, with `threads` (1 or 2). */
int replica_save_known(const struct replica *r, const struct replica_sums *sums, u32 threads,
                       const char *dir, const u8 *instance, u64 *bytes);

/* Sequence numbers and checksum as they stand. */
void replica_info(const struct replica *r, struct snapshot_info *info);
void replica_info_from(const struct replica *r, const struct replica_sums *sums,
                       struct snapshot_info *info);

/* Append a whole match record to the queue of a matching process. */
void replica_queue(struct replica *r, u32 matching, const struct rec *rec);

/* The oldest record not merged, or NULL; and the one after `rec`. */
const struct rec *replica_unmerged(const struct replica *r, u32 matching);
const struct rec *replica_unmerged_next(const struct replica *r, u32 matching,
                                        const struct rec *rec);

#endif
