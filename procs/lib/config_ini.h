/* config_ini.h: INI text, with line numbers in every error.
 *
 * libinih splits lines; this adds what an operator misses there: the place of an error, and a
 * refusal of what inih reads in silence (lines too long, indented lines, NUL bytes).
 */
#ifndef EIDOS_PROCS_LIB_CONFIG_INI_H
#define EIDOS_PROCS_LIB_CONFIG_INI_H

#include "shm/base.h"

#define CONFIG_FILE_MAX (1UL << 20)

/* Called for each `key = value`, and with key NULL for each [section]. Returns 0, or -1 with
 * err_set; the first error ends the reading. Strings live until it returns. */
struct config_ini_reader {
    int (*entry)(void *context, u32 line, const char *section, const char *key, const char *value);
    void *context;
};

/* `name` is what errors call the text. 0, or -1 with "name:line: cause". */
int config_ini_parse(const char *name, const char *text, size_t len,
                     const struct config_ini_reader *reader);

/* The same from a file of at most CONFIG_FILE_MAX bytes. */
int config_ini_read(const char *path, const struct config_ini_reader *reader);

#endif
