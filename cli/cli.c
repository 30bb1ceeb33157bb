#include "cli/cli.h"

#include <stdarg.h>
#include <string.h>

#include "procs/lib/decimal.h"
#include "shm/err.h"

#include "version.h"

const struct command *command_find(const char *name)
{
    for (const struct command *c = commands; c->name; c++)
        if (strcmp(c->name, name) == 0) return c;
    return NULL;
}

/* --- Reading -----------------------------------------------------------------------------------*/

int cli_fail(const struct cli *c, int code, const char *fmt, ...)
{
    va_list args;
    fflush(stdout);
    fprintf(stderr, "eidosctl %s: ", c->command->name);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    return code;
}

static int usage(const struct cli *c)
{
    fprintf(stderr, "usage: eidosctl %s%s%s [options]; eidosctl %s --help tells more\n",
            c->command->name, *c->command->args ? " " : "", c->command->args, c->command->name);
    return CLI_USAGE;
}

/* The row of option `arg`, which may go on with "=value"; -1 if there is none. */
static int option_row(const struct command *command, const char *arg)
{
    size_t length = strcspn(arg, "=");
    for (int i = 0; i < CLI_OPTIONS_MAX && command->options[i].name; i++) {
        const char *name = command->options[i].name;
        if (strlen(name) == length && memcmp(name, arg, length) == 0) return i;
    }
    return -1;
}

/* Take the option argv[*i], and its value from behind '=' or from the next argument. */
static int take_option(struct cli *c, int argc, char **argv, int *i)
{
    int row = option_row(c->command, argv[*i]);
    if (row < 0) {
        cli_fail(c, CLI_USAGE, "there is no option %s", argv[*i]);
        return usage(c);
    }
    const struct cli_option *option = &c->command->options[row];
    char *behind = strchr(argv[*i], '=');
    if (!option->value) {
        c->value[row] = option->name;
        if (!behind) return CLI_OK;
        return cli_fail(c, CLI_USAGE, "%s takes no value", option->name);
    }
    bool alone = !behind && (*i + 1 >= argc || argv[*i + 1][0] == '-');
    if (alone && option->value[0] == '[') {
        c->value[row] = "";
        return CLI_OK;
    }
    if (!behind && ++*i >= argc)
        return cli_fail(c, CLI_USAGE, "%s needs a value: %s %s", option->name, option->name,
                        option->value);
    c->value[row] = behind ? behind + 1 : argv[*i];
    return CLI_OK;
}

int cli_parse(struct cli *c, int argc, char **argv)
{
    *c = (struct cli){.command = command_find(argv[0])};
    CHECK(c->command);
    bool words_only = false;
    if (config_args(&argc, argv, &c->source)) return cli_fail(c, CLI_USAGE, "%s", err_text());
    for (int i = 1; i < argc; i++) {
        if (!words_only && strcmp(argv[i], "--") == 0) {
            words_only = true;
        } else if (!words_only && argv[i][0] == '-' && argv[i][1]) {
            int result = take_option(c, argc, argv, &i);
            if (result) return result;
        } else if (c->args == c->command->args_most) {
            cli_fail(c, CLI_USAGE, "`%s` is one argument too many", argv[i]);
            return usage(c);
        } else {
            c->arg[c->args++] = argv[i];
        }
    }
    if (c->args >= c->command->args_least) return CLI_OK;
    cli_fail(c, CLI_USAGE, "an argument is missing: %s", c->command->args);
    return usage(c);
}

const char *cli_value(const struct cli *c, const char *option)
{
    int row = option_row(c->command, option);
    CHECK(row >= 0);
    return c->value[row];
}

bool cli_number(const struct cli *c, const char *option, u64 least, u64 most, u64 otherwise,
                u64 *value)
{
    const char *text = cli_value(c, option);
    *value = otherwise;
    if (!text) return true;
    if (decimal_parse_u64(text, strlen(text), value) == DECIMAL_OK && *value >= least &&
        *value <= most)
        return true;
    cli_fail(c, CLI_USAGE, "%s %s: expected a whole number from %lu to %lu", option, text, least,
             most);
    return false;
}

/* --- Help --------------------------------------------------------------------------------------*/

void cli_help(const struct command *command, FILE *out)
{
    fprintf(out, "eidosctl %s%s%s: %s\n", command->name, *command->args ? " " : "", command->args,
            command->brief);
    if (command->more) fprintf(out, "\n%s\n", command->more);
    fprintf(out, "\nOptions\n");
    for (int i = 0; i < CLI_OPTIONS_MAX && command->options[i].name; i++) {
        const struct cli_option *o = &command->options[i];
        fprintf(out, "  %s%s%-*s %s\n", o->name, o->value ? " " : "",
                24 - (int)strlen(o->name) - (o->value ? 1 : 0), o->value ? o->value : "", o->help);
    }
    fprintf(out, "  %-24s %s\n  %-24s %s\n", "--dir DIR", "the instance; else EIDOS_DIR, else var/",
            "--set section.key=value", "change one option of the configuration");
    fprintf(out, "\nExample\n  %s\n", command->example);
    fprintf(out, "\nExit codes: 0 done; 1 failed; 2 wrong usage or configuration; 3 not running; "
                 "4 already running\n");
}

/* --- Output ------------------------------------------------------------------------------------*/

#define JSON_ROOM (1UL << 20)

void cli_json_begin(struct json_out *out)
{
    char *memory = malloc(JSON_ROOM);
    CHECK(memory);
    json_out_init(out, memory, JSON_ROOM);
}

void cli_json_end(struct json_out *out)
{
    CHECK(!out->full);
    fwrite(out->at, 1, out->len, stdout);
    putchar('\n');
    free(out->at);
}

/* Texts that live until eight more were made. */
static char *next_text(void)
{
    static char texts[8][DECIMAL_TEXT];
    static u32 next;
    return texts[next++ % 8];
}

const char *cli_decimal(u128 value, unsigned scale)
{
    char *text = next_text();
    decimal_format(value, scale, text);
    return text;
}

const char *cli_bytes(u64 bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    u32 unit = 0;
    char *text = next_text();
    u64 tenths = bytes * 10;
    while (tenths >= 10240 && unit + 1 < COUNT_OF(units)) {
        tenths /= 1024;
        unit++;
    }
    if (tenths % 10 && tenths < 1000)
        snprintf(text, DECIMAL_TEXT, "%lu.%lu %s", tenths / 10, tenths % 10, units[unit]);
    else snprintf(text, DECIMAL_TEXT, "%lu %s", tenths / 10, units[unit]);
    return text;
}

const char *cli_span(u64 seconds)
{
    char *text = next_text();
    u64 days = seconds / 86400;
    int n = days ? snprintf(text, DECIMAL_TEXT, "%lu d ", days) : 0;
    snprintf(text + n, DECIMAL_TEXT - (size_t)n, "%02lu:%02lu:%02lu", seconds / 3600 % 24,
             seconds / 60 % 60, seconds % 60);
    return text;
}

const char *cli_build(void)
{
    return EIDOS_VERSION " (" EIDOS_COMMIT ")";
}
