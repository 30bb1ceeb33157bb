/* Keccak-256 against ethers, and the incremental form against the one-shot form. */
#include "procs/lib/eth/eip712.h"
#include "procs/lib/eth/keccak.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/vectors/eip712.h"

#define DATA_MAX 1024U

static u8 data[DATA_MAX];

static int fill(void **state)
{
    (void)state;
    for (size_t i = 0; i < DATA_MAX; i++) data[i] = (u8)(7 * i + 3);
    return 0;
}

static void matches_known_answers(void **state)
{
    (void)state;
    u8 digest[32];
    for (size_t i = 0; i < COUNT_OF(KECCAK_VECTORS); i++) {
        keccak_256(data, KECCAK_VECTORS[i].len, digest);
        assert_memory_equal(digest, KECCAK_VECTORS[i].digest, 32);
    }
}

static void is_not_sha3(void **state)
{
    (void)state;
    u8 digest[32];
    keccak_256(NULL, 0, digest);
    assert_memory_equal(digest, "\xc5\xd2\x46\x01\x86\xf7\x23\x3c", 8); /* SHA3-256: a7ffc6f8 */
}

static void pieces_equal_the_whole(void **state)
{
    (void)state;
    u8 whole[32], pieces[32];
    for (size_t len = 0; len <= 3 * KECCAK_RATE + 1; len++) {
        keccak_256(data, len, whole);
        for (size_t step = 1; step <= KECCAK_RATE + 1; step += 9) {
            struct keccak k;
            keccak_init(&k);
            for (size_t at = 0; at < len; at += step)
                keccak_update(&k, data + at, min_u64(step, len - at));
            keccak_final(&k, pieces);
            assert_memory_equal(pieces, whole, 32);
        }
    }
}

static void digest_may_overlap_the_data(void **state)
{
    (void)state;
    u8 apart[32], buffer[200];
    memcpy(buffer, data, sizeof buffer);
    keccak_256(buffer, sizeof buffer, apart);
    keccak_256(buffer, sizeof buffer, buffer + 100);
    assert_memory_equal(buffer + 100, apart, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_known_answers),
        cmocka_unit_test(is_not_sha3),
        cmocka_unit_test(pieces_equal_the_whole),
        cmocka_unit_test(digest_may_overlap_the_data),
    };
    return cmocka_run_group_tests(tests, fill, NULL);
}
