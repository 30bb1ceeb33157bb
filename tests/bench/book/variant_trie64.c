/* variant_trie64.c: the book with 64-way trie nodes. */
#define DRIVE_NAME     trie64
#define BOOK_TRIE_BITS 6U
#include "tests/bench/book/rename.h"

// NOLINTBEGIN(bugprone-suspicious-include): the same source, built another way
#include "shm/book.c"
#include "shm/book_accounts.c"
#include "shm/book_mem.c"
#include "shm/book_query.c"
// NOLINTEND(bugprone-suspicious-include)

#include "tests/bench/book/drive.h"
