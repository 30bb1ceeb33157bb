/* Hex in and out, and the checksum of addresses. */
#include "procs/lib/eth/eip712.h"
#include "procs/lib/eth/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/vectors/eip712.h"

static void reads_either_case(void **state)
{
    (void)state;
    u8 out[4];
    assert_true(hex_parse("0x00aBfF9d", 10, out, 4));
    assert_memory_equal(out, "\x00\xab\xff\x9d", 4);
    assert_true(hex_parse("0x", 2, out, 0));
}

static void takes_only_the_exact_form(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "",           "0",          "0x",         "0x00abff9",  "0x00abff9d0",   "0x00abff9d00",
        "00abff9d00", "0X00abff9d", " 0x0abff9d", "0x00abff9g", "0x00abff9/",    "0x00abff9:",
        "0x00abff9@", "0x00abff9`", "0x-1abff9d", "1x00abff9d", "0x00abff\0009",
    };
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        u8 out[4] = {1, 2, 3, 4};
        size_t len = i + 1 == COUNT_OF(BAD) ? 10 : strlen(BAD[i]);
        assert_false(hex_parse(BAD[i], len, out, 4));
        assert_memory_equal(out, "\x01\x02\x03\x04", 4);
    }
}

static void reads_back_what_it_writes(void **state)
{
    (void)state;
    u8 bytes[256], back[256];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (u8)i;
    char text[HEX_TEXT(256)];
    memset(text, '?', sizeof text);
    hex_format(bytes, sizeof bytes, text);
    assert_int_equal(strlen(text), sizeof text - 1);
    assert_memory_equal(text, "0x000102", 8);
    assert_string_equal(text + sizeof text - 9, "fcfdfeff");
    assert_true(hex_parse(text, strlen(text), back, sizeof back));
    assert_memory_equal(back, bytes, sizeof bytes);
}

static void writes_the_checksum_of_eip_55(void **state)
{
    (void)state;
    static const char *const KNOWN[] = {
        /* from EIP-55: all capitals, all small, normal */
        "0x52908400098527886E0F7030069857D2E4169EE7", "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
        "0xde709f2102306220921060314715629080e2fb77", "0x27b1fdb04752bbc536007a920d24acb045561c26",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    };
    u8 address[20];
    char text[HEX_ADDRESS_TEXT];
    for (size_t i = 0; i < COUNT_OF(KNOWN); i++) {
        assert_true(hex_parse(KNOWN[i], 42, address, 20));
        hex_format_address(address, text);
        assert_string_equal(text, KNOWN[i]);
    }
    for (size_t i = 0; i < COUNT_OF(KEY_VECTORS); i++) {
        hex_format_address(KEY_VECTORS[i].address, text);
        assert_string_equal(text, KEY_VECTORS[i].checksummed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_either_case),
        cmocka_unit_test(takes_only_the_exact_form),
        cmocka_unit_test(reads_back_what_it_writes),
        cmocka_unit_test(writes_the_checksum_of_eip_55),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
