/* shapes.h: books of extreme shape, and what is done to them. */
#ifndef EIDOS_BENCH_BOOK_SHAPES_H
#define EIDOS_BENCH_BOOK_SHAPES_H

#include "tests/bench/book/flow.h"

extern const u32 shapes_count;
const char *shape_name(u32 i);

/* Shape `i`: messages [0, *from) build the book of `orders` resting orders, those from *from on are
 * to be timed. Free with flow_free. */
struct flow shape_make(u32 i, u32 orders, u64 seed, u64 *from);

#endif
