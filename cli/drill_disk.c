/* drill_disk.c: the journal's disk fills up, and there is space again.
 *
 * A file that has no name takes the space: it is gone with this process, whatever happens to it.
 */
#include "cli/drill.h"

#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "shm/err.h"
#include "shm/rules.h"

#define SWITCH_MS 20000U

static bool is_cancel_only(struct drill *d)
{
    const struct rules *r = segment_object(&d->segment, "rules");
    return r->mode == MODE_CANCEL_ONLY && r->mode_reason == MODE_BY_DISK;
}

static bool is_normal(struct drill *d)
{
    const struct rules *r = segment_object(&d->segment, "rules");
    return r->mode == MODE_NORMAL;
}

/* Leave half of what the exchange wants to be free. -1 with err. */
static int take_space(struct drill *d, int *fd)
{
    char path[CONFIG_TEXT_MAX + 16];
    struct statvfs fs;
    u64 low = d->config.journal.low_disk_bytes;
    if (!low) return err_set("journal.low_disk_bytes = 0: there is no line to fall below");
    snprintf(path, sizeof path, "%s/journal", d->cli.source.dir.s);
    *fd = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (*fd < 0 || fstatvfs(*fd, &fs)) return err_sys("a file without a name in %s", path);
    u64 free_bytes = fs.f_bavail * fs.f_frsize;
    if (free_bytes <= low)
        return err_set("only %s are free in %s; it is below the line already",
                       cli_bytes(free_bytes), path);
    u64 bytes = free_bytes - low / 2;
    snprintf(d->did, sizeof d->did, "%s taken on the journal's disk, %s left", cli_bytes(bytes),
             cli_bytes(low / 2));
    d->times.struck_ns = cli_monotonic_ns();
    if (fallocate(*fd, 0, 0, (off_t)bytes)) return err_sys("taking %s", cli_bytes(bytes));
    return 0;
}

static int strike(struct drill *d)
{
    int fd = -1;
    int rc = take_space(d, &fd);
    if (!rc) rc = drill_wait(d, is_cancel_only, SWITCH_MS, "the exchange did not go cancel-only");
    if (!rc) d->times.detected_ns = cli_monotonic_ns();
    if (fd >= 0) close(fd);
    if (rc) return -1;
    if (drill_wait(d, is_normal, SWITCH_MS, "the exchange did not resume by itself")) return -1;
    d->times.served_ns = cli_monotonic_ns();
    return 0;
}

const struct drill_kind drill_disk_full = {
    "disk-full", "the journal's disk fills up; cancel-only, and normal again by itself", 0, 0,
    strike};
