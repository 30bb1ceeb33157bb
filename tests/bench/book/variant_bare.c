/* variant_bare.c: the book without account lists and self-trade checks. */
#define DRIVE_NAME bare
#include "tests/bench/book/rename.h"

#include "tests/bench/book/accounts_none.h"

// NOLINTBEGIN(bugprone-suspicious-include): the same source, built another way
#include "shm/book.c"
#include "shm/book_ahead.c"
#include "shm/book_mem.c"
#include "shm/book_query.c"
// NOLINTEND(bugprone-suspicious-include)

#include "tests/bench/book/drive.h"
