#include "procs/lib/config.h"

#include "procs/lib/config_ini.h"
#include "procs/lib/config_value.h"
#include "shm/err.h"

#include <ctype.h>
#include <string.h>
#include <unistd.h>

#define KIB    1024UL
#define MIB    (1024 * KIB)
#define GIB    (1024 * MIB)
#define MS     1000000UL
#define SECOND (1000 * MS)
#define HOUR   (3600 * SECOND)

/* Rows of the table. The type follows from the field: a macro on another type does not compile. */
#define FIELD(s, f) (((struct config *)0)->s.f)
#define ROW(s, k, f, ...) \
    .section = #s, .key = #k, .offset = offsetof(struct config, s.f), \
    .type = _Generic(FIELD(s, f), __VA_ARGS__)

// clang-format off
#define COUNT(s, k, f, lo, hi) \
    {ROW(s, k, f, u64: CONFIG_U64, u32: CONFIG_U32, u16: CONFIG_U16), .least = (lo), .most = (hi)},
#define BYTES(s, k, f, lo, hi) {ROW(s, k, f, u64: CONFIG_BYTES), .least = (lo), .most = (hi)},
#define POW2(s, k, f, lo, hi)  {ROW(s, k, f, u64: CONFIG_POW2), .least = (lo), .most = (hi)},
#define SPAN(s, k, f, lo, hi)  {ROW(s, k, f, u64: CONFIG_SPAN), .least = (lo), .most = (hi)},
#define ONOFF(s, k, f)         {ROW(s, k, f, bool: CONFIG_BOOL)},
#define WORDS(s, k, f, w)      {ROW(s, k, f, unsigned: CONFIG_WORDS), .words = (w)},
#define IP(s, k, f)            {ROW(s, k, f, struct config_text: CONFIG_IP)},
#define PATH(s, k, f)          {ROW(s, k, f, struct config_text: CONFIG_PATH)},
#define FILENAME(s, k, f)      {ROW(s, k, f, struct config_text: CONFIG_FILE)},
#define LIST(s, k, f)          {ROW(s, k, f, struct config_text: CONFIG_LIST)},
#define ADDRESS(s, k, f)       {ROW(s, k, f, struct config_address: CONFIG_ADDRESS)},
#define CORES(s, k, f)         {ROW(s, k, f, struct config_cores: CONFIG_CORES)},
// clang-format on

static const struct config_key KEYS[] = {
#include "procs/lib/config_keys.h"
};
_Static_assert(COUNT_OF(KEYS) <= CONFIG_KEYS_MAX, "raise CONFIG_KEYS_MAX");

#define NAME_MAX_LEN 128 /* of "section.key" as somebody may write it */

/* --- Names --- */

static void name_of(const struct config_key *key, char name[NAME_MAX_LEN])
{
    snprintf(name, NAME_MAX_LEN, "%s.%s", key->section, key->key);
}

/* "api.port" -> "EIDOS_API_PORT" */
static void env_name_of(const struct config_key *key, char name[NAME_MAX_LEN])
{
    snprintf(name, NAME_MAX_LEN, "EIDOS_%s_%s", key->section, key->key);
    for (char *c = name; *c; c++) *c = (char)toupper((unsigned char)*c);
}

bool config_key_name(u32 i, char *name)
{
    if (i >= COUNT_OF(KEYS)) return false;
    name_of(&KEYS[i], name);
    return true;
}

/* Edits that turn a into b (Levenshtein); names longer than the limit count as far away. */
static u32 distance(const char *a, const char *b)
{
    u32 row[NAME_MAX_LEN + 1];
    u32 len = (u32)strlen(b);
    if (len > NAME_MAX_LEN || strlen(a) > NAME_MAX_LEN) return UINT32_MAX;
    for (u32 j = 0; j <= len; j++) row[j] = j;
    for (u32 i = 0; a[i]; i++) {
        u32 diagonal = row[0];
        row[0] = i + 1;
        for (u32 j = 1; j <= len; j++) {
            u32 change = diagonal + (a[i] != b[j - 1]);
            diagonal = row[j];
            row[j] = (u32)min_u64(change, min_u64(row[j], row[j - 1]) + 1);
        }
    }
    return row[len];
}

/* The row whose name, as `name_as` writes it, is the given one; or -1 with the nearest in the
 * error. */
