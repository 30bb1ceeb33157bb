/* replay.h: eidosctl journal replay, as journal.c calls it. */
#ifndef EIDOS_CLI_REPLAY_H
#define EIDOS_CLI_REPLAY_H

#include "cli/cli.h"
#include "procs/lib/logfile.h"

/* Replay to --to and print what came of it; `limit` is how far the command log is written
 * (UINT64_MAX: nobody writes it). Returns an enum cli_exit. */
int replay_show(const struct cli *c, struct logdir *d, u64 limit);

#endif
