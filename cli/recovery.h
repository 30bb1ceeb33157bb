/* recovery.h: what each start found on disk and made of it, kept in <dir>/recoveries.jsonl. */
#ifndef EIDOS_CLI_RECOVERY_H
#define EIDOS_CLI_RECOVERY_H

#include <jansson.h>

#include "cli/cli.h"
#include "procs/lib/recover.h"

#define RECOVERY_REPORTS 32U /* lines that are kept of one start */

struct recovery {
    u64 took_ns;
    struct recovered found; /* zeroed, unless ok */
    bool ok;
    const char *why; /* it was refused */
    u32 count;       /* of reports, those that were not kept too */
    char reports[RECOVERY_REPORTS][600];
};

/* Take one line of recover_report_fn. */
void recovery_report(struct recovery *r, const char *text);

/* Append what became of a start. 0 or -1. */
int recovery_keep(const struct recovery *r, const char *dir);

/* The last one that was kept, as kept, or NULL: there is none. The caller frees it. */
json_t *recovery_last(const char *dir);

/* Its summary in one line. */
void recovery_print(const json_t *record);

#endif
