/* test_low_disk.c: a real file system that fills up under a trading exchange.
 *
 *   enough ----> short: cancel-only ----> full: from reserved files, then nothing is answered
 *     ^                                     |
 *     '------------- by itself -------------'
 *
 * Twice: the whole directory on a small tmpfs, and the journal alone on a small ext4. Both need the
 * right to mount; without, the test is skipped and says so.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/audit.h"

#define RATE      1000U
#define SETTLE_MS 30000U
#define SWITCH_MS 20000U
#define LOW       (6UL << 20)
#define STORM_MAX 60000U /* cancels to fill what is reserved */

static const struct exchange fresh = {
    .sets = {"snapshot.interval=1s", "trading.orders_max=65536", "journal.low_disk_bytes=6M"},
    .set_count = 3};
static struct exchange x;
static struct load l;
static struct audit a;
static char disk[100]; /* where the small file system is mounted */
static char image[120];

/* --- The file system ---------------------------------------------------------------------------*/

static bool mount_tmpfs(void)
{
    snprintf(disk, sizeof disk, "%s", x.dir);
    return mount("none", disk, "tmpfs", 0, "size=64M") == 0;
}

static bool mount_ext4(void)
{
    char command[700];
    snprintf(disk, sizeof disk, "%s/journal", x.dir);
    snprintf(image, sizeof image, "%s.ext4", x.dir);
    snprintf(command, sizeof command,
             "mkdir %s && truncate -s 64M %s && mkfs.ext4 -q -m 0 %s && mount -o loop %s %s", disk,
             image, image, image, disk);
    return system(command) == 0; /* paths of our own making */
}

static u64 free_bytes(void)
{
    struct statvfs fs;
    CHECK(statvfs(disk, &fs) == 0);
    return fs.f_bavail * fs.f_frsize;
}

static void fill_to(u64 left)
{
    u64 now = free_bytes();
    CHECK(now > left);
    exchange_shell("fallocate -l %lu %s/fill", now - left, disk);
}

static void fill_up(void)
{
    exchange_shell("dd if=/dev/zero of=%s/full bs=4k 2>%s.dd; grep -q 'No space' %s.dd; rm %s.dd",
                   disk, x.dir, x.dir, x.dir);
}

static void make_room(void)
{
    exchange_shell("rm -f %s/fill %s/full", disk, disk);
}

static int start(void **state)
{
    bool (*mount_it)(void) = *state;
    x = fresh;
    disk[0] = image[0] = '\0';
    exchange_make(&x);
    if (!mount_it()) {
        printf("NOTICE: no small file system can be mounted here (%s), so nothing is shown\n",
               strerror(errno));
        disk[0] = '\0';
        return 0;
    }
    int code = exchange_up(&x);
    if (code) fprintf(stderr, "exit code %d: %s\n", code, x.said);
    load_open(&l, 11, RATE, 60000, x.port);
    a = (struct audit){.load = &l, .exchange = &x};
    return code ? -1 : 0;
}

static int stop(void **state)
{
    (void)state;
    if (disk[0]) {
        make_room();
        exchange_down(&x);
        exchange_kill_strays();
        load_close(&l);
        if (umount2(disk, MNT_DETACH)) perror("umount");
    }
    exchange_remove(&x);
    if (image[0]) unlink(image);
    return 0;
}

/* --- What the exchange says --------------------------------------------------------------------*/

static bool says(const char *line, const char *word)
{
    exchange_ctl(&x, line);
    return strstr(x.said, word) != NULL;
}

/* Until `line` of eidosctl says `word`. */
static void wait_for(const char *line, const char *word)
{
    u64 until = exchange_ms() + SWITCH_MS;
    while (!says(line, word)) {
        if (exchange_ms() > until) exchange_show_logs(&x);
        if (exchange_ms() > until) fail_msg("`%s` does not say \"%s\": %s", line, word, x.said);
        client_pump(&l.client, 50);
    }
}

static void log_says(const char *process, const char *word)
{
    exchange_shell("grep -q '%s' %s/log/%s.log", word, x.dir, process);
}

/* --- Requests ----------------------------------------------------------------------------------*/

struct asked {
    u32 sent, granted, refused, unanswered;
    int code; /* of the last answer */
    long http;
};

static void on_answer(void *context, const struct answer *answer)
{
    struct asked *k = context;
    k->code = answer->code;
    k->http = answer->http;
    if (answer->http == 200) k->granted++;
    else if (answer->http && answer->http < 500) k->refused++;
    else k->unanswered++;
}

/* A signed Cancel of whatever became of an order: every answer is a record. */
static void send_cancel(struct note *n, struct asked *k)
{
    char path[64], body[CLIENT_BODY];
    snprintf(path, sizeof path, "/api/v1/orders/%lu", n->id);
    cancel_body(&note_trader(n)->wallet, n->id, ++l.traders[n->trader].cancels, body);
    while (client_is_full(&l.client)) client_pump(&l.client, 100);
    client_send(&l.client, "DELETE", path, NULL, body, on_answer, k);
    k->sent++;
}

