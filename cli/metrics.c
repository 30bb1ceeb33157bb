/* metrics.c: eidosctl metrics: every number of every process, without HTTP. */
#include "procs/lib/metrics_text.h"

#include "cli/cli.h"

int cmd_metrics(int argc, char **argv)
{
    static struct segment s;
    static char text[METRICS_TEXT_BYTES];
    struct cli c;
    int result = cli_parse(&c, argc, argv);
    if (result) return result;
    if (cli_value(&c, "--reference")) {
        metrics_reference(stdout);
        return CLI_OK;
    }
    if ((result = cli_attach(&c, &s, ROLE_COUNT))) return result;
    if (metrics_text(&s, METRICS_ALL, cli_monotonic_ns(), text, sizeof text) < 0)
        return cli_fail(&c, CLI_FAILED, "the text is longer than %lu bytes", sizeof text);
    fputs(text, stdout);
    return CLI_OK;
}
