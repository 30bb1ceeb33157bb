/* recover_inside.h: what the files of the recovery of one process share. */
#ifndef EIDOS_PROCS_LIB_RECOVER_INSIDE_H
#define EIDOS_PROCS_LIB_RECOVER_INSIDE_H

#include "procs/lib/follow.h"
#include "procs/lib/recover.h"

/* A process that comes back while others may be running. Large: not on a stack. */
struct live {
    const struct recover_source *source;
    struct log_writer *account; /* a primary's: gets what its predecessor did not publish */
    struct owed *owed;          /* a standby's: keeps it */
    u64 derived; /* records of the own derived log that were published when it began */
    struct snapshot_info need; /* the largest derived sequences a snapshot may have */
    u64 target;
    struct replica replica;
    struct follow follow;
};

/* Any snapshot will do, but for account records beyond `account_seq`: a snapshot does not hold
 * them, and the commands that make them are behind it. */
void recover_need(struct live *l, u64 account_seq);

/* The parts in `config` as of the last command that is published or on disk. l->replica is open
 * afterwards, unless -1. */
int recover_rebuild(struct live *l, const struct recover_source *s, struct replica_config *config,
                    u64 published);

/* Files of a log that hold records through `held` where replay makes them through `made`: sets err,
 * which says what to do, and returns -1. */
int recover_files_beyond(const char *dir, u32 log, u64 held, u64 made);

#endif
