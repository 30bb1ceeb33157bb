/* variant_eager.c: the book that keeps hardly any leaf that lost its last order. */
#define DRIVE_NAME  eager
#define BOOK_ASLEEP 16U
#include "tests/bench/book/rename.h"

// NOLINTBEGIN(bugprone-suspicious-include): the same source, built another way
#include "shm/book.c"
#include "shm/book_accounts.c"
#include "shm/book_mem.c"
#include "shm/book_query.c"
// NOLINTEND(bugprone-suspicious-include)

#include "tests/bench/book/drive.h"
