/* regular.h: opening files of the instance that somebody may have replaced. */
#ifndef EIDOS_PROCS_LIB_REGULAR_H
#define EIDOS_PROCS_LIB_REGULAR_H

/* openat (mode 0644 for O_CREAT), of a regular file only, or a link to one: a pipe in its place
 * would make the opener wait for ever, a device would have no end. -1: *why tells the reason, until
 * the next call in this thread; errno is the system's, or 0 when it is another kind of file. */
int regular_open(int dir, const char *name, int flags, const char **why);

#endif
