/* fuzz_config.c: configuration files as an operator, or a disk, may mangle them.
 *
 * First byte: 'e' the rest is an eidos.ini, 'm' a markets.ini, 's' one --set. What loads must print
 * to a file that loads to the same values; what does not must say why.
 */
#include "procs/lib/config_markets.h"
#include "shm/err.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/* A file in memory with this content; `path` names it. Returns its descriptor. */
static int memory_file(const void *data, size_t size, char path[64])
{
    int fd = memfd_create("eidos.ini", MFD_CLOEXEC);
    CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

/* The configuration as text; to be freed. */
static char *print(const struct config *config, size_t *size)
{
    char *text;
    FILE *out = open_memstream(&text, size);
    CHECK(out);
    config_print(config, out);
    fclose(out);
    return text;
}

static void check_round_trip(const struct config *config)
{
    static struct config again;
    struct config_source source = {.dir = config->dir};
    char path[64];
    size_t size;
    char *text = print(config, &size);
    int fd = memory_file(text, size, path);
    source.file = path;
    CHECK(config_load(&again, &source) == 0);
    memcpy(again.origin, config->origin, sizeof again.origin);
    char *same = print(&again, &size);
    CHECK(strcmp(same, text) == 0);
    close(fd);
    free(text);
    free(same);
}

static void check_markets(const struct markets_conf *m)
{
    CHECK(m->markets && m->markets <= CONFIG_SYMBOLS_MAX && m->tokens <= CONFIG_SYMBOLS_MAX);
    for (u32 i = 0; i < m->markets; i++) {
        const struct market_conf *k = &m->market[i];
        u128 quote = (u128)k->price_max * k->lots_max * k->tick_lot;
        CHECK(k->base < m->tokens && k->quote < m->tokens && k->base != k->quote);
        CHECK(k->tick_lot && k->lot_units && k->lots_min && k->lots_min <= k->lots_max);
        CHECK(k->maker_rate <= RATE_ONE && k->taker_rate <= RATE_ONE);
        CHECK(quote + quote * max_u64(k->maker_rate, k->taker_rate) / RATE_ONE <= INT64_MAX);
    }
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    static struct config config;
    static struct markets_conf markets;
    struct config_source source = {.dir = {"/nowhere"}};
    char path[64], set[256];
    if (size == 0) return 0;
    int fd = memory_file(data + 1, size - 1, path);
    if (data[0] == 's') {
        snprintf(set, sizeof set, "%.*s", (int)min_u64(size - 1, 255), (const char *)data + 1);
        source.set[source.sets++] = set;
    } else if (data[0] == 'm') {
        source.markets_file = path;
    } else {
        source.file = path;
    }
    if (config_load(&config, &source) == 0) check_round_trip(&config);
    else CHECK(*err_text());
    if (config_markets_load(&markets, &source, 2) == 0) check_markets(&markets);
    else CHECK(*err_text());
    close(fd);
    return 0;
}
