/* trace.h: eidosctl trace: the life of one order, from the logs and the stamps of every process.
 *
 *   trace_find.c   the order's command, by order or trace id; what the logs say of it
 *   trace_stamps.c what the processes' rings still remember (shm/trace.h)
 *   trace.c        the command: sorting and printing
 */
#ifndef EIDOS_CLI_TRACE_H
#define EIDOS_CLI_TRACE_H

#include "cli/logs.h"
#include "procs/lib/trace_id.h"
#include "shm/rules.h"

#define TRACE_EVENTS_MAX 4096U
#define TRACE_TEXT       320U

/* One line of the timeline. */
struct trace_event {
    u64 time_ns; /* Unix, as the logs have it */
    u64 rank;    /* of equal times: the order in which they must have been */
    const char *step;
    char process[24];
    char text[TRACE_TEXT];
    u64 trade_id, other_id; /* 0 = none */
    u64 seq;                /* of the command or record it belongs to, 0 = none */
};

struct trace_view {
    struct logs logs;
    const struct rules *rules; /* NULL: not running */
    u64 offset_ns;             /* log time minus CLOCK_MONOTONIC */
    /* Newest stamp of what the next record follows from. A record's own time is when trading's turn
     * began, and what the turn found may have come a little later. */
    u64 floor_ns;

    /* What is traced. */
    u64 order_id; /* 0: a request that made no order */
    u64 request;
    struct trace_id id; /* zero: not known any more */
    struct cmd_order command;
    bool has_command;

    u32 count;
    bool cut; /* there was more than fits */
    struct trace_event events[TRACE_EVENTS_MAX];

    /* From the stamps, CLOCK_MONOTONIC; 0 = not there. */
    u64 read_ns, asked_ns, proven_ns, durable_ns, matched_ns, replied_ns, answered_ns, pushed_ns;
};

/* Add a line; NULL when there is no more room. */
struct trace_event *trace_add(struct trace_view *v, u64 time_ns, u64 rank, const char *step,
                              const char *process);

/* Find CMD_ORDER of v->order_id, or of v->request when that is 0. 1, 0 = there is none, -1. */
int trace_find_command(struct trace_view *v);

/* Sequencing, fills, states, merges, pushes: what the logs know. 0 or -1. */
int trace_from_logs(struct trace_view *v);

/* Which request bears v->id? Fills v->request; false: not remembered. */
bool trace_find_request(struct trace_view *v);

/* What the rings remember of v->request and its command. */
void trace_from_stamps(struct trace_view *v);

/* When the command `seq` was matched by process `matching`, as log time; 0 = not remembered. */
u64 trace_matched_at(const struct trace_view *v, u32 matching, u64 seq);

/* When account record `seq` was pushed, to how many sockets; 0 = not remembered, or nobody. */
u64 trace_pushed_at(const struct trace_view *v, u64 seq, u32 *sockets, char process[24]);

/* Time of the batch that made command `seq` durable, as log time; 0 = not remembered. */
u64 trace_durable_at(const struct trace_view *v, u64 seq);

#endif
