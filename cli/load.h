/* load.h: what `eidosctl load` consists of.
 *
 *   load.c           options, the order of things
 *   load_plan.c      the scenarios of the operations guide (5.3) as data, scaled
 *   load_find.c      the exchange: its markets and prices, wallets and their funds
 *   load_check.c     what would spoil the measurement, found before it begins
 *   load_slots.c     which order a user sends when, signed ahead by all cores
 *   load_users.c     HTTP: each user has a wallet, a connection and a schedule
 *   load_subs.c      WebSocket: subscribers; load_frames.c reads what is pushed
 *   load_sample.c    once a second: processor, memory and queues of everybody
 *   load_run.c       one step after the other, and the line of a second
 *   load_accept.c    the acceptance list of the guide (5.4)
 *   load_text.c, load_json.c, load_html.c   the report
 *
 *   due ---- user busy ----> sent ------------------> answered
 *    |<--------------------- latency --------------------->|
 *              |<--late-->|   the generator's own fault: free and due, and not sent
 *
 * Open loop: request k of a step is due at k / rate, whatever became of those before it. A user
 * sends one request at a time, as a person's connection does; what is due meanwhile waits, and its
 * latency counts from when it was due. So a server that stands still for a second shows a second.
 */
#ifndef EIDOS_CLI_LOAD_H
#define EIDOS_CLI_LOAD_H

#include <signal.h>

#include "cli/cli.h"
#include "procs/lib/client/pump.h"
#include "procs/lib/client/sign.h"
#include "shm/hist.h"

#define LOAD_PLANS_MAX     3U
#define LOAD_STEPS_MAX     16U
#define LOAD_MARKETS_MAX   64U
#define LOAD_USERS_MAX     50000U
#define LOAD_SUBS_MAX      200000U
#define LOAD_CODES_MAX     24U
#define LOAD_POINTS_MAX    7200U /* seconds of a run that get a line of their own */
#define LOAD_PROCS_MAX     TOPO_PROCS_MAX
#define LOAD_BITS          10U /* of histograms of a step: 0.1 % */
#define LOAD_POINT_BITS    6U  /* of a second: 1.6 % */
#define LOAD_DEEP          4U  /* orders of a user that wait to be cancelled */
#define LOAD_NONCES_BEFORE 64U /* of a user, for orders that prepare the books */
#define LOAD_SECOND        1000000000UL
#define LOAD_LATE_NS       10000000UL /* a generator that is later than this proves nothing */

/* ---- The plan (load_plan.c) -------------------------------------------------------------------*/

/* What a user does next. REST waits in the book for TAKE and MARKET; DEEP waits where nobody takes,
 * until a CANCEL. */
enum slot { SLOT_REST, SLOT_TAKE, SLOT_DEEP, SLOT_MARKET, SLOT_CANCEL, SLOT_KINDS };

struct load_step {
    const char *name;
    u32 users;
    double rate; /* requests a second, all users */
    double seconds;
};

enum sub_kind { SUB_TICKER, SUB_DEPTH, SUB_ORDERS, SUB_KINDS };

struct load_plan {
    u32 scenario; /* 1, 2, 3 */
    const char *title;
    const u8 *cycle; /* slots, over and over */
    u32 cycle_len;
    u32 rest_units, take_units;  /* sizes: what rests per cycle is what is taken */
    u32 subs[SUB_KINDS];         /* connections */
    double push_rate[SUB_KINDS]; /* frames a second each connection is to get, 0 = on demand */
    u32 steps;
    struct load_step step[LOAD_STEPS_MAX];
};

/* ---- What is measured -------------------------------------------------------------------------*/

typedef _Atomic u64 load_hist[HIST_WORDS(LOAD_BITS)];
typedef _Atomic u64 load_point_hist[HIST_WORDS(LOAD_POINT_BITS)];

struct load_code {
    u32 http; /* 0 = none came */
    int code;
    bool fault; /* counts as an error; else a rule of trading said no */
    u64 count;
};

/* A second of the run. */
struct load_point {
    u32 step;
    u32 due, answered, errors, frames;
    u32 p50_us, p99_us, max_us, push_p99_us;
    u32 host_permille, own_permille;   /* of all cores, of one core */
    u32 proc_permille[LOAD_PROCS_MAX]; /* of one core */
    u32 memory_permille;               /* of the host */
    u64 exchange_bytes;                /* private memory of its processes */
    u64 backlog;                       /* bytes waiting in its rings */
};

