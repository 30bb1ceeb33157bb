#include "procs/lib/config_ini.h"

#include "shm/err.h"

#include <ini.h>
#include <string.h>

struct parse {
    const char *at, *end;
    u32 line; /* number of the line inih holds, from 1 */
    bool failed;
    const struct config_ini_reader *reader;
};

static void fail(struct parse *p, const char *cause)
{
    err_set("%s", cause);
    p->failed = true;
}

/* "[name] ..." tells the reader that a section begins, even if it stays empty. */
static void section_begins(struct parse *p, const char *line)
{
    char name[64];
    size_t len = strcspn(line + 1, "]");
    if (line[1 + len] != ']') return; /* inih reports it */
    if (len == 0 || len >= 50) {      /* inih would cut it */
        fail(p, "a section name has 1 to 49 characters");
        return;
    }
    memcpy(name, line + 1, len);
    name[len] = '\0';
    if (p->reader->entry(p->reader->context, p->line, name, NULL, NULL)) p->failed = true;
}

/* fgets for inih: one line into out[room]; NULL at the end or after an error. */
static char *next_line(char *out, int room, void *stream)
{
    struct parse *p = stream;
    if (p->failed || p->at == p->end) return NULL;
    p->line++;
    const char *newline = memchr(p->at, '\n', (size_t)(p->end - p->at));
    size_t len = (size_t)((newline ? newline + 1 : p->end) - p->at);
    if (len >= (size_t)room) {
        fail(p, "the line is too long; the limit is 198 characters");
        return NULL;
    }
    memcpy(out, p->at, len);
    out[len] = '\0';
    p->at += len;
    size_t blanks = strspn(out, " \t\r\n\v\f");
    if (strlen(out) != len) fail(p, "the line holds a NUL byte; is this a text file?");
    else if (blanks && out[blanks] && !strchr("#;", out[blanks]))
        fail(p, "the line is indented; sections and keys begin in the first column");
    else if (out[0] == '[') section_begins(p, out);
    return p->failed ? NULL : out;
}

static int entry(void *context, const char *section, const char *key, const char *value)
{
    struct parse *p = context;
    if (p->failed) return 0;
    if (p->reader->entry(p->reader->context, p->line, section, key, value)) p->failed = true;
    return !p->failed;
}

/* inih hands one pointer to the line reader and one to the handler; they are the same here. */
int config_ini_parse(const char *name, const char *text, size_t len,
                     const struct config_ini_reader *reader)
{
    struct parse p = {.at = text, .end = text + len, .reader = reader};
    int bad_line = ini_parse_stream(next_line, &p, entry, &p);
    if (p.failed) return err_wrap("%s:%u", name, p.line);
    if (bad_line < 0) return err_set("%s: out of memory", name);
    if (bad_line > 0)
        return err_set("%s:%d: neither [section] nor key = value nor # comment", name, bad_line);
    return 0;
}

int config_ini_read(const char *path, const struct config_ini_reader *reader)
{
    FILE *f = fopen(path, "re");
    if (!f) return err_sys("%s", path);
    char *text = malloc(CONFIG_FILE_MAX + 1);
    CHECK(text);
    size_t len = fread(text, 1, CONFIG_FILE_MAX + 1, f);
    int result;
    if (ferror(f)) result = err_sys("%s", path);
    else if (len > CONFIG_FILE_MAX)
        result = err_set("%s: larger than 1 MiB; is this a configuration file?", path);
    else result = config_ini_parse(path, text, len, reader);
    fclose(f);
    free(text);
    return result;
}