static int find(const char *name, void (*name_as)(const struct config_key *, char *))
{
    char known[NAME_MAX_LEN], nearest[NAME_MAX_LEN] = "";
    u32 best = UINT32_MAX;
    for (u32 i = 0; i < COUNT_OF(KEYS); i++) {
        name_as(&KEYS[i], known);
        if (strcmp(name, known) == 0) return (int)i;
    }
    for (u32 i = 0; i < COUNT_OF(KEYS); i++) {
        name_as(&KEYS[i], known);
        u32 d = distance(name, known);
        if (d < best) memcpy(nearest, known, sizeof nearest);
        best = (u32)min_u64(best, d);
    }
    if (!*nearest) return err_set("there is no option of that name; it is too long");
    return err_set("%s: there is no such option; did you mean %s?", name, nearest);
}

static bool is_section(const char *name)
{
    for (u32 i = 0; i < COUNT_OF(KEYS); i++)
        if (strcmp(KEYS[i].section, name) == 0) return true;
    return false;
}

/* --- Sources --- */

/* One text being read; line_of finds keys that are set twice. */
struct reading {
    struct config *config;
    enum config_origin origin;
    u32 line_of[COUNT_OF(KEYS)];
};

static int set_key(struct config *config, u32 i, const char *value, enum config_origin origin)
{
    if (config_value_parse(&KEYS[i], value, config))
        return err_wrap("%s.%s", KEYS[i].section, KEYS[i].key);
    config->origin[i] = (u8)origin;
    return 0;
}

static int section_entry(const char *section)
{
    char text[CONFIG_VALUE_TEXT];
    size_t n = 0;
    if (is_section(section)) return 0;
    for (u32 i = 0; i < COUNT_OF(KEYS); i++)
        if (i == 0 || strcmp(KEYS[i].section, KEYS[i - 1].section) != 0)
            n += (size_t)snprintf(text + n, sizeof text - n, " %s", KEYS[i].section);
    return err_set("[%s]: there is no such section; there are:%s", section, text);
}

static int file_entry(void *context, u32 line, const char *section, const char *key,
                      const char *value)
{
    struct reading *r = context;
    char name[NAME_MAX_LEN + 128];
    if (!key) return section_entry(section);
    if (!*section) return err_set("%s stands before the first [section]", key);
    snprintf(name, sizeof name, "%s.%s", section, key);
    int i = find(name, name_of);
    if (i < 0) return -1;
    if (r->line_of[i]) return err_set("%s is set twice; first in line %u", name, r->line_of[i]);
    r->line_of[i] = line;
    return set_key(r->config, (u32)i, value, r->origin);
}

static void load_defaults(struct config *config)
{
    struct reading r = {.config = config, .origin = FROM_DEFAULT};
    const struct config_ini_reader reader = {file_entry, &r};
    if (config_ini_parse("conf/eidos.ini", config_default_text, strlen(config_default_text),
                         &reader))
        check_failed(err_text(), __FILE__, __LINE__);
    for (u32 i = 0; i < COUNT_OF(KEYS); i++) {
        if (r.line_of[i] == 0)
            fprintf(stderr, "conf/eidos.ini lacks %s.%s\n", KEYS[i].section, KEYS[i].key);
        CHECK(r.line_of[i]);
    }
}

static int load_file(struct config *config, const struct config_source *source)
{
    char path[CONFIG_TEXT_MAX + 16];
    struct reading r = {.config = config, .origin = FROM_FILE};
    const struct config_ini_reader reader = {file_entry, &r};
    if (source->file) return config_ini_read(source->file, &reader);
    snprintf(path, sizeof path, "%s/eidos.ini", source->dir.s);
    return access(path, F_OK) == 0 ? config_ini_read(path, &reader) : 0;
}

/* Whether EIDOS_XXX belongs to a section of ours, and must then be a key. Others are not ours. */
static bool env_is_ours(const char *name)
{
    for (u32 i = 0; i < COUNT_OF(KEYS); i++) {
        char prefix[NAME_MAX_LEN];
        env_name_of(&KEYS[i], prefix);
        size_t len = strlen("EIDOS_") + strlen(KEYS[i].section) + 1;
        if (strncmp(name, prefix, len) == 0) return true;
    }
    return false;
}

static int load_env_entry(struct config *config, const char *entry)
{
    char name[NAME_MAX_LEN];
    size_t len = strcspn(entry, "=");
    if (entry[len] != '=' || strncmp(entry, "EIDOS_", 6) != 0 || !env_is_ours(entry)) return 0;
    snprintf(name, sizeof name, "%.*s", (int)min_u64(len, sizeof name), entry);
    int i = find(name, env_name_of);
    if (i < 0) return err_wrap("environment");
    if (set_key(config, (u32)i, entry + len + 1, FROM_ENVIRONMENT))
        return err_wrap("environment: %s", name);
    return 0;
}

