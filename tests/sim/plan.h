/* plan.h: what one run of the simulator does, drawn from its seed before it begins.
 *
 * A plan is a list of operations. Each carries its own random bits and none depends on how many
 * came before it, so that dropping some leaves the others as they are: that is what makes a failing
 * plan shrink. Which kinds are frequent differs from seed to seed. */
#ifndef EIDOS_TESTS_SIM_PLAN_H
#define EIDOS_TESTS_SIM_PLAN_H

#include "shm/topo.h"

/* X(name, what it does). The first group are steps, the second what goes wrong. */
#define PLAN_OPS(X) \
    X(CLIENT, "a client sends something") \
    X(REPLIES, "clients read what has come back") \
    X(TRADING, "trading takes one step, or starts") \
    X(MATCHING, "one matching process takes one step, or starts") \
    X(JOURNAL, "the journal takes one turn, or starts") \
    X(SNAPSHOT, "the snapshot process takes one step, or starts") \
    X(MARKET, "market data takes one step, or starts") \
    X(STANDBY, "one standby takes one step, or starts") \
    X(CLOCK, "time goes on") \
    X(QUIET, "all settles, and the whole state is compared") \
    X(KILL_TRADING, "trading dies") \
    X(KILL_MATCHING, "one matching process dies") \
    X(KILL_JOURNAL, "the journal dies, now or at one of its next system calls") \
    X(KILL_SNAPSHOT, "the snapshot process dies") \
    X(KILL_MARKET, "market data dies") \
    X(KILL_STANDBY, "one standby dies") \
    X(CRASH, \
      "the machine stops: memory is lost, the disk keeps what it wants of what was not synced") \
    X(CLOCK_JUMP, "the wall clock jumps") \
    X(DISK_FULL, "the disk is full, or has space again") \
    X(DISK_SLOW, "syncs take long, or no longer") \
    X(DISK_ERROR, "one of the next writes or syncs of the journal fails") \
    X(SNAPSHOT_ROT, "the newest snapshot changes on disk")

enum plan_op {
#define PLAN_ENUM(name, what) OP_##name,
    PLAN_OPS(PLAN_ENUM)
#undef PLAN_ENUM
        OP_COUNT
};

struct plan_step {
    u32 op; /* enum plan_op */
    u32 zero32;
    u64 random; /* this step's own bits */
};

struct plan {
    u64 seed;
    u32 count;
    struct plan_step *steps;
    u8 *dropped; /* 1: leave this step out */
    /* The shape of this run. */
    struct topo_params params;      /* the largest sizes that any life has */
    u64 sizes;                      /* for plan_sizes, of the first life */
    u32 burst;                      /* how much trading, matching and clients do in one step */
    u64 segment_bytes, batch_bytes; /* of journal files and group commits */
    u64 random;                     /* for what is drawn once */
};

extern const char *const plan_names[OP_COUNT];

/* A step of the generator: state moves, a number comes out (splitmix64, Steele et al. 2014). */
u64 plan_random(u64 *state);

/* The sizes that an operator changes between two lives: order slots, and how many orders may rest.
 */
#define PLAN_ORDERS  4096U
#define PLAN_RESTING 2048U
void plan_sizes(struct topo_params *p, u64 random);

void plan_make(struct plan *p, u64 seed, u32 steps);
void plan_free(struct plan *p);

#endif
