#include "cli/up_segment.h"

#include "cli/cli.h"
#include "cli/configure.h"
#include "procs/lib/text_log.h"
#include "shm/err.h"
#include "shm/segment.h"

#include <pthread.h>
#include <string.h>

struct up_segment {
    const struct config *config;
    const char *dir;
    pthread_t thread;
    bool waited;
    int rc;
    char warning[512];           /* of hugepages that are missing */
    char lack[ERR_TEXT_MAX * 2]; /* what it has to go without */
    char why[ERR_TEXT_MAX];      /* rc = -1 */
};

/* Where shared memory does not fit, it goes without standbys; where even that does not, in a
 * container with a small /dev/shm for example, it is files of the instance's own directory, mapped
 * just the same. */
static int create(struct up_segment *u, const struct segment_place *place,
                  const struct topo_params *params)
{
    char files[CONFIG_TEXT_MAX + 16], why[ERR_TEXT_MAX];
    struct segment_place on_disk = *place;
    if (segment_create(place, params, u->warning, sizeof u->warning) == 0) return 0;
    snprintf(why, sizeof why, "%s", err_text());
    struct topo_params alone = *params;
    alone.standbys = 0;
    if (params->standbys && segment_create(place, &alone, u->warning, sizeof u->warning) == 0) {
        snprintf(u->lack, sizeof u->lack,
                 "%s; so trading and matching have no standbys, and come back from snapshot and "
                 "log when they end",
                 why);
        return 0;
    }
    snprintf(files, sizeof files, "%s/run/shm", place->dir);
    if (host_make_dirs(files)) return -1;
    on_disk.shm_dir = files;
    if (segment_create(&on_disk, params, u->warning, sizeof u->warning)) return -1;
    snprintf(u->lack, sizeof u->lack,
             "%s; so shared memory is files in %s: slower, and the kernel writes them to that disk",
             why, files);
    return 0;
}

static void *make(void *context)
{
    struct up_segment *u = context;
    const struct config *c = u->config;
    static const enum segment_huge huge[] = {
        [HUGEPAGES_AUTO] = SEGMENT_HUGE_AUTO,
        [HUGEPAGES_ON] = SEGMENT_HUGE_ON,
        [HUGEPAGES_OFF] = SEGMENT_HUGE_OFF,
    };
    struct segment_place place = {.dir = u->dir,
                                  .shm_dir = c->shm.shm_dir.s,
                                  .huge_dir = c->shm.huge_dir.s,
                                  .huge = huge[c->shm.hugepages],
                                  .build = cli_build()};
    struct topo_params params;
    cli_topo_params(c, &params);
    u->rc = create(u, &place, &params);
    if (u->rc) snprintf(u->why, sizeof u->why, "%s", err_text());
    return NULL;
}

int up_segment_begin(struct up_segment **making, const struct config *config, const char *dir)
{
    struct up_segment *u = *making = calloc(1, sizeof *u);
    CHECK(u);
    u->config = config;
    u->dir = dir;
    if (pthread_create(&u->thread, NULL, make, u) == 0) return 0;
    free(u);
    return err_set("a thread to make shared memory could not be started");
}

void up_segment_wait(struct up_segment *making)
{
    if (!making->waited) CHECK(pthread_join(making->thread, NULL) == 0);
    making->waited = true;
}

int up_segment_end(struct up_segment *making, bool failed)
{
    char why[ERR_TEXT_MAX];
    snprintf(why, sizeof why, "%s", err_text());
    up_segment_wait(making);
    int rc = making->rc;
    if (failed && !rc) segment_delete(making->dir);
    if (failed) {
        err_set("%s", why);
    } else if (rc) {
        err_set("%s", making->why);
    } else {
        if (making->lack[0]) text_log(TEXT_WARN, "%s", making->lack);
        if (making->warning[0]) text_log(TEXT_WARN, "%s", making->warning);
    }
    free(making);
    return failed ? 0 : rc;
}
