/* err.h: an error is a cause plus the places it passed through, outermost first:
 *
 *     "opening the journal: var/journal/command-00000000000000000017.log: at byte 4096: bad
 * checksum"
 *
 * The function that meets the cause calls err_set; each caller that knows more calls err_wrap; the
 * one that answers the user prints err_text(). Functions that can fail return 0 or -1 (or NULL).
 * The text is thread-local and fixed in size: failing allocates nothing.
 */
#ifndef EIDOS_SHM_ERR_H
#define EIDOS_SHM_ERR_H

#define ERR_TEXT_MAX 1024

/* Replace the error text. Always returns -1, so that `return err_set(...)` reads well. */
int err_set(const char *fmt, ...) __attribute__((format(printf, 1, 2), cold));

/* Like err_set, with ": <strerror(errno)>" at the end. */
int err_sys(const char *fmt, ...) __attribute__((format(printf, 1, 2), cold));

/* Put context and ": " in front of the error text. Always returns -1. */
int err_wrap(const char *fmt, ...) __attribute__((format(printf, 1, 2), cold));

/* The text of the last error of this thread; "" if there was none. Valid until the next err_*. */
const char *err_text(void);

#endif
