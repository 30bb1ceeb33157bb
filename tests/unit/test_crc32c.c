/* The checksum of every record, against one that goes bit by bit. */
#include "shm/crc32c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define BYTES 4000U

static u8 bytes[BYTES + 8];

static u32 by_bits(u32 crc, const u8 *p, size_t length)
{
    u32 c = ~crc;
    for (; length; p++, length--) {
        c ^= *p;
        for (u32 bit = 0; bit < 8; bit++) c = c & 1 ? (c >> 1) ^ 0x82F63B78U : c >> 1;
    }
    return ~c;
}

static int fill(void **state)
{
    (void)state;
    u64 z = 7;
    for (u32 i = 0; i < sizeof bytes; i++) {
        z = z * 0x5851f42d4c957f2dUL + 1;
        bytes[i] = (u8)(z >> 56);
    }
    return 0;
}

/* The check value of every catalogue of checksums, and of RFC 3720, B.4. */
static void known_values(void **state)
{
    (void)state;
    u8 block[32];
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283U);
    memset(block, 0, sizeof block);
    assert_int_equal(crc32c(0, block, sizeof block), 0x8a9136aaU);
    memset(block, 0xff, sizeof block);
    assert_int_equal(crc32c(0, block, sizeof block), 0x62a8ab43U);
    assert_int_equal(crc32c(5, block, 0), 5);
}

static void every_length_and_place(void **state)
{
    (void)state;
    for (u32 length = 0; length < 800; length++)
        for (u32 at = 0; at < 8; at++)
            assert_int_equal(crc32c(length, bytes + at, length),
                             by_bits(length, bytes + at, length));
    for (u32 length = 800; length <= BYTES; length += 37)
        assert_int_equal(crc32c(0, bytes + length % 8, length),
                         by_bits(0, bytes + length % 8, length));
}

static void pieces_make_the_whole(void **state)
{
    (void)state;
    u32 whole = by_bits(0, bytes, BYTES);
    for (u32 cut = 0; cut <= BYTES; cut += 97)
        assert_int_equal(crc32c(crc32c(0, bytes, cut), bytes + cut, BYTES - cut), whole);
}

/* Every whole number of words up to where three lanes have begun, and the longest. */
static void fixed_lengths(void **state)
{
    (void)state;
#define SAME(length) \
    assert_int_equal(crc32c_fixed(bytes + 3, length), by_bits(0, bytes + 3, length))
#define SAME_8(at) \
    SAME(at), SAME((at) + 8), SAME((at) + 16), SAME((at) + 24), SAME((at) + 32), SAME((at) + 40), \
        SAME((at) + 48), SAME((at) + 56)
    SAME_8(0), SAME_8(64), SAME_8(128), SAME_8(192), SAME_8(256), SAME_8(320);
    SAME(1536), SAME(1552);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(known_values, fill),
        cmocka_unit_test_setup(every_length_and_place, fill),
        cmocka_unit_test_setup(pieces_make_the_whole, fill),
        cmocka_unit_test_setup(fixed_lengths, fill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
