#include "procs/lib/config_value.h"

#include "procs/lib/decimal.h"
#include "procs/lib/eth/hex.h"
#include "shm/err.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>

struct unit {
    const char *suffix;
    u64 scale;
};

/* Largest first: the first that divides a value gives its shortest text. */
static const struct unit SIZES[] = {{"G", 1UL << 30}, {"M", 1UL << 20}, {"K", 1UL << 10}, {"", 1}};
static const struct unit SPANS[] = {{"h", 3600000000000UL}, {"m", 60000000000UL},
                                    {"s", 1000000000UL},    {"ms", 1000000UL},
                                    {"us", 1000UL},         {"ns", 1UL}};

/* The units of a type and how many there are; NULL for plain numbers. */
static const struct unit *units_of(enum config_type type, size_t *count)
{
    *count = type == CONFIG_SPAN ? COUNT_OF(SPANS) : COUNT_OF(SIZES);
    if (type == CONFIG_SPAN) return SPANS;
    return type == CONFIG_BYTES || type == CONFIG_POW2 ? SIZES : NULL;
}

static bool parse_number(enum config_type type, const char *text, u64 *value)
{
    size_t digits = strspn(text, "0123456789"), count;
    const struct unit *unit = units_of(type, &count);
    u64 number;
    if (decimal_parse_u64(text, digits, &number) != DECIMAL_OK) return false;
    if (!unit) {
        *value = number;
        return text[digits] == '\0';
    }
    for (size_t i = 0; i < count; i++)
        if (strcmp(text + digits, unit[i].suffix) == 0)
            return !__builtin_mul_overflow(number, unit[i].scale, value);
    return false;
}

static size_t format_number(enum config_type type, u64 value, char *text, size_t room)
{
    size_t count, i = 0;
    const struct unit *unit = units_of(type, &count);
    if (!unit) return (size_t)snprintf(text, room, "%" PRIu64, value);
    while (i + 1 < count && (value == 0 || value % unit[i].scale)) i++;
    return (size_t)snprintf(text, room, "%" PRIu64 "%s", value / unit[i].scale, unit[i].suffix);
}

/* Position of text in "a|b|c", or -1. */
static int word_index(const char *words, const char *text)
{
    size_t len = strlen(text);
    for (int i = 0;; i++) {
        size_t n = strcspn(words, "|");
        if (n == len && memcmp(words, text, n) == 0) return i;
        if (words[n] == '\0') return -1;
        words += n + 1;
    }
}

static bool parse_core(const char **text, u32 *core)
{
    size_t digits = strspn(*text, "0123456789");
    u64 value;
    if (decimal_parse_u64(*text, digits, &value) != DECIMAL_OK || value > 1023) return false;
    *text += digits;
    *core = (u32)value;
    return true;
}

/* "2,3,6-9" in the order written. */
static bool parse_cores(const char *text, struct config_cores *cores)
{
    *cores = (struct config_cores){0};
    while (*text) {
        u32 first, last;
        if (!parse_core(&text, &first)) return false;
        last = first;
        if (*text == '-' && (text++, !parse_core(&text, &last))) return false;
        if (last < first || last - first >= CONFIG_CORES_MAX - cores->count) return false;
        for (u32 core = first; core <= last; core++) cores->core[cores->count++] = (u16)core;
        if (*text == ',' && text[1]) text++;
        else if (*text) return false;
    }
    return true;
}

static void format_cores(const struct config_cores *cores, char *text, size_t room)
{
    size_t n = 0;
    text[0] = '\0';
    for (u32 i = 0, j; i < cores->count; i = j) {
        for (j = i + 1; j < cores->count && cores->core[j] == cores->core[j - 1] + 1;) j++;
        const char *comma = i ? "," : "";
        if (j == i + 1) n += (size_t)snprintf(text + n, room - n, "%s%u", comma, cores->core[i]);
        else
            n += (size_t)snprintf(text + n, room - n, "%s%u-%u", comma, cores->core[i],
                                  cores->core[j - 1]);
        CHECK(n < room);
    }
}

static bool parse_text(enum config_type type, const char *text, struct config_text *out)
{
    u8 ip[16];
    size_t len = strlen(text);
    if (len >= sizeof out->s) return false;
    if (type == CONFIG_IP && inet_pton(AF_INET, text, ip) != 1 &&
        inet_pton(AF_INET6, text, ip) != 1)
        return false;
    if (type == CONFIG_PATH && text[0] != '/') return false;
    if (type == CONFIG_FILE && text[0] && text[0] != '/') return false;
    memset(out, 0, sizeof *out);
    memcpy(out->s, text, len);
    return true;
}

