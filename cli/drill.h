/* drill.h: rehearsals of bad days against a running exchange.
 *
 *   load begins --> strike --> detected --> taken over --> served --> load ends --> is all there?
 *
 *   drill.c        the command: list, run, the load, the report, the record
 *   drill_kill.c   processes that die or hang
 *   drill_disk.c   the disk that fills up
 *
 * The load is `eidosctl demo` in a process of its own: its wallets check every answer, and ask for
 * every acknowledged order again at the end. Each run leaves a line in <dir>/drills.jsonl.
 */
#ifndef EIDOS_CLI_DRILL_H
#define EIDOS_CLI_DRILL_H

#include <jansson.h>
#include <sys/types.h>

#include "cli/cli.h"

struct drill;

struct drill_kind {
    const char *name, *brief;
    u32 limit_ms; /* what operators were promised, from strike to service; 0 = nothing */
    u32 standby;  /* STANDBY_*: it needs that one */
    /* Do it and measure. 0, or -1 with err: it did not come back. */
    int (*strike)(struct drill *d);
};

/* All CLOCK_MONOTONIC; 0 = does not apply. */
struct drill_times {
    u64 struck_ns;
    u64 detected_ns; /* somebody knew */
    u64 taken_ns;    /* somebody else was in its place */
    u64 served_ns;   /* and a command of our own was through */
    u64 whole_ns;    /* all processes were back, a standby too */
};

struct drill {
    const struct drill_kind *kind;
    struct cli cli;
    struct config config;   /* of the running exchange */
    struct segment segment; /* as an onlooker */
    struct drill_times times;
    char did[256];     /* "kill -9 of trading, process 4711" */
    pid_t load;        /* 0 = none */
    int load_fd;       /* what it printed */
    json_t *clients;   /* its report, or NULL */
    u64 before, after; /* durable sequence */
    bool passed;
    char why[512]; /* it did not */
};

extern const struct drill_kind drill_matching, drill_trading, drill_hang, drill_journal,
    drill_all_down, drill_disk_full;

/* A command of our own through the exchange: the mode it has is set again. Waits until it is
 * sequenced and on disk; *seq is its number. 0 or -1. */
int drill_probe(struct drill *d, u64 *seq);

/* Ask `done` every 100 us until it says yes; -1 with err ("%s within .. s") after `limit_ms`. */
int drill_wait(struct drill *d, bool (*done)(struct drill *d), u32 limit_ms, const char *what);

/* The last command that is on disk. */
u64 drill_durable(const struct drill *d);

/* Start a program of this eidosctl in its own process; what it prints goes to `out_fd`. */
pid_t drill_spawn(char *const argv[], int out_fd);

#endif
