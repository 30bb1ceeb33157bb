/* load.h: traders who trade all the time and write down every answer they were given.
 *
 *   place ──► SENT ──200 or a code──► KNOWN ◄──what it became── resubmitted ◄── UNKNOWN
 *               └──── no answer, 5xx ─────────────────────────────────────────────┘
 *
 * A note is one signed order, its nonce is its place in the notes, so any order the exchange ever
 * shows leads back to what was asked for and last heard. load_learn compares: an order may only
 * move forward, what is closed stays as it is, and a nonce belongs to one order id for ever.
 * What contradicts is counted and printed as a fault; nothing stops at the first.
 */
#ifndef EIDOS_TESTS_LIB_LOAD_H
#define EIDOS_TESTS_LIB_LOAD_H

#include "tests/lib/client.h"

#define LOAD_TRADERS 8U
#define LOAD_RECENT  256U /* notes of a trader that he may cancel */

enum note_state { NOTE_SENT, NOTE_UNKNOWN, NOTE_KNOWN };

/* Numbers of protocol.md 1. */
enum { PENDING, OPEN, PARTIAL, FILLED, CANCELLED, EXPIRED, REJECTED };

struct load;

struct note {
    struct load *load;
    struct order_spec spec;
    u64 id;                   /* 0: it has none, or not known */
    u64 filled, filled_quote; /* E8 */
    u64 seen;                 /* the audit that met it last */
    u32 turn;                 /* which order of its trader's it is */
    u64 sent_ms;              /* last, Unix */
    int code;                 /* the answer's; 0 = accepted */
    u8 trader, state, status;
    bool busy;  /* a request about it is under way */
    bool asked; /* by an audit */
};

struct trader {
    struct client_wallet wallet;
    u32 turn;                         /* orders made */
    u64 cancels;                      /* nonces used for Cancel */
    u64 deposits[CLIENT_MARKETS + 1]; /* E8: quote first, then the bases */
};

struct load {
    struct client client;
    struct trader traders[LOAD_TRADERS];
    struct note *notes; /* of nonce n: notes[n - 1] */
    u32 count, max;
    u32 *unknown; /* places of notes; `unknown_count` */
    u32 unknown_count;
    u64 seed;
    u32 rate;               /* requests a second */
    u64 started_ms, issued; /* pacing */
    u64 accepted, refused, cancels, faults;
    u64 resolved, found; /* orders first without an answer; of those, placed all the same */
};

/* `rate` requests a second in all, at most `orders_max` orders. */
void load_open(struct load *l, u64 seed, u32 rate, u32 orders_max, u32 port);
void load_close(struct load *l);

/* Trade for about `ms`, at least one step. */
void load_run(struct load *l, u64 ms);

/* Put as many requests under way as there are connections, and return as soon as `answers` of them
 * are answered: whoever is killed now is killed just after these and in the middle of the rest. */
void load_burst(struct load *l, u32 answers);

/* Begin the pace anew, after a time without load. */
void load_resume(struct load *l);

/* The same, then trade for about `ms`. */
void load_trade(struct load *l, u64 ms);

/* Finish what is under way, then ask again for every order without an answer until each has one.
 * False when some have none after `patience_ms`. */
bool load_settle(struct load *l, u64 patience_ms);

/* Send an order again that has an answer; it must get the same, whatever became of it. */
void load_repeat(struct load *l, struct note *n);

/* Compare an Order of the exchange with its note, and take what is new. */
void load_learn(struct load *l, struct note *n, const json_t *order);

/* The note of an Order that the exchange shows, or NULL. */
struct note *load_note(struct load *l, const json_t *order);

static inline bool note_is_open(const struct note *n)
{
    return n->id && n->status <= PARTIAL;
}

static inline const struct trader *note_trader(const struct note *n)
{
    return &n->load->traders[n->trader];
}

/* Count a fault and say what contradicts; `n` may be NULL. */
void load_fault(struct load *l, const struct note *n, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
