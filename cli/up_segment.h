/* up_segment.h: the shared memory of an instance, made in a thread while the start reads the disk.
 *
 * Zeroing gigabytes takes as long as reading them: on two cores both are done in the time of one.
 */
#ifndef EIDOS_CLI_UP_SEGMENT_H
#define EIDOS_CLI_UP_SEGMENT_H

#include "procs/lib/config.h"

struct up_segment;

/* Begin. `config` and `dir` stay as they are until the end. -1 with err. */
int up_segment_begin(struct up_segment **making, const struct config *config, const char *dir);

/* Wait until it is made, or is known not to be. */
void up_segment_wait(struct up_segment *making);

/* Wait for it; says what could not be had. With `failed` what was made is removed again, and err
 * stays what it was. -1 with err: there is no segment. */
int up_segment_end(struct up_segment *making, bool failed);

#endif
