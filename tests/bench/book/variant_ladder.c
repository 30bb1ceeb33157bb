/* variant_ladder.c: the book over levels_ladder.h. */
#define DRIVE_NAME ladder
#include "tests/bench/book/rename.h"

#include "tests/bench/book/levels_ladder.h"

// NOLINTBEGIN(bugprone-suspicious-include): the same source, built another way
#include "shm/book.c"
#include "shm/book_accounts.c"
#include "shm/book_ahead.c"
#include "shm/book_mem.c"
#include "shm/book_query.c"
// NOLINTEND(bugprone-suspicious-include)

#include "tests/bench/book/drive.h"
