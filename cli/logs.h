/* logs.h: the logs on disk of an instance, running or not. */
#ifndef EIDOS_CLI_LOGS_H
#define EIDOS_CLI_LOGS_H

#include "cli/cli.h"
#include "procs/lib/logfile.h"

struct logs {
    struct logdir dir;
    struct segment *segment; /* of the running exchange, as an onlooker, or NULL */
    const struct durable *durable;
};

/* CLI_OK, or it said why not. One set of logs a program. */
int logs_open(const struct cli *c, struct logs *logs);
void logs_close(struct logs *logs);

/* While the exchange runs, files are read no further than the journal says they are written. */
u64 logs_limit(const struct logs *logs, u32 log);

#endif
