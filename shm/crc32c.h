/* crc32c.h: CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), as in iSCSI and ext4. Uses the
 * SSE4.2 instruction where the build allows it, three chains of it at once where it has PCLMUL too,
 * and a table otherwise; all give the same value. */
#ifndef EIDOS_SHM_CRC32C_H
#define EIDOS_SHM_CRC32C_H

#include "shm/base.h"

/* Continue `crc` (0 to begin) over `length` bytes at `data`, any alignment. */
u32 crc32c(u32 crc, const void *data, size_t length);

#endif
