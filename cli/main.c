/* eidosctl: everything an operator does to an exchange, by hand or from a script.
 *
 * The table below is the table of contents: each command, what it takes and what it is for. Help,
 * completion and the reading of command lines come from it.
 */
#include <string.h>

#include "cli/cli.h"
#include "shm/err.h"

int cmd_up(int argc, char **argv);
int cmd_down(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_ps(int argc, char **argv);
int cmd_ready(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_metrics(int argc, char **argv);
int cmd_trace(int argc, char **argv);
int cmd_configure(int argc, char **argv);
int cmd_shm(int argc, char **argv);
int cmd_book(int argc, char **argv);
int cmd_account(int argc, char **argv);
int cmd_order(int argc, char **argv);
int cmd_credit(int argc, char **argv);
int cmd_deposit(int argc, char **argv);
int cmd_withdrawal(int argc, char **argv);
int cmd_mode(int argc, char **argv);
int cmd_log(int argc, char **argv);
int cmd_demo(int argc, char **argv);
int cmd_load(int argc, char **argv);
int cmd_journal(int argc, char **argv);
int cmd_snapshot(int argc, char **argv);
int cmd_state(int argc, char **argv);
int cmd_recovery(int argc, char **argv);
int cmd_drill(int argc, char **argv);
static int cmd_version(int argc, char **argv);
static int cmd_help(int argc, char **argv);
static int cmd_completion(int argc, char **argv);

#define JSON \
    { \
        "--json", NULL, "for programs" \
    }

const struct command commands[] = {
    {.name = "up",
     .run = cmd_up,
     .args = "",
     .brief = "start the exchange and keep it running",
     .more = "Recovers from disk, makes the shared memory, starts the processes layer by layer,\n"
             "restarts what dies, and stops all in reverse order at Ctrl-C or SIGTERM. Processes\n"
             "write to this terminal, or with --detach to DIR/log/. Exit code 4: one is running\n"
             "in that directory already.",
     .options = {{"--dev", NULL, "for development: print a funded wallet when ready"},
                 {"--detach", NULL, "go to the background once ready"}},
     .example = "eidosctl up --dev --set api.port=9000"},
    {.name = "down",
     .run = cmd_down,
     .args = "",
     .brief = "stop the exchange and wait until it has stopped",
     .options = {{"--wait", "SECONDS", "at most (120)"}},
     .example = "eidosctl down --dir /var/lib/eidos"},
    {.name = "status",
     .run = cmd_status,
     .args = "",
     .brief = "is it ready, how far is it, is every token all there",
     .more = "conserved (in JSON) is true, false, or null when trading never stood still long\n"
             "enough to sum up. Exit code 3: it is not running.",
     .options = {JSON},
     .example = "eidosctl status --json | jq .durable_sequence"},
    {.name = "ps",
     .run = cmd_ps,
     .args = "",
     .brief = "its processes: state, heartbeat, restarts, ports, protections",
     .options = {JSON},
     .example = "eidosctl ps --json | jq '.[] | select(.state != \"ready\")'"},
    {.name = "ready",
     .run = cmd_ready,
     .args = "",
     .brief = "wait until every process is ready",
     .more = "Exit code 0: ready. 1: it runs, but is not ready. 3: it is not running.",
     .options = {{"--wait", "[SECONDS]", "at most (0; 60 where no number follows)"}},
     .example = "eidosctl ready --wait 60 && curl -s localhost:8080/health/ready"},
    {.name = "top",
     .run = cmd_top,
     .args = "",
     .brief = "live: rates, latencies, processes, markets, queues",
     .more = "Latencies are of the last interval; WORK, WAIT and BLOCK are shares of a process's\n"
             "time, BLOCK being work it could not do for want of room downstream. q quits, space\n"
             "pauses, the arrows scroll. Waits for the next exchange when this one stops. Where "
             "the output is no\n"
             "terminal it prints one frame; with --json an object every interval.",
     .options = {{"--every", "MS", "milliseconds between two looks (1000)"},
                 {"--once", NULL, "print one frame and end"},
                 JSON},
     .example = "eidosctl top --once --json | jq .times.order.p99_ns"},
    {.name = "metrics",
     .run = cmd_metrics,
     .args = "",
     .brief = "every number of every process, as Prometheus reads them",
     .options = {{"--reference", NULL, "what they mean: docs/metrics.md"}},
     .example = "eidosctl metrics | promtool check metrics"},
    {.name = "configure",
     .run = cmd_configure,
     .args = "check|init|fini",
     .args_least = 1,
     .args_most = 1,
     .brief = "prepare this host: huge pages, shared memory, limits, kernel features",
     .more = "check looks; init brings about what is missing, prints the shell equivalent of what\n"
             "it did and checks again; fini takes back what init did. What is optional only costs\n"
             "speed or a protection when it is missing, and init then still exits with 0.",
     .options = {JSON},
     .example = "sudo eidosctl configure init"},
    {.name = "shm",
     .run = cmd_shm,
     .args = "",
     .brief = "its shared memory: regions, owners, readers, sizes",
     .options = {JSON},
     .example = "eidosctl shm"},
    {.name = "journal",
     .run = cmd_journal,
     .args = "stat|dump|verify|replay",
     .args_least = 1,
     .args_most = 1,
     .brief = "the logs on disk: what there is, every record, is it whole, what it makes",
     .more =
         "stat reads the newest file of each log, verify all of them; exit code 1 says that\n"
         "something is damaged, and the output where and what to do. dump prints one record\n"
         "a line with all its fields. replay makes the state in private memory, from the newest\n"
         "whole snapshot, and says how fast and what its checksum is.",
     .options = {{"--log", "NAME", "to dump: command, account, match-0... (command)"},
                 {"--from", "SEQUENCE", "first record to dump"},
                 {"--to", "SEQUENCE", "last record to dump or replay"},
                 JSON},
     .example = "eidosctl journal dump --log command --from 100 --to 110 --json"},
    {.name = "snapshot",
     .run = cmd_snapshot,
     .args = "[list|verify|take]",
     .args_most = 1,
     .brief = "which snapshots there are, and whether they are whole; take one",
     .more =
         "list reads what they say of themselves, verify (or nothing) all of them: exit code 1\n"
         "says that one is damaged. take asks the running exchange for one that holds all that\n"
         "is on disk now, and waits for it.",
     .options = {JSON},
     .example = "eidosctl snapshot take"},
    {.name = "recovery",
     .run = cmd_recovery,
     .args = "",
     .brief = "what the last start found on disk: snapshot, records replayed, rate, checksum",
     .more =
         "Remarks are what the start passed over, cut or made anew, and damage it did not need\n"
         "to read. Every start, refused ones too, is a line of DIR/recoveries.jsonl.",
     .options = {{"--all", NULL, "every start that is recorded, oldest first"}, JSON},
     .example = "eidosctl recovery --json | jq .replayed"},
    {.name = "state",
     .run = cmd_state,
     .args = "diff A B",
     .args_least = 3,
     .args_most = 3,
     .brief = "what differs between the states after two commands",
     .more = "A and B are sequences of the command log; both states are made from disk. Times and\n"
             "sequences inside are not compared.",
     .options = {JSON},
     .example = "eidosctl state diff 31337 31338"},
    {.name = "drill",
     .run = cmd_drill,
     .args = "list|run NAME",
     .args_least = 1,
     .args_most = 2,
     .brief = "rehearse a bad day on the running exchange",
     .more = "run strikes under the load of `eidosctl demo`, measures when it was noticed, taken\n"
             "over and served again, and holds the exchange to every answer it gave. Exit code 1:\n"
             "something was lost, or took longer than promised. Each run is a line in\n"
             "DIR/drills.jsonl.",
     .options = {{"--seconds", "N", "of load; the strike comes after a third (12)"},
                 {"--wallets", "N", "of the load (40)"},
                 {"--no-load", NULL, "strike whatever goes on already"},
                 JSON},
     .example = "eidosctl drill run trading-failover"},
    {.name = "book",
     .run = cmd_book,
     .args = "MARKET",
     .args_least = 1,
     .args_most = 1,
     .brief = "the order book of a market",
     .options = {{"--levels", "N", "of each side (10)"}, JSON},
     .example = "eidosctl book BTC-USDC --levels 20"},
    {.name = "account",
     .run = cmd_account,
     .args = "WALLET",
     .args_least = 1,
     .args_most = 1,
     .brief = "balances, nonces and open orders of a wallet",
     .options = {JSON},
     .example = "eidosctl account 0x70997970c51812dc3a010c7d01b50e0d17dc79c8"},
    {.name = "order",
     .run = cmd_order,
     .args = "ID",
     .args_least = 1,
     .args_most = 1,
     .brief = "an order, open or recently closed",
     .options = {JSON},
     .example = "eidosctl order 42 --json"},
    {.name = "trace",
     .run = cmd_trace,
     .args = "ORDER|TRACE-ID",
     .args_least = 1,
     .args_most = 1,
     .brief = "the life of an order as a timeline, from the socket to the last fill",
     .more = "A trace id is what `X-Request-Id` of an answer says, or what the client sent there\n"
             "or in `traceparent`. What was sequenced, matched and cleared stands in the journal;\n"
             "when a request passed the other processes they remember for a while ([trace]\n"
             "entries). Reads the files of an exchange that is down, too.",
     .options = {JSON},
     .example = "eidosctl trace 42"},
    {.name = "credit",
     .run = cmd_credit,
     .args = "WALLET TOKEN AMOUNT",
     .args_least = 3,
     .args_most = 3,
     .brief = "give a wallet funds; only where exchange.env = dev",
     .options = {JSON},
     .example = "eidosctl credit 0x70997970c51812dc3a010c7d01b50e0d17dc79c8 USDC 5000.50"},
    {.name = "deposit",
     .run = cmd_deposit,
     .args = "WALLET TOKEN AMOUNT",
     .args_least = 3,
     .args_most = 3,
     .brief = "book a deposit that came by a transaction",
     .more = "Transaction and log index name it: told again, it is not booked again; told with\n"
             "another wallet, token or amount, it is refused.",
     .options = {{"--tx", "HASH", "of the transaction, 0x and 64 hex digits"},
                 {"--log-index", "N", "of its event in that transaction's block"},
                 {"--block", "N", "that holds it"},
                 JSON},
     .example = "eidosctl deposit 0x70997970c51812dc3a010c7d01b50e0d17dc79c8 USDC 100 --tx "
                "0x5c504ed432cb51138bcf09aa5e8a410dd4a1e204ef84bfed1be16dfba1b22060 --log-index 3"},
    {.name = "withdrawal",
     .run = cmd_withdrawal,
     .args = "list|approve|reject|submit|complete|fail [ID]",
     .args_least = 1,
     .args_most = 2,
     .brief = "withdrawals that wait for a decision, and the decision",
     .more =
         "A withdrawal is pending, its funds in flight, until somebody decides: approve makes it\n"
         "processing, reject gives the funds back. What is processing is submitted or completed\n"
         "with the transaction that pays it, or fails, which gives the funds back.",
     .options = {{"--status", "S", "to list: all, pending, ... (those that are not over)"},
                 {"--wallet", "W", "to list: of this one only"},
                 {"--tx", "HASH", "the transaction that pays it, 0x and 64 hex digits"},
                 JSON},
     .example = "eidosctl withdrawal approve 17"},
    {.name = "mode",
     .run = cmd_mode,
     .args = "normal|cancel-only|halted [MARKET]",
     .args_least = 1,
     .args_most = 2,
     .brief = "what may be asked of the exchange, or of one market",
     .more = "cancel-only refuses new orders (20008; of one market 13002); halted refuses cancels\n"
             "too (20007). The exchange turns cancel-only by itself when the wall clock jumps\n"
             "ahead; look at the clock, then set it to normal.",
     .options = {JSON},
     .example = "eidosctl mode cancel-only BTC-USDC"},
    {.name = "log",
     .run = cmd_log,
     .args = "[debug|info|warn|error|default [PROCESS]]",
     .args_most = 2,
     .brief = "from which level on processes write log lines; of all or of one",
     .more = "Takes effect at once and until the exchange stops; default goes back to\n"
             "logging.level. Without arguments: what is set.",
     .options = {JSON},
     .example = "eidosctl log debug api@0"},
    {.name = "demo",
     .run = cmd_demo,
     .args = "",
     .brief = "trade with wallets of its own over HTTP and WebSocket, and check every answer",
     .more = "Makers around a walking price, takers and cancels, all signed, against the public\n"
             "API. At the end every acknowledged order is asked for again and compared, balances\n"
             "are compared with fills, and every token is summed up. Exit code 1: something it\n"
             "was told was not true, or an order never got an answer.",
     .options = {{"--seconds", "N", "of trading (10)"},
                 {"--wallets", "N", "(20)"},
                 {"--rate", "R", "requests a second in all (5 a wallet)"},
                 {"--seed", "N", "of prices and choices (random)"},
                 JSON},
     .example = "eidosctl demo --seconds 30 --json"},
    {.name = "load",
     .run = cmd_load,
     .args = "[1|2|3|all]",
     .args_most = 1,
     .brief = "put it under the promised load and report: rates, latency, acceptance",
     .more =
         "The scenarios of the operations guide, 5.3: 1 places orders in steps, 2 matches a mix\n"
         "of limits, markets and cancels, 3 pushes to 16,000 WebSockets. Open loop: a request\n"
         "is due by the clock, and its latency counts from then. Wallets are made and funded\n"
         "where exchange.env = dev. Exit code 1: an item of the acceptance list failed, or\n"
         "something is in the way, and it says what to do.",
     .options = {{"--scale", "F", "factor on users, their rates, and connections (1)"},
                 {"--rate", "F", "factor on rates alone (1)"},
                 {"--time", "F", "factor on durations (1)"},
                 {"--steps", "U:R:S,..", "users:rate:seconds in place of the guide's steps"},
                 {"--signatures", "WHEN", "ahead, or inline: when an order is sent (ahead)"},
                 {"--p99", "MS", "latency target of orders (200)"},
                 {"--push-p99", "MS", "latency target of pushes (100)"},
                 {"--stuck", "N", "beside scenario 3, sockets that read nothing (0)"},
                 {"--url", "URL", "http://host:port instead of the instance in --dir"},
                 {"--keys", "FILE", "private keys of the wallets, one a line"},
                 {"--report", "DIR", "write load.txt, load.json and load.html there"},
                 JSON},
     .example = "eidosctl load 1 --scale 0.1 --time 0.01 --report /tmp/load"},
    {.name = "version",
     .run = cmd_version,
     .args = "",
     .brief = "version and commit of this program",
     .options = {JSON},
     .example = "eidosctl version"},
    {.name = "help",
     .run = cmd_help,
     .args = "[COMMAND|SECTION.KEY]",
     .args_most = 1,
     .brief = "explain a command or an option of the configuration",
     .example = "eidosctl help api.port"},
    {.name = "completion",
     .run = cmd_completion,
     .args = "bash",
     .args_least = 1,
     .args_most = 1,
     .brief = "print a completion script for bash",
     .example = "source <(eidosctl completion bash)"},
    {.name = NULL},
};

/* --- version, help
 * ------------------------------------------------------------------------------*/

static int cmd_version(int argc, char **argv)
{
    struct cli c;
    int result = cli_parse(&c, argc, argv);
    if (result) return result;
    if (cli_value(&c, "--json")) printf("{\"build\":\"%s\"}\n", cli_build());
    else printf("eidosctl %s\n", cli_build());
    return CLI_OK;
}

static void print_overview(FILE *out)
{
    fprintf(out, "usage: eidosctl COMMAND [arguments] [options]\n\n");
    for (const struct command *c = commands; c->name; c++)
        fprintf(out, "  %-11s %s\n", c->name, c->brief);
    fprintf(
        out,
        "\nEvery command takes --help, --dir DIR (the instance: everything it owns lies there;\n"
        "else EIDOS_DIR, else var/ in the source tree, else /var/lib/eidos), --config FILE,\n"
        "--markets FILE, and --set section.key=value as often as needed.\n"
        "Exit codes: 0 done; 1 failed; 2 wrong usage or configuration; 3 not running;\n"
        "4 already running.\n");
}

static int cmd_help(int argc, char **argv)
{
    struct cli c;
    int result = cli_parse(&c, argc, argv);
    if (result) return result;
    const struct command *command = c.args ? command_find(c.arg[0]) : NULL;
    if (c.args == 0) print_overview(stdout);
    else if (command) cli_help(command, stdout);
    else if (!strchr(c.arg[0], '.'))
        return cli_fail(&c, CLI_USAGE, "there is no command %s; `eidosctl help` lists them",
                        c.arg[0]);
    else if (config_describe(c.arg[0], stdout)) return cli_fail(&c, CLI_USAGE, "%s", err_text());
    return CLI_OK;
}

/* --- completion --------------------------------------------------------------------------------*/

static const char completion_head[] =
    "# bash completion for eidosctl; generated by `eidosctl completion bash`\n"
    "_eidosctl() {\n"
    "    local word=${COMP_WORDS[COMP_CWORD]} last=${COMP_WORDS[COMP_CWORD-1]} command='' i\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        case ${COMP_WORDS[i]} in\n"
    "        --dir|--config|--markets|--set) i=$((i + 1)) ;;\n"
    "        -*) ;;\n"
    "        *) command=${COMP_WORDS[i]}; break ;;\n"
    "        esac\n"
    "    done\n"
    "    local options='--dir --config --markets --set --help' words=''\n"
    "    case $last in\n"
    "    --dir) mapfile -t COMPREPLY < <(compgen -d -- \"$word\"); return ;;\n"
    "    --config|--markets) mapfile -t COMPREPLY < <(compgen -f -- \"$word\"); return ;;\n"
    "    --set) compopt -o nospace\n"
    "        mapfile -t COMPREPLY < <(compgen -S = -W \"$_eidosctl_keys\" -- \"$word\"); return "
    ";;\n"
    "    esac\n"
    "    case $command in\n";
static const char completion_tail[] =
    "    esac\n"
    "    if [[ $word == -* ]]; then words=$options; fi\n"
    "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
    "}\n"
    "complete -F _eidosctl eidosctl\n";

/* The words that may follow a command: what its arguments spell out in lower case. */
static void print_words(const struct command *command)
{
    for (const char *c = command->args; *c; c++)
        if (*c == '|') putchar(' ');
        else if (*c == '-' || (*c >= 'a' && *c <= 'z')) putchar(*c);
    if (strcmp(command->name, "help") != 0) return;
    for (const struct command *other = commands; other->name; other++) printf(" %s", other->name);
    printf(" $_eidosctl_keys");
}

static int cmd_completion(int argc, char **argv)
{
    struct cli c;
    char key[CONFIG_TEXT_MAX];
    int result = cli_parse(&c, argc, argv);
    if (result) return result;
    if (strcmp(c.arg[0], "bash") != 0)
        return cli_fail(&c, CLI_USAGE, "%s: only bash is known", c.arg[0]);
    printf("_eidosctl_keys='");
    for (u32 i = 0; config_key_name(i, key); i++) printf("%s%s", i ? " " : "", key);
    printf("'\n%s    '') words='", completion_head);
    for (const struct command *command = commands; command->name; command++)
        printf("%s%s", command == commands ? "" : " ", command->name);
    printf("' ;;\n");
    for (const struct command *command = commands; command->name; command++) {
        printf("    %s) words=\"", command->name);
        print_words(command);
        printf("\" options+='");
        for (u32 i = 0; i < CLI_OPTIONS_MAX && command->options[i].name; i++)
            printf(" %s", command->options[i].name);
        printf("' ;;\n");
    }
    printf("%s", completion_tail);
    return CLI_OK;
}

/* --- main --------------------------------------------------------------------------------------*/

/* Options that may stand before the command and take the next argument. */
static bool takes_next(const char *arg)
{
    return strcmp(arg, "--dir") == 0 || strcmp(arg, "--config") == 0 ||
           strcmp(arg, "--markets") == 0 || strcmp(arg, "--set") == 0;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return true;
    return false;
}

/* Where the command stands in argv, or argc. */
static int find_command(int argc, char **argv)
{
    int i = 1;
    while (i < argc && argv[i][0] == '-') i += takes_next(argv[i]) ? 2 : 1;
    return i < argc ? i : argc;
}

int main(int argc, char **argv)
{
    static char version[] = "version";
    if (argc == 2 && strcmp(argv[1], "--version") == 0) argv[1] = version;
    int at = find_command(argc, argv);
    if (at == argc) {
        bool help = asks_for_help(argc, argv);
        print_overview(help ? stdout : stderr);
        return help ? CLI_OK : CLI_USAGE;
    }
    const struct command *command = command_find(argv[at]);
    if (!command) {
        fprintf(stderr, "eidosctl: there is no command %s; `eidosctl help` lists them\n", argv[at]);
        return CLI_USAGE;
    }
    /* The command's name first, what stood before it behind. */
    for (char *name = argv[at]; at > 0; at--) argv[at] = at == 1 ? name : argv[at - 1];
    argv++;
    argc--;
    if (asks_for_help(argc, argv)) {
        cli_help(command, stdout);
        return CLI_OK;
    }
    return command->run(argc, argv);
}
