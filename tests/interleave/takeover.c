/* takeover.c: the handshake of procs/lib/standby.h over the real log.c and proc.c: a primary that
 * may die at any step, a standby, and a third process that wants the role too. Whoever reads sees
 * every record once, in order, with one content, and at most one process writes.
 *
 *   thread 0   primary: appends to the command log, publishes it, then what follows from it to the
 *              derived log; may be killed before any step, its held-back stores then being seen
 *   thread 1   standby: follows; at the primary's end takes the block, finishes both logs
 *   thread 2   reader of the derived log
 *   thread 3   rival: at the primary's end takes the block, finishes both logs from what it reads
 */
#include "shm/log.h"
#include "shm/proc.h"

#include "tests/interleave/explore_inside.h"
#include "tests/interleave/log_world.h"
#include "tests/interleave/scenarios.h"

#define COMMANDS 2U
#define LENGTH   64U
#define CAPACITY (1UL << 20)
#define PRIMARY  100U /* process ids: this plus the thread */

static alignas(4096) u8 memory[2][CAPACITY + 8192];
static alignas(4096) struct proc_block block;
static struct log *commands, *derived;
static u32 taken; /* by how many after the primary */
static u64 seen;

static struct log *fresh(u32 i)
{
    memset(memory[i], 0, 8192);
    log_new(memory[i], CAPACITY, 0);
    return (struct log *)(void *)memory[i];
}

static void setup(void)
{
    commands = fresh(0);
    derived = fresh(1);
    memset(&block, 0, sizeof block);
    atomic_store_explicit(&block.pid, PRIMARY, memory_order_relaxed);
    atomic_store_explicit(&block.epoch, 1, memory_order_relaxed);
    explore_shared(memory, sizeof memory);
    explore_shared(&block, sizeof block);
    explore_rises(&commands->head);
    explore_rises(&derived->head);
    taken = 0;
    seen = 0;
}

/* Both logs to their end, by whoever holds the role: first what is decided, then what follows. */
static void finish(struct log_writer *c, struct log_writer *d)
{
    while (c->seq < COMMANDS || d->seq < COMMANDS) {
        if (c->seq < COMMANDS && c->seq <= d->seq) {
            log_world_append(c, LENGTH);
            log_publish(c);
        }
        log_world_append(d, LENGTH);
        log_publish(d);
    }
}

static void be_primary(void)
{
    struct log_writer c, d;
    log_join_writer(&c, commands);
    log_join_writer(&d, derived);
    finish(&c, &d);
}

static void take_over(bool follows)
{
    struct log_reader r;
    struct log_writer c, d;
    log_join_reader(&r, commands);
    if (follows) /* the standby has read along; the rival begins now */
        for (const struct rec *rec; (rec = log_peek(&r)); log_advance(&r, rec))
            log_world_verify(rec, r.seq + 1);
    explore_await_end(0);
    if (!explore_was_killed(0)) return; /* it did all there was to do */
    if (proc_take_from(&block, PRIMARY, 1)) return;
    taken++;
    log_join_writer(&c, commands);
    log_join_writer(&d, derived);
    HOLDS(d.seq <= c.seq); /* nothing follows from what is not there */
    finish(&c, &d);
}

static void be_standby(void)
{
    take_over(true);
}

static void be_rival(void)
{
    take_over(false);
}

/* One that does not wait for the primary's end: it is only asked to die. */
static void be_hasty(void)
{
    struct log_writer c, d;
    log_join_writer(&c, commands);
    log_join_writer(&d, derived);
    finish(&c, &d);
}

static void read_derived(void)
{
    static alignas(8) u8 buf[RECORD_BYTES_MAX];
    struct log_reader r;
    log_join_reader(&r, derived);
    seen = r.seq;
    while (seen < COMMANDS) {
        int n = log_copy(&r, buf, UINT64_MAX);
        HOLDS(n >= 0);
        if (!n) {
            explore_idle_while(&derived->head, r.head_cached);
            continue;
        }
        log_world_verify((const struct rec *)(const void *)buf, ++seen);
    }
}

static void check(void)
{
    struct log_reader r;
    HOLDS(taken <= 1);
    HOLDS(explore_was_killed(0) == (taken == 1));
    HOLDS(seen == COMMANDS);
    log_join_reader(&r, derived);
    HOLDS(r.seq == COMMANDS);
    log_join_reader(&r, commands);
    HOLDS(r.seq == COMMANDS);
}

#define PLAN(title, second, third, fourth, count, switches, held) \
    .name = (title), .threads = (count), .thread = {be_primary, second, third, fourth}, \
    .setup = setup, .memory = EXPLORE_TSO, .preemptions = (switches), .delays = (held)

const struct explore_plan takeover_plans[] = {
    {PLAN("takeover: standby and rival, the primary may die at any step", be_standby, read_derived,
          be_rival, 4, 1, 0),
     .check = check, .kills = 1},
    {PLAN("takeover: standby alone, more switches", be_standby, read_derived, NULL, 3, 2, 0),
     .check = check, .kills = 1},
    {PLAN("takeover: standby alone, stores held back", be_standby, read_derived, NULL, 3, 1, 1),
     .check = check, .kills = 1},
    {PLAN("takeover: the standby does not wait for the end", be_hasty, read_derived, NULL, 3, 2, 0),
     .bug = BUG_IN_SCENARIO},
    {.name = NULL},
};
