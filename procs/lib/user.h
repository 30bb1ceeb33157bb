/* user.h: one system user for each role, so that file modes and the kernel's own checks keep a
 * compromised process from the files, the memory and the lives of the others.
 *
 *   started as root: attach, map, init --user_drop--> own user, own files --sandbox--> turn
 *
 * Regions and files are opened while the process is still root and runs only its own start; what it
 * maps afterwards is what the topology gave it. Own regions and writable directories become the
 * user's; everybody else's stay closed to it. Roles that read files of others (journal, snapshots)
 * share one group, the gateways and verify are not in it.
 */
#ifndef EIDOS_PROCS_LIB_USER_H
#define EIDOS_PROCS_LIB_USER_H

#include <sys/types.h>

#include "procs/lib/sandbox.h"
#include "shm/segment.h"

struct user {
    uid_t uid;
    gid_t gid;
};

/* Who `role` is under run.users: a number N (uid N + 1 + role; group N, or of the own number
 * without files) or a prefix ("eidos-": eidos-api, ...; group eidos, or the user's own). 0 or -1.
 */
int user_find(const char *users, u32 role, bool files, struct user *user);

/* Become that user for good. `paths` as in sandbox.h. 0 or -1. */
int user_drop(const struct segment *s, const struct user *user, const struct sandbox_path *paths);

#endif
