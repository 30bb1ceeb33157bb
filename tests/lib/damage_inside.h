/* damage_inside.h: files and what stands in them, for damage.c and damage_read.c. */
#ifndef EIDOS_TESTS_LIB_DAMAGE_INSIDE_H
#define EIDOS_TESTS_LIB_DAMAGE_INSIDE_H

#include "tests/lib/damage.h"

#define DAMAGE_FILES 4096
#define HEAD_BYTES   4096U /* of a journal file */

struct names {
    u32 count;
    char name[DAMAGE_FILES][64];
};

/* Names in `dir`/`folder` that begin with `begin` and end with `end`, sorted. */
void damage_list(const char *dir, const char *folder, const char *begin, const char *end,
                 struct names *n);

struct bytes {
    u8 *p;
    u64 size;
};

/* A whole regular file, malloced. */
bool damage_load(const char *path, struct bytes *b);

enum piece_kind { PIECE_END, PIECE_BATCH, PIECE_RECORD, PIECE_BROKEN };

/* What stands at `at` of a journal file, and how long it is. */
enum piece_kind damage_piece(const struct bytes *b, u64 at, u64 *length);

#endif