static bool parse_bounded(const struct config_key *key, const char *text, void *field)
{
    u64 value;
    if (!parse_number(key->type, text, &value) || value < key->least || value > key->most)
        return false;
    if (key->type == CONFIG_POW2 && !is_pow2(value)) return false;
    if (key->type == CONFIG_U16) *(u16 *)field = (u16)value;
    else if (key->type == CONFIG_U32) *(u32 *)field = (u32)value;
    else *(u64 *)field = value;
    return true;
}

static bool parse_word(const struct config_key *key, const char *text, void *field)
{
    int i = word_index(key->type == CONFIG_BOOL ? "off|on" : key->words, text);
    if (i < 0) return false;
    if (key->type == CONFIG_BOOL) *(bool *)field = i == 1;
    else *(unsigned *)field = (unsigned)i;
    return true;
}

static bool parse_field(const struct config_key *key, const char *text, void *field)
{
    struct config_cores cores;
    switch (key->type) {
    case CONFIG_BOOL:
    case CONFIG_WORDS: return parse_word(key, text, field);
    case CONFIG_IP:
    case CONFIG_PATH:
    case CONFIG_FILE:
    case CONFIG_LIST: return parse_text(key->type, text, field);
    case CONFIG_ADDRESS: return hex_parse(text, strlen(text), field, 20);
    case CONFIG_CORES:
        if (!parse_cores(text, &cores)) return false;
        *(struct config_cores *)field = cores;
        return true;
    default: return parse_bounded(key, text, field);
    }
}

int config_value_parse(const struct config_key *key, const char *text, struct config *config)
{
    char allowed[CONFIG_VALUE_TEXT];
    if (parse_field(key, text, (char *)config + key->offset)) return 0;
    config_value_allowed(key, allowed);
    return err_set("'%.200s' is not allowed; expected %s", text, allowed);
}

static u64 number_in(const struct config_key *key, const void *field)
{
    if (key->type == CONFIG_U16) return *(const u16 *)field;
    if (key->type == CONFIG_U32) return *(const u32 *)field;
    return *(const u64 *)field;
}

static void format_word(const char *words, unsigned i, char *text, size_t room)
{
    for (; i; i--) words += strcspn(words, "|") + 1;
    snprintf(text, room, "%.*s", (int)strcspn(words, "|"), words);
}

void config_value_format(const struct config_key *key, const struct config *config,
                         char text[CONFIG_VALUE_TEXT])
{
    const void *field = (const char *)config + key->offset;
    const struct config_address *address = field;
    switch (key->type) {
    case CONFIG_BOOL: format_word("off|on", *(const bool *)field, text, CONFIG_VALUE_TEXT); break;
    case CONFIG_WORDS:
        format_word(key->words, *(const unsigned *)field, text, CONFIG_VALUE_TEXT);
        break;
    case CONFIG_IP:
    case CONFIG_PATH:
    case CONFIG_FILE:
    case CONFIG_LIST:
        snprintf(text, CONFIG_VALUE_TEXT, "%s", ((const struct config_text *)field)->s);
        break;
    case CONFIG_ADDRESS: hex_format(address->bytes, sizeof address->bytes, text); break;
    case CONFIG_CORES: format_cores(field, text, CONFIG_VALUE_TEXT); break;
    default: format_number(key->type, number_in(key, field), text, CONFIG_VALUE_TEXT);
    }
}

void config_value_allowed(const struct config_key *key, char text[CONFIG_VALUE_TEXT])
{
    static const char *const KIND[] = {
        [CONFIG_U16] = "a whole number",
        [CONFIG_U32] = "a whole number",
        [CONFIG_U64] = "a whole number",
        [CONFIG_BYTES] = "a size such as 4096, 16K, 64M or 1G",
        [CONFIG_POW2] = "a power of two such as 64M or 1G",
        [CONFIG_SPAN] = "a time such as 250us, 10ms, 5s, 1m or 24h",
        [CONFIG_BOOL] = "on or off",
        [CONFIG_WORDS] = "one of ",
        [CONFIG_IP] = "an IPv4 or IPv6 address such as 127.0.0.1",
        [CONFIG_PATH] = "an absolute path of at most 199 characters",
        [CONFIG_FILE] = "nothing, or an absolute path of at most 199 characters",
        [CONFIG_LIST] = "words separated by commas, at most 199 characters",
        [CONFIG_ADDRESS] = "an address: 0x and 40 hex digits",
        [CONFIG_CORES] = "nothing, or core numbers below 1024 such as 2,3,6-9, at most 256 of them",
    };
    char least[64], most[64];
    if (key->words) {
        snprintf(text, CONFIG_VALUE_TEXT, "%s%s", KIND[key->type], key->words);
    } else if (key->most) {
        format_number(key->type, key->least, least, sizeof least);
        format_number(key->type, key->most, most, sizeof most);
        snprintf(text, CONFIG_VALUE_TEXT, "%s, from %s to %s", KIND[key->type], least, most);
    } else {
        snprintf(text, CONFIG_VALUE_TEXT, "%s", KIND[key->type]);
    }
}
