/* logfile_survey.h: are the files sound that a start has no need to read?
 *
 *   [1 ........] [501 ......] [901 ......] [1401 ..
 *    ends only    ends only    whole        read by the start itself
 *
 * A start reads the newest file of each log, and commands after the snapshot. What was lost or
 * mixed up further back changes no state, but would be missed later: by `eidosctl journal dump`, a
 * replay from further back, or a start whose newest snapshots are damaged. It is told early, not
 * acted on.
 */
#ifndef EIDOS_PROCS_LIB_LOGFILE_SURVEY_H
#define EIDOS_PROCS_LIB_LOGFILE_SURVEY_H

#include "procs/lib/logfile.h"

/* Look at all files of a log but the newest: of each the head, and that the next one goes on
 * where it ends; those in the newest `bytes` whole. 0; 1 with err: what is wrong with one of
 * them; -1 with err: could not look. */
int logfile_survey(struct logdir *d, u32 log, u64 bytes);

#endif