struct load_result {
    u64 begun_ns, ended_ns; /* CLOCK_MONOTONIC; of the part that was to be sent in */
    u64 due, sent, answered, accepted, refused, errors, lost, unsent;
    u64 by_slot[SLOT_KINDS], filled; /* sent; takers that were filled */
    u64 in_time;                     /* answered before `ended_ns` */
    u32 codes;
    struct load_code code[LOAD_CODES_MAX];
    load_hist latency, late;
    load_hist push[SUB_KINDS];
    u64 frames[SUB_KINDS], snapshots, gaps, bytes_in, reads;
    u64 frames_min[SUB_KINDS], frames_max[SUB_KINDS]; /* of one connection */
    u64 lost_subs;
    double own_cores, host_share; /* mean */
};

/* A process of the exchange, as load_sample.c sees it. */
struct load_proc {
    char name[24];
    u32 pid;
    u64 ticks, bytes, first_bytes, last_bytes, epoch;
    u64 cpu_ticks; /* during the steps */
};

/* ---- Who takes part ---------------------------------------------------------------------------*/

struct load_market {
    char symbol[32];
    u128 tick_wad, lot_wad;
    u64 mid, step; /* ticks; resting prices lie 1 to 5 steps from the middle */
    u64 unit;      /* lots */
    char base[16], quote[16];
    u128 unit_quote; /* what a unit costs, x 10^18 */
};

struct load_user {
    struct client_wallet wallet;
    u32 market;
    u32 at;           /* first signature of this user */
    u32 planned;      /* how many there are */
    u32 turn;         /* slots used so far, all steps */
    u32 step_turn;    /* of this step */
    bool busy, again; /* waits for an answer; has to connect again */
    u8 slot;
    u64 due_ns, free_ns;
    u64 nonce;   /* of turn 0; turn n has 2n further on, and the next one is spare */
    u64 cancels; /* sent; their nonces are counted apart */
    u32 phase;   /* where in the cycle it begins */
    u64 deep[LOAD_DEEP];
    u32 deep_count;
    u32 prelude_bad;
};

struct load_sub {
    u8 kind, state;
    bool stuck;
    u32 user; /* whose orders */
    u64 frames;
    u64 *sequence; /* depth: of each market */
};

struct load {
    /* options */
    const struct cli *cli;
    const char *keys_file, *report_dir;
    double scale, time, rate;
    u64 p99_ns, push_p99_ns, stuck;
    volatile sig_atomic_t interrupted;
    bool inline_signatures, json;
    bool local;    /* an instance of this host, not an address */
    char host[80]; /* "127.0.0.1:8080" */
    char started[32];

    /* the exchange */
    struct segment own, segment; /* local: as ROLE_OPS, as an onlooker */
    struct config config;
    struct eip712 domain;
    struct load_market markets[LOAD_MARKETS_MAX];

    /* the run */
    struct load_plan plan[LOAD_PLANS_MAX];
    struct load_result *results[LOAD_PLANS_MAX]; /* of each step */
    struct load_point *points;
    struct pump pump; /* users first, then subscribers */
    struct load_user *users;
    struct load_sub *subs;
    u8 (*signatures)[SECP_SIGNATURE];
    u64 signature_count;
    double signing_seconds;
    u32 point_plan[LOAD_PLANS_MAX]; /* first point of a plan */
    u32 point_count, plans, market_count, user_count, sub_count, proc_count;
    u32 warnings;
    u32 mask; /* of WebSocket frames */
    char warning[8][240];
    char last_close[120];

    /* the step under way */
    struct load_result *result; /* NULL: nothing is measured */
    u64 next, last;             /* request to become due; how many there are in the step */
    u64 waiting, subs_ready;    /* requests under way, subscribers */
    u32 current_plan, current_step;
    struct load_point point;
    load_point_hist second, push_second;

    /* samples */
    struct load_proc procs[LOAD_PROCS_MAX];
    u64 ooms_before, ooms, crashes;
    u64 backlog_most, backlog_end;
};

/* What a report's line says of an item of the guide's 5.4. */
enum load_verdict { LOAD_PASS, LOAD_FAIL, LOAD_SHORT, LOAD_UNKNOWN };
struct load_item {
    const char *text;
    enum load_verdict verdict;
    char detail[240];
};
#define LOAD_ITEMS 8U

