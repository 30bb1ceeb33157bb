/* words.h: copying structures that one process writes while others read. */
#ifndef EIDOS_SHM_WORDS_H
#define EIDOS_SHM_WORDS_H

#include "shm/base.h"

/* Copy `bytes`, a multiple of 8, word by word: words_put into shared memory that others may be
 * reading, words_get from memory that its writer may be changing. */
typedef u64 shared_word __attribute__((may_alias));

static inline void words_put(void *to, const void *from, u64 bytes)
{
    shared_word *t = to;
    const shared_word *f = from;
    for (u64 i = 0; i < bytes / 8; i++) __atomic_store_n(&t[i], f[i], __ATOMIC_RELAXED);
}

static inline void words_get(void *to, const void *from, u64 bytes)
{
    shared_word *t = to;
    const shared_word *f = from;
    for (u64 i = 0; i < bytes / 8; i++) t[i] = __atomic_load_n(&f[i], __ATOMIC_RELAXED);
}

#endif
