/* journal_dir.h: a journal directory of a test's own, with records that tell where they belong. */
#ifndef EIDOS_TESTS_LIB_JOURNAL_DIR_H
#define EIDOS_TESTS_LIB_JOURNAL_DIR_H

#include "procs/lib/logfile.h"

struct journal_dir {
    char path[64];
    struct logdir dir;
};

/* Make and open an empty directory below /tmp; CHECKs. */
void journal_dir_make(struct journal_dir *j);
void journal_dir_remove(struct journal_dir *j);

/* Fill `buf` with the whole deposit record `seq`; returns its length. */
u32 journal_deposit(void *buf, u64 seq);

/* The same for the account log: a balance record that follows from command `cause`. */
u32 journal_balance(void *buf, u64 seq, u64 cause);

/* Append `count` deposits after `first` - 1, `batch` at a time, in segments of `segment` bytes, and
 * set the mark to `synced` (0 = leave it). */
void journal_fill(struct journal_dir *j, u64 first, u64 count, u64 batch, u64 segment, u64 synced);

/* The path of the file that begins with `first`. */
void journal_path(const struct journal_dir *j, u32 log, u64 first, char path[400]);

/* Where record `seq` begins in its file, and which file that is. */
u64 journal_place(struct journal_dir *j, u32 log, u64 seq, u64 *first);

/* Change one byte of a file: new = old ^ mask. */
void journal_flip(const char *path, u64 offset, u8 mask);

/* Overwrite a range with zeros. */
void journal_zero(const char *path, u64 offset, u64 bytes);

void journal_set_mark(struct journal_dir *j, u32 log, u64 synced);

#endif
