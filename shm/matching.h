/* matching.h: the state machine of eidos-matching: command log in, match log out.
 *
 *   CMD_ORDER  --> book_submit --> TRADE... then exactly one of OPENED, CANCELED, REJECTED, FILLED
 *                                  (a last TRADE that leaves nothing needs no FILLED)
 *   CMD_CANCEL, CMD_EXPIRE --> book_cancel --> CANCELED or MISSED, one per order
 *   CMD_MARKET --> books_open
 *   CMD_START  --> books_limit
 *   then BEST, if the market's best prices moved
 *
 * Refused orders and other processes' markets are stepped over. It knows limits and budgets only:
 * no balances, no clock. Every record's cause is the command, its time the command's.
 */
#ifndef EIDOS_SHM_MATCHING_H
#define EIDOS_SHM_MATCHING_H

#include "shm/book.h"
#include "shm/log.h"
#include "shm/mark.h"
#include "shm/rules.h"

#define MATCHING_EVENTS 1024U /* of one step; a cancel list never needs more */
#define MATCHING_AHEAD  512U  /* requests told ahead, at most; as many as one command can bring */
_Static_assert(MATCHING_AHEAD >= CANCEL_ITEMS_MAX, "the longest command can be told ahead");
/* Log room to ask for before matching_apply or matching_more. */
#define MATCHING_STEP_BYTES (MATCHING_EVENTS * 112UL + RECORD_BYTES_MAX)

struct matching {
    struct rules *rules; /* own copy, built from the command log */
    struct books *books;
    struct log_writer *log;
    u16 self;    /* which matching process this is */
    u64 applied; /* last command sequence applied in full */
    u64 trades;  /* made since it began, for metrics */
    struct mark mark;
    /* The command in progress. */
    u64 cause, time_ns;
    u16 market;
    bool by_quote;
    struct book_top best[MARKETS_MAX]; /* as last published */
    struct book_events out;
    struct book_event events[MATCHING_EVENTS];
    /* Commands told ahead, as requests to the books that are still to be made. */
    u64 told; /* the last of them */
    struct book_batch batch;
    struct book_request requests[MATCHING_AHEAD];
};

/* Ready a machine over its (new or loaded) rules and books. */
void matching_init(struct matching *m, u16 self, struct rules *rules, struct books *books,
                   struct log_writer *log);

/* Apply the next command record and append what follows to the match log. True: done. False: a long
 * sweep; make room and call matching_more until it is true. */
bool matching_apply(struct matching *m, const struct rec *cmd);
bool matching_more(struct matching *m);

/* Tell the commands that come next, whole and in order, so that books too large for the cache ask
 * memory ahead of time. What comes out is the same. It takes as many as it can keep; those through
 * `told` must then be applied before it is called again, and none may be under way. */
void matching_ahead(struct matching *m, const struct rec *const *cmds, u32 count);

/* The same of at most `max` commands that a reader, which stays where it is, has before it: where
 * the books gain by it, and unless some told before are still to be applied. */
void matching_look_ahead(struct matching *m, const struct log_reader *commands, u32 max);

#endif
