/* verify_fixture.h: one verifier over rules of the test's own, and wallets whose keys are known.
 * The test's group set-up fills `rules` after verify_group; each of its tests then gets a fresh
 * `verify`. Included by one file of a test program. */
#ifndef EIDOS_TESTS_LIB_VERIFY_FIXTURE_H
#define EIDOS_TESTS_LIB_VERIFY_FIXTURE_H

#include "procs/lib/eth/secp.h"
#include "procs/verify/verify.h"
#include "tests/unit/vectors/eip712.h"

#define NOW_MS 1767225600000UL
#define NOW    (NOW_MS * 1000000)
#define WAD    1000000000000000000UL
#define API    3

static const struct verify_params PARAMS = {
    .chain_id = 31337,
    .workers = 1,
    .guard_slots = 64,
    .start_ms = NOW_MS - 3600000,
    .salt = 12345,
};

static struct rules rules;
static struct verify verify;
static struct secp_signer signers[COUNT_OF(KEY_VECTORS)];

/* Wallets, and no rules yet. */
static int verify_group(void)
{
    if (secp_init()) return -1;
    for (size_t i = 0; i < COUNT_OF(KEY_VECTORS); i++)
        if (secp_signer_of_key(KEY_VECTORS[i].key, &signers[i])) return -1;
    rules_new(&rules);
    return 0;
}

static int start(void **state)
{
    (void)state;
    if (verify_init(&verify, &PARAMS)) return -1;
    verify_learn(&verify, &rules);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    verify_fini(&verify);
    return 0;
}

/* The code of the verdict; 0: it passes. */
static u16 judge(void *message)
{
    struct msg *m = message;
    assert_int_equal(verify_shape(m, m->length, API), 0);
    return verify_message(&verify, m, NOW).code;
}

#endif