/* Add a line to the report's warnings. */
void load_warn(struct load *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* --- load_plan.c --- */

/* Fill l->plan for the scenarios that were asked for ("1", "2", "3", "all"); `steps` replaces the
 * table ("users:rate:seconds,..."), or NULL. 0, or -1 with the error text. */
int plan_make(struct load *l, const char *which, const char *steps);
const char *plan_sub_name(u32 kind);
const char *plan_slot_name(u32 slot);
/* Requests that user `user` sends in a step. */
u64 plan_count(const struct load_step *s, u32 user);

/* --- load_find.c --- */

/* Ask the exchange for its markets and prices. 0 or -1 with the error text. */
int find_markets(struct load *l);
/* Make or read wallets for all users, and give them funds (local) or look whether they have. */
int find_wallets(struct load *l);

/* --- load_check.c --- */

/* 0, or -1 with the error text: what is in the way and what to do about it. */
int check_before(struct load *l);

/* --- load_slots.c --- */

/* Sign all orders of all steps of a plan. 0 or -1. */
int slots_sign(struct load *l, const struct load_plan *p);
/* The order of a user's turn; `slot` must not be SLOT_CANCEL. Pure. */
void slot_order(const struct load *l, const struct load_plan *p, const struct load_user *u,
                u32 turn, enum slot slot, struct client_order *o);
enum slot slot_of(const struct load_plan *p, const struct load_user *u, u32 turn);

/* --- load_users.c --- */

int users_connect(struct load *l, u32 count);
/* Send what is due; returns when the next request is, CLOCK_MONOTONIC. */
u64 users_turn(struct load *l, u64 now_ns);
void user_opened(struct load *l, u32 user);
size_t user_bytes(struct load *l, u32 user, const char *bytes, size_t len);
void user_closed(struct load *l, u32 user, const char *why);
/* Before the first step: put resting orders into the books. After the last: cancel what is left. */
int users_prelude(struct load *l, const struct load_plan *p);
void users_clean_up(struct load *l, u32 count);
/* Give up what is still unanswered at the end of a step. */
void users_abandon(struct load *l);

/* --- load_subs.c, load_frames.c --- */

int subs_connect(struct load *l, const struct load_plan *p);
void sub_opened(struct load *l, u32 sub);
size_t sub_bytes(struct load *l, u32 sub, const char *bytes, size_t len, u64 now_ns);
void sub_closed(struct load *l, u32 sub, const char *why);
void subs_begin(struct load *l);
void subs_free(struct load *l);
void subs_count(struct load *l, struct load_result *r);

/* What a frame says; text[len] may be read. */
enum frame_type {
    FRAME_OTHER,
    FRAME_UPDATE,
    FRAME_SNAPSHOT,
    FRAME_SUBSCRIBED,
    FRAME_AUTH,
    FRAME_ERROR
};
struct frame {
    u8 type;
    u32 market; /* of depth: index of l->markets; LOAD_MARKETS_MAX = none */
    u64 sequence, previous;
    u64 event_ns; /* when it happened, Unix, to the millisecond; 0 = it does not say */
};
void frame_read(const struct load *l, const char *text, u32 len, enum sub_kind kind,
                struct frame *f);

/* --- load_sample.c --- */

void sample_begin(struct load *l);
/* Complete the point of the second that ends. */
void sample_second(struct load *l, struct load_point *p);
void sample_end(struct load *l);
/* Note what processes have for themselves: as a plan's first step begins, and at the end of each.
 */
void sample_memory(struct load *l, bool first);
u64 sample_backlog(const struct load *l);

/* --- load_run.c --- */

int run_plan(struct load *l, u32 plan);

/* --- load_accept.c --- */

/* The list; returns how many items there are. */
u32 accept_list(const struct load *l, struct load_item items[LOAD_ITEMS]);
const char *accept_word(enum load_verdict v);
/* Was the generator itself too late in a step? Then its figures are void. */
bool accept_is_void(const struct load_result *r);
double accept_rate(const struct load_result *r);

/* --- reports --- */

void report_text(const struct load *l, FILE *out);
json_t *report_json(const struct load *l);
void report_html(const struct load *l, FILE *out);

#endif
