/* config_value.h: the types an option can have: text <-> field of struct config. */
#ifndef EIDOS_PROCS_LIB_CONFIG_VALUE_H
#define EIDOS_PROCS_LIB_CONFIG_VALUE_H

#include "procs/lib/config.h"

enum config_type {
    CONFIG_U16,
    CONFIG_U32,
    CONFIG_U64,
    CONFIG_BYTES,   /* u64: 4096, 16K, 64M, 1G */
    CONFIG_POW2,    /* the same, a power of two */
    CONFIG_SPAN,    /* u64 nanoseconds: 250us, 10ms, 5s, 1m, 24h */
    CONFIG_BOOL,    /* bool: on, off */
    CONFIG_WORDS,   /* enum: one of `words`, by position */
    CONFIG_IP,      /* struct config_text: IPv4 or IPv6 address */
    CONFIG_PATH,    /* struct config_text: absolute path */
    CONFIG_FILE,    /* struct config_text: absolute path, or nothing */
    CONFIG_LIST,    /* struct config_text: words separated by commas, or nothing */
    CONFIG_ADDRESS, /* struct config_address: 0x and 40 hex digits */
    CONFIG_CORES,   /* struct config_cores: "" or 2,3,6-9 */
};

struct config_key {
    const char *section, *key;
    enum config_type type;
    u32 offset;        /* of the field in struct config */
    u64 least, most;   /* of numbers, in the unit of the field */
    const char *words; /* "dev|test|prod" */
};

#define CONFIG_VALUE_TEXT 2048 /* room for any value or range as text */

/* Read `text` into the key's field. -1, and the field untouched, with "<text>: what is allowed". */
int config_value_parse(const struct config_key *key, const char *text, struct config *config);

/* The shortest text that reads back the same. */
void config_value_format(const struct config_key *key, const struct config *config,
                         char text[CONFIG_VALUE_TEXT]);

/* What is allowed, as words: "a whole number from 0 to 65535". */
void config_value_allowed(const struct config_key *key, char text[CONFIG_VALUE_TEXT]);

#endif
