/* top.h: eidosctl top: a running exchange, looked at again and again.
 *
 *   top_sample.c  one look: processes, queues, counters, histograms, markets
 *   top_text.c    two looks -> the lines of a frame, or JSON
 *   top.c         the command and the terminal
 */
#ifndef EIDOS_CLI_TOP_H
#define EIDOS_CLI_TOP_H

#include "cli/procs.h"
#include "shm/market.h"
#include "shm/metrics.h"
#include "shm/rules.h"

#define TOP_QUEUES_MAX 512U
#define TOP_LINES_MAX  1024U
#define TOP_LINE_BYTES 256U
#define TOP_PINNED     4U  /* lines of the head */
#define TOP_COMPACT    36U /* on a screen with less rows only the main latencies are shown */

/* Totals over all processes that are shown as rates. */
enum top_count {
    TOP_REQUESTS,
    TOP_CLIENT_ERRORS,
    TOP_SERVER_ERRORS,
    TOP_ACCEPTED,
    TOP_REFUSED,
    TOP_CANCELS,
    TOP_TRADES,
    TOP_COMMANDS,
    TOP_PUSHES,
    TOP_COUNTS,
};

/* Histograms, of all processes together. */
enum top_time {
    TOP_REQUEST,
    TOP_ORDER,
    TOP_SOCKET,
    TOP_VERIFY,
    TOP_SEQUENCE,
    TOP_DURABLE,
    TOP_MATCH,
    TOP_REPLY,
    TOP_PUSH,
    TOP_TIMES,
};
extern const char *const top_time_names[TOP_TIMES];

struct top_queue {
    const char *name; /* of the region */
    const char *reader;
    bool is_log;  /* counted in records, else in bytes */
    u64 passed;   /* read so far */
    u64 depth;    /* waiting */
    u64 capacity; /* of a ring, bytes */
};

struct top_market {
    char symbol[SYMBOL_BYTES + 1];
    struct market rules;
    struct market_ticker ticker;
    bool known;
};

/* One look. Large. */
struct top_sample {
    u64 mono_ns, unix_ns;
    bool ready;
    char who[PROC_NOTE_BYTES + 64]; /* is not ready, and why */
    u32 procs;
    struct proc_view proc[TOPO_PROCS_MAX];
    u64 cpu_ns[TOPO_PROCS_MAX], resident[TOPO_PROCS_MAX]; /* bytes */
    u32 queues;
    struct top_queue queue[TOP_QUEUES_MAX];
    u64 count[TOP_COUNTS];
    _Atomic u64 times[TOP_TIMES][HIST_WORDS(METRIC_HIST_BITS)];
    u64 sequence, durable, open_orders, connections, sockets, restarts;
    u32 markets;
    struct top_market market[MARKETS_MAX];
};

void top_look(struct segment *s, struct top_sample *t);

/* The lines of a frame. */
struct top_frame {
    u32 count;
    char line[TOP_LINES_MAX][TOP_LINE_BYTES];
};

/* What changed from `before` to `now`, in at most `rows` lines (0 = all): on few rows the main
 * latencies and first processes only; markets and queues as fit, the busiest queues first. */
void top_frame(struct top_frame *f, const struct segment *s, const struct top_sample *before,
               const struct top_sample *now, u32 rows);

/* The same as one JSON object on stdout. */
void top_json(const struct segment *s, const struct top_sample *before,
              const struct top_sample *now);

#endif
