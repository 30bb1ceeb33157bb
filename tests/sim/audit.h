/* audit.h: who does not believe the exchange.
 *
 *   published commands --copied--> own command log --replica--> every derived record, by number
 *                                        |                 |
 *                                        |                 '--> a naive book: price, time, crossing
 *                                        '--> nonces, ring positions, credits: each effect once
 *   live match and account logs  == the derived records, byte by byte
 *   files on disk                == the same
 *
 * It keeps what was ever acknowledged: the commands through the largest acknowledged sequence must
 * survive anything.
 */
#ifndef EIDOS_TESTS_SIM_AUDIT_H
#define EIDOS_TESTS_SIM_AUDIT_H

#include "tests/sim/sim.h"

/* Records in order; record `first + i` begins at at[i]. */
struct audit_stream {
    u8 *bytes;
    u64 used, room;
    u64 *at;
    u64 count, at_room; /* the last sequence; sequences begin with 1 */
};

/* An order as the naive book sees it. */
struct audit_order {
    u64 id, nonce, digest;
    u64 price, lots, budget, expire_ns, seq;
    u64 left;
    u32 account;
    u16 market;
    u8 side, tif, stp;
    u8 state; /* enum audit_state */
    bool closing;
};

enum audit_state { ORDER_NEW, ORDER_RESTS, ORDER_OVER };

struct audit_side {
    u32 *orders; /* indexes, best first */
    u32 count, room;
};

struct audit_book {
    struct audit_order *orders;
    u32 count, room;
    u32 *slots; /* order id -> index + 1, open addressing */
    u32 slot_mask;
    struct audit_side sides[SIM_MARKETS][2];
    u64 best[SIM_MARKETS][2];
    const struct rec *cmd; /* being applied */
    u32 taker;             /* index + 1 of its order */
    u32 answers;           /* endings of that order */
    u32 resting_max;       /* of one matching process, by the last CMD_START */
};

/* A withdrawal as the log tells it. */
struct audit_withdrawal {
    u64 id, amount;
    u16 token;
    u8 status;
};

struct audit_money {
    struct audit_withdrawal *all;
    u32 count, room;
    u64 in_flight[SIM_TOKENS], gone[SIM_TOKENS];
};

struct audit {
    struct world *world;
    struct audit_stream streams[SIM_LOGS]; /* [LOG_COMMAND]: as published */
    struct replica replica;
    struct market_data *market; /* memory of the replica's, used again */
    struct audit_book book;
    struct log_reader live[SIM_LOGS];
    u64 acked; /* largest sequence acknowledged */
    u64 durable, time_ns;
    u64 positions[SIM_SOURCES];
    u64 requests[SIM_SOURCES];
    u8 (*nonces)[NONCE_USES][SIM_NONCES]; /* 1 = used */
    u8 *credits;                          /* times each credit was booked */
    u32 credit_room;
    u64 deposits[SIM_TOKENS];
    struct audit_money money;    /* what is on its way out */
    u64 files_through[SIM_LOGS]; /* compared with the files */
};

struct audit *audit_open(struct world *w);

/* Read what was published since. */
void audit_follow(struct audit *a);

/* A new segment: the logs begin anew. */
void audit_join(struct audit *a);

/* The whole came back with the state of `out`: what is gone must not have been acknowledged. */
void audit_restart(struct audit *a, const struct recovered *out);

/* An answer left for the outside. */
void audit_ack_order(struct audit *a, const struct sim_sent *sent, const struct msg_reply_order *m);
void audit_ack(struct audit *a, u64 seq);

/* Everything is still: compare the whole. */
void audit_quiet(struct audit *a);

/* audit_check.c */
void audit_command(struct audit *a, const struct rec *cmd);
void audit_forget(struct audit *a);

/* audit_money.c */
void audit_money_reset(struct audit_money *m);
void audit_withdraw(struct audit *a, const struct cmd_withdraw *c);
void audit_withdraw_step(struct audit *a, const struct cmd_withdraw_step *c);
/* What is in flight and gone, against the ledger. */
void audit_money_compare(const struct audit *a, const struct ledger *l);

/* audit_book.c */
void audit_book_reset(struct audit_book *b);
void audit_book_command(struct audit *a, const struct rec *cmd);
void audit_book_match(struct audit *a, const struct rec *rec);
void audit_book_end(struct audit *a);
const struct audit_order *audit_book_find(const struct audit_book *b, u64 id);

const struct rec *audit_record(const struct audit_stream *s, u64 seq);
void audit_push(struct audit_stream *s, const struct rec *rec);

#endif
