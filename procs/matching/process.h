/* process.h: eidos-matching, the shell around the matching machine: main.c as the primary,
 * standby.c while it stands by. */
#ifndef EIDOS_MATCHING_PROCESS_H
#define EIDOS_MATCHING_PROCESS_H

#include "procs/lib/run.h"
#include "procs/lib/tail.h"
#include "shm/matching.h"
#include "shm/trace.h"

#define TURN_COMMANDS 256U

struct process {
    struct matching machine;
    struct log_writer log;
    struct log_reader commands;
    bool sweeping; /* a command is only half applied */
    struct rules rules;
    struct tail_matching tail;        /* as a standby */
    const struct proc_block *trading; /* for its clock */
    struct trace *trace;
    u64 times[TURN_COMMANDS]; /* of the commands done in this turn, for metrics only */
    u32 count;
    char log_name[REGION_NAME_BYTES], books_name[REGION_NAME_BYTES];
};

extern const struct standby_calls matching_standby;

/* Names of the regions of this instance. */
void matching_names(const struct run *run, struct process *p);

/* Logs and regions of the role, as its holder. */
void matching_join(struct run *run, struct process *p);

/* An empty machine over the own copy of the books, which is being rebuilt, writing to `log`. */
int matching_format(struct run *run, struct process *p, struct log_writer *log);

/* Show what was made, then release what it was made from. */
void matching_publish(struct run *run, struct process *p);

#endif
