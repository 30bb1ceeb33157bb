/* log_world.h: a log that has run for more than a lap, as it stands before a run. */
#ifndef EIDOS_TESTS_INTERLEAVE_LOG_WORLD_H
#define EIDOS_TESTS_INTERLEAVE_LOG_WORLD_H

#include "shm/log.h"

#define LOG_WORLD_CAPACITY   (1UL << 20)
#define LOG_WORLD_NEAR_END   (3 * LOG_WORLD_CAPACITY - 160) /* the second record wraps */
#define LOG_WORLD_NEAR_CHUNK (3 * LOG_WORLD_CAPACITY - 5 * LOG_CHUNK - 160)

struct log_world {
    struct log *log;
    u64 head_seq;               /* last published */
    u64 oldest_pos, oldest_seq; /* the oldest record that is held whole */
};

/* Make it, or put it back as it was: the head stands at `head`, one of the two above. */
void log_world_begin(struct log_world *w, u64 head);

/* Append a record of `length` bytes with what its sequence says; not published. */
void log_world_append(struct log_writer *w, u32 length);

/* Is this the record `seq`, whole? */
void log_world_verify(const struct rec *rec, u64 seq);

#endif