static int load_set(struct config *config, const char *set)
{
    char name[NAME_MAX_LEN];
    size_t len = strcspn(set, "=");
    if (strncmp(set, "market.", 7) == 0 || strncmp(set, "token.", 6) == 0)
        return 0; /* belongs to config_markets_load */
    if (set[len] != '=') return err_set("--set %s: expected section.key=value", set);
    snprintf(name, sizeof name, "%.*s", (int)min_u64(len, sizeof name), set);
    int i = find(name, name_of);
    if (i < 0 || set_key(config, (u32)i, set + len + 1, FROM_COMMAND_LINE))
        return err_wrap("--set");
    return 0;
}

/* What one key alone can not tell. */
static int check_together(const struct config *c)
{
    if (c->api.port && c->api.port == c->ops.port)
        return err_set("api.port and ops.port are both %u; set one elsewhere", c->api.port);
    if (!c->api.tls_certificate.s[0] != !c->api.tls_key.s[0])
        return err_set("api.tls_certificate and api.tls_key: one is set, both are needed");
    if (c->journal.batch_bytes_max > c->journal.segment_bytes)
        return err_set("journal.batch_bytes_max is larger than journal.segment_bytes");
    return 0;
}

int config_load(struct config *config, const struct config_source *source)
{
    memset(config, 0, sizeof *config);
    load_defaults(config);
    config->dir = source->dir;
    if (load_file(config, source)) return err_wrap("configuration");
    for (char **entry = source->env; entry && *entry; entry++)
        if (load_env_entry(config, *entry)) return err_wrap("configuration");
    for (u32 i = 0; i < source->sets; i++)
        if (load_set(config, source->set[i])) return err_wrap("configuration");
    if (check_together(config)) return err_wrap("configuration");
    return 0;
}

/* --- For people --- */

void config_print(const struct config *config, FILE *out)
{
    static const char *const FROM[] = {"", "  ; file", "  ; environment", "  ; command line"};
    for (u32 i = 0; i < COUNT_OF(KEYS); i++) {
        char value[CONFIG_VALUE_TEXT];
        if (i == 0 || strcmp(KEYS[i].section, KEYS[i - 1].section) != 0)
            fprintf(out, "%s[%s]\n", i ? "\n" : "", KEYS[i].section);
        config_value_format(&KEYS[i], config, value);
        fprintf(out, "%s = %s%s\n", KEYS[i].key, value, FROM[config->origin[i]]);
    }
}

static const char *line_end(const char *line)
{
    return line + strcspn(line, "\n");
}

/* Print the comment paragraph above `key` in the reference: from the last empty line to the key,
 * other keys of the same paragraph left out. */
static void print_comment(const struct config_key *key, FILE *out)
{
    char section[NAME_MAX_LEN];
    int n = snprintf(section, sizeof section, "\n[%s]\n", key->section);
    const char *line = strstr(config_default_text, section) + n;
    const char *paragraph = line;
    size_t len = strlen(key->key);
    while (strncmp(line, key->key, len) != 0 || strncmp(line + len, " =", 2) != 0) {
        const char *end = line_end(line);
        line = end + 1;
        if (*line == '\n') paragraph = line + 1;
    }
    for (const char *at = paragraph; at < line; at = line_end(at) + 1)
        if (*at == '#') fprintf(out, "    %.*s\n", (int)(line_end(at) - at - 2), at + 2);
}

int config_describe(const char *name, FILE *out)
{
    struct config defaults = {0};
    char value[CONFIG_VALUE_TEXT], allowed[CONFIG_VALUE_TEXT], env[NAME_MAX_LEN];
    int i = find(name, name_of);
    if (i < 0) return -1;
    load_defaults(&defaults);
    config_value_format(&KEYS[i], &defaults, value);
    config_value_allowed(&KEYS[i], allowed);
    env_name_of(&KEYS[i], env);
    fprintf(out, "%s\n", name);
    print_comment(&KEYS[i], out);
    fprintf(out, "allowed: %s\ndefault: %s\n", allowed, *value ? value : "(empty)");
    fprintf(out, "set by:  --set %s=%s, %s=%s, or in eidos.ini: [%s] %s = %s\n", name, value, env,
            value, KEYS[i].section, KEYS[i].key, value);
    return 0;
}
