/* hex.h: bytes as the outside world writes them: "0x" and two hex digits a byte.
 *
 * Reading takes either case and exactly the expected number of bytes. Writing is lower case, except
 * an address with its checksum (EIP-55), where upper and lower case letters carry four bits each
 * of the Keccak-256 of the lower-case text.
 */
#ifndef EIDOS_PROCS_LIB_ETH_HEX_H
#define EIDOS_PROCS_LIB_ETH_HEX_H

#include "shm/base.h"

/* Characters of n bytes in hex, with "0x" and the final NUL. */
#define HEX_TEXT(n)      (2 * (n) + 3)
#define HEX_ADDRESS_TEXT HEX_TEXT(20)

/* text[0..len) must be "0x" (small x) and 2 x n digits. False, and `out` untouched, if it is not.
 * The text needs no NUL. */
bool hex_parse(const char *text, size_t len, u8 *out, size_t n);

/* Write "0x", 2 x n lower-case digits and NUL: `text` has room for HEX_TEXT(n). */
void hex_format(const u8 *bytes, size_t n, char *text);

/* The same for an address, with the EIP-55 checksum in the case of its letters. */
void hex_format_address(const u8 address[20], char text[HEX_ADDRESS_TEXT]);

/* An address of someone else's: letters in both cases carry a checksum, which must then be right.
 * `address` may be NULL. */
bool hex_address_read(const char *text, size_t len, u8 address[20]);

#endif