static struct note *some_note(bool open)
{
    for (u32 i = l.count; i--;)
        if (l.notes[i].id && l.notes[i].state == NOTE_KNOWN && note_is_open(&l.notes[i]) == open)
            return &l.notes[i];
    fail_msg("there is no such order");
    return NULL;
}

static void an_order_is_refused(void)
{
    u32 before = l.unknown_count;
    u64 accepted = l.accepted;
    load_burst(&l, 1);
    client_drain(&l.client);
    assert_true(l.unknown_count > before); /* 503: try again later */
    assert_int_equal(l.accepted, accepted);
}

static void a_cancel_is_granted(void)
{
    struct asked k = {0};
    struct note *n = some_note(true);
    send_cancel(n, &k);
    client_drain(&l.client);
    assert_int_equal(k.granted, 1);
    n->status = CANCELLED; /* and that must last: the audit looks */
}

/* Cancel until nothing is answered any more. */
static u32 use_up_the_reserve(void)
{
    struct asked k = {0};
    struct note *n = some_note(false);
    while (k.unanswered < 50 && k.sent < STORM_MAX) {
        send_cancel(n, &k);
        client_pump(&l.client, 0);
    }
    client_drain(&l.client);
    printf("full: %u cancels answered from what is reserved, %u not\n", k.granted + k.refused,
           k.unanswered);
    assert_true(k.unanswered >= 50);
    assert_true(k.granted + k.refused > 0);
    return k.granted + k.refused;
}

static u64 durable(void)
{
    json_t *status = exchange_status(&x);
    assert_non_null(status);
    u64 seq = (u64)json_integer_value(json_object_get(status, "durable_sequence"));
    json_decref(status);
    return seq;
}

/* --- The story ---------------------------------------------------------------------------------*/

static void all_is_there(void)
{
    assert_true(audit_settled(&a, SETTLE_MS));
}

static void short_of_space(void)
{
    fill_to(LOW / 2);
    wait_for("status", "cancel-only, by the disk");
    assert_true(says("status --json", "\"mode\":\"cancel_only\""));
    assert_true(says("metrics", "eidos_journal_low_disk{process=\"journal\"} 1"));
    assert_true(says("ps", "space on the disk is short"));
    log_says("journal", "space on the disk is short");
    log_says("trading", "cancel-only from command");
    an_order_is_refused();
    a_cancel_is_granted();
}

static void out_of_space(void)
{
    fill_up();
    a_cancel_is_granted();
    use_up_the_reserve();
    u64 seq = durable();
    assert_true(says("ps", "the disk is full"));
    log_says("journal", "the disk is full");
    struct asked k = {0};
    send_cancel(some_note(true), &k);
    client_drain(&l.client);
    assert_int_equal(k.granted + k.refused, 0);
    assert_int_equal(durable(), seq);
}

static void space_again(void)
{
    make_room();
    wait_for("status --json", "\"mode\":\"normal\"");
    log_says("journal", "there is space on the disk again");
    u64 accepted = l.accepted;
    load_trade(&l, 1000);
    assert_true(l.accepted > accepted + 50);
    all_is_there();
}

static void restarted(void)
{
    assert_int_equal(exchange_down(&x), 0);
    assert_int_equal(exchange_up(&x), 0);
    l.client.port = x.port;
    all_is_there();
}

/* Full at once, everybody killed, and a start while there is no space. */
static void killed_while_full(void)
{
    load_trade(&l, 500);
    fill_up();
    load_trade(&l, 1500);
    exchange_look(&x);
    exchange_kill_all(&x);
    client_drain(&l.client);
    int code = exchange_ctl(&x, exchange_up_line(&x));
    printf("a start without space: exit code %d\n", code);
    if (code) {
        assert_int_equal(code, 1);
        assert_non_null(strstr(x.said, "No space left on device"));
        assert_non_null(strstr(x.said, x.dir));
        make_room();
        assert_int_equal(exchange_up(&x), 0);
    } else {
        assert_true(exchange_look(&x));
        make_room();
        wait_for("status --json", "\"mode\":\"normal\"");
    }
    l.client.port = x.port;
    load_trade(&l, 500);
    all_is_there();
}

static void a_disk_fills_up(void **state)
{
    (void)state;
    if (!disk[0]) skip();
    audit_fund(&a);
    load_trade(&l, 2000);
    all_is_there();
    short_of_space();
    out_of_space();
    space_again();
    restarted();
    killed_while_full();
    restarted();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"a tmpfs that holds everything", a_disk_fills_up, start, stop, (void *)mount_tmpfs},
        {"an ext4 that holds the journal", a_disk_fills_up, start, stop, (void *)mount_ext4},
    };
    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests_name("low disk", tests, NULL, NULL);
}
