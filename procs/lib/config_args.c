#include "procs/lib/config.h"

#include "shm/err.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#define INSTALLED_DIR "/var/lib/eidos"

/* One option of the command line that this module takes. */
struct option {
    const char *name;
    int (*take)(struct config_source *source, const char *value);
};

/* Made absolute: it names the instance, whoever runs where. */
static int set_dir(struct config_source *source, const char *dir)
{
    char here[PATH_MAX] = "";
    if (*dir == '\0') return err_set("--dir: the directory has no name");
    if (dir[0] != '/' && !getcwd(here, sizeof here)) return err_sys("--dir %s", dir);
    int n = snprintf(source->dir.s, sizeof source->dir.s, "%s%s%s", here, *here ? "/" : "", dir);
    if (n >= (int)sizeof source->dir.s)
        return err_set("--dir %s: the absolute path is longer than %zu characters", dir,
                       sizeof source->dir.s - 1);
    return 0;
}

static int set_file(struct config_source *source, const char *path)
{
    source->file = path;
    return 0;
}

static int set_markets(struct config_source *source, const char *path)
{
    source->markets_file = path;
    return 0;
}

static int add_set(struct config_source *source, const char *set)
{
    if (source->sets == CONFIG_SETS_MAX)
        return err_set("--set: more than %d on one command line; write a file", CONFIG_SETS_MAX);
    source->set[source->sets++] = set;
    return 0;
}

static const struct option OPTIONS[] = {
    {"--dir", set_dir},
    {"--config", set_file},
    {"--markets", set_markets},
    {"--set", add_set},
};

/* Without --dir: EIDOS_DIR, else var/ of the tree that <tree>/BUILD/bin/<program> lies in, else the
 * installed place. */
static int default_dir(struct config_source *source)
{
    char path[PATH_MAX + 32];
    const char *env = getenv("EIDOS_DIR");
    if (env && *env) return set_dir(source, env);
    ssize_t n = readlink("/proc/self/exe", path, PATH_MAX);
    for (int up = 0; n > 0 && up < 3; up++) {
        while (n > 0 && path[--n] != '/') continue;
        path[n] = '\0';
    }
    if (n <= 0) return set_dir(source, INSTALLED_DIR);
    snprintf(path + n, sizeof path - (size_t)n, "/conf/eidos.ini");
    if (access(path, R_OK)) return set_dir(source, INSTALLED_DIR);
    snprintf(path + n, sizeof path - (size_t)n, "/var");
    return set_dir(source, path);
}

/* The option argv[i] is, and its value: behind '=' or in the next argument. NULL if not ours. */
static const struct option *match(const char *arg, const char *next, const char **value)
{
    for (size_t k = 0; k < COUNT_OF(OPTIONS); k++) {
        size_t len = strlen(OPTIONS[k].name);
        if (strncmp(arg, OPTIONS[k].name, len) != 0 || (arg[len] && arg[len] != '=')) continue;
        *value = arg[len] ? arg + len + 1 : next;
        return &OPTIONS[k];
    }
    return NULL;
}

int config_args(int *argc, char **argv, struct config_source *source)
{
    int kept = *argc > 0, i = kept;
    *source = (struct config_source){.env = environ};
    for (; i < *argc && strcmp(argv[i], "--") != 0; i++) {
        const char *value;
        const struct option *option = match(argv[i], argv[i + 1], &value);
        if (!option) {
            argv[kept++] = argv[i];
            continue;
        }
        if (!value) return err_set("%s needs a value", option->name);
        if (value == argv[i + 1]) i++;
        if (option->take(source, value)) return -1;
    }
    while (i < *argc) argv[kept++] = argv[i++];
    argv[kept] = NULL;
    *argc = kept;
    return *source->dir.s ? 0 : default_dir(source);
}

u32 config_pass(const struct config_source *source, const char **argv, u32 room)
{
    u32 n = 0;
    CHECK(room >= 6 + 2 * source->sets);
    argv[n++] = "--dir";
    argv[n++] = source->dir.s;
    if (source->file) {
        argv[n++] = "--config";
        argv[n++] = source->file;
    }
    if (source->markets_file) {
        argv[n++] = "--markets";
        argv[n++] = source->markets_file;
    }
    for (u32 i = 0; i < source->sets; i++) {
        argv[n++] = "--set";
        argv[n++] = source->set[i];
    }
    return n;
}
