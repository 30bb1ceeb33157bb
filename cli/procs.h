/* procs.h: one process as eidosctl sees it: status, ps and top. */
#ifndef EIDOS_CLI_PROCS_H
#define EIDOS_CLI_PROCS_H

#include "cli/cli.h"

#define PROC_GUARDS_TEXT 64

struct proc_view {
    const char *name;
    u32 pid, role, state, guards, port, ops_port;
    bool alive, beating;
    u64 beat_age_ms, starts;
    u64 worked_ns, waited_ns, blocked_ns; /* since the segment was made */
    u64 position, lag, checked;           /* of a standby: commands */
    char note[PROC_NOTE_BYTES];
};

/* Look at process `i` of the topology. */
void proc_look(const struct segment *s, u32 i, struct proc_view *v);

/* What to call it: a state, or that the state is a lie ("dead", "hung"). */
const char *proc_word(const struct proc_view *v);

/* Share of a time in all that was spent, in thousandths; 0 when nothing was. */
u64 proc_permille(const struct proc_view *v, u64 ns);

/* "sealed,landlock". */
void proc_guards(const struct proc_view *v, char text[static PROC_GUARDS_TEXT]);

/* All processes as a JSON array. */
void procs_json(struct json_out *out, const struct segment *s);

#endif
