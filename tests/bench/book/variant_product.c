/* variant_product.c: the book as it is. */
#define DRIVE_NAME product
#include "tests/bench/book/drive.h"
