/* Changes of modes, times and owners, and program paths: prints what the kernel answers to each, one a line. Run in a
 * directory that the test prepares, where names may be missing: the answers count, not which they are.
 * Expected: exit 0, and the same lines natively and under workspace.
 * build: musl */
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "lib/expect.h"
#include "lib/raw.h"

enum { PAGE = 4096, FCHMODAT2 = 452, LONG = 4096 };

static void answer(const char *what, long result)
{
    say("%s: %ld", what, result);
}

/* One page that ends in `text`, with this protection. */
static const char *kept(const char *text, int protection)
{
    char *page = (char *)raw(SYS_mmap, 0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    for (long i = 0; text[i]; i++)
        page[i] = text[i];
    raw(SYS_mprotect, page, PAGE, protection);
    return page;
}

/* `text` over two pages, of which the second has this protection. */
static const char *split(const char *text, int protection)
{
    char *page = (char *)raw(SYS_mmap, 0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    for (long i = 0; text[i]; i++)
        page[PAGE - 2 + i] = text[i];
    raw(SYS_mprotect, page + PAGE, PAGE, protection);
    return page + PAGE - 2;
}

/* `name` behind so many of "./" that the path has `length` bytes. */
static const char *winding(const char *name, long length)
{
    static char path[LONG + 16];
    long size = 0, at;

    while (name[size])
        size++;
    at = (length - size) % 2;
    if (at)
        path[0] = '.', path[1] = '/', path[2] = '/';
    for (at = at ? 3 : 0; at + size < length; at += 2)
        path[at] = '.', path[at + 1] = '/';
    for (long i = 0; i <= size; i++)
        path[at + i] = name[i];
    return path;
}

static const char *const names[] = {
    "own", "missing", "missing/x", "own/x", "own/", "own/.", "dir", "dir/", "link", "dangling", "loop", "foreign",
    "open", "private", "private/file", "private/missing", "", "/proc/self/cwd/own", "/proc/thread-self/cwd/own",
    "/proc//self/cwd/own", "/proc/./self/cwd/own", "/proc/self/../self/cwd/own", "me/cwd/own", "/proc/self/cwd/missing",
    "/proc/self/fd/9", "/dev/fd/9", "/dev/fd/9/own", "/proc/self/fd/8", "/proc/self/fd/8/own", "/proc/self/fd/77",
    "/proc/self/none", "/proc/self/cwd/private/file", "chain",
};

static void modes(void)
{
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        say("%s", names[i]);
        answer(" chmod", raw(SYS_chmod, names[i], 0750));
        answer(" fchmodat", raw(SYS_fchmodat, AT_FDCWD, names[i], 0750));
        answer(" fchmodat from a directory", raw(SYS_fchmodat, 8, names[i], 0750));
        if (names[i][0] != '/') /* a link in /proc lies where no policy lets it be changed */
            answer(" fchmodat2, the link", raw(FCHMODAT2, AT_FDCWD, names[i], 0750, AT_SYMLINK_NOFOLLOW));
        answer(" fchmodat2, or the descriptor", raw(FCHMODAT2, 9, names[i], 0750, AT_EMPTY_PATH));
    }
    for (long fd = 7; fd <= 11; fd++) {
        say("descriptor %ld", fd);
        answer(" fchmod", raw(SYS_fchmod, fd, 0750));
        answer(" fchmodat from it", raw(SYS_fchmodat, fd, "own", 0750));
        answer(" fchmodat2, itself", raw(FCHMODAT2, fd, "", 0750, AT_EMPTY_PATH));
    }
    answer("fchmod of AT_FDCWD", raw(SYS_fchmod, AT_FDCWD, 0750));
    answer("fchmod of -1", raw(SYS_fchmod, -1, 0750));
    answer("fchmodat from nowhere", raw(SYS_fchmodat, 77, "own", 0750));
    answer("fchmodat2 of the working directory", raw(FCHMODAT2, AT_FDCWD, "", 0755, AT_EMPTY_PATH));
    answer("fchmodat2, bad flag", raw(FCHMODAT2, AT_FDCWD, "own", 0750, 1));
    for (long length = LONG - 6; length <= LONG; length++)
        answer("chmod, a long path", raw(SYS_chmod, winding("own", length), 0750));
}

static void times(void)
{
    long at[4] = {1, 2, 3, 4}, now[4] = {0, UTIME_NOW, 0, UTIME_NOW}, omit[4] = {0, UTIME_OMIT, 0, UTIME_OMIT};
    long bad[4] = {1, -1, 1, 1}, some[4] = {0, UTIME_NOW, 0, UTIME_OMIT}, micro[4] = {1, 1000000, 1, 1};

    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        say("%s", names[i]);
        answer(" utimensat", raw(SYS_utimensat, AT_FDCWD, names[i], at, 0));
        answer(" utimensat, now", raw(SYS_utimensat, AT_FDCWD, names[i], NULL, 0));
        answer(" utimensat, now by name", raw(SYS_utimensat, AT_FDCWD, names[i], now, 0));
        answer(" utimensat, one now", raw(SYS_utimensat, AT_FDCWD, names[i], some, 0));
        answer(" utimensat, omitted", raw(SYS_utimensat, AT_FDCWD, names[i], omit, 0));
        answer(" utimensat, bad", raw(SYS_utimensat, AT_FDCWD, names[i], bad, 0));
        if (names[i][0] != '/')
            answer(" utimensat, the link", raw(SYS_utimensat, AT_FDCWD, names[i], at, AT_SYMLINK_NOFOLLOW));
        answer(" utimes, bad", raw(SYS_utimes, names[i], micro));
        answer(" utimes", raw(SYS_utimes, names[i], at));
        answer(" utime", raw(SYS_utime, names[i], at));
    }
    for (long fd = 7; fd <= 11; fd++) {
        say("descriptor %ld", fd);
        answer(" utimensat", raw(SYS_utimensat, fd, NULL, at, 0));
        answer(" utimensat, a flag", raw(SYS_utimensat, fd, NULL, at, AT_SYMLINK_NOFOLLOW));
        answer(" utimensat, empty", raw(SYS_utimensat, fd, "", at, AT_EMPTY_PATH));
    }
    answer("utimensat of AT_FDCWD", raw(SYS_utimensat, AT_FDCWD, NULL, at, 0));
    answer("utimensat, bad flag", raw(SYS_utimensat, AT_FDCWD, "own", at, 1));
    answer("utimensat, no path, bad times", raw(SYS_utimensat, AT_FDCWD, NULL, 8, 1));
}

static void owners(void)
{
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        say("%s", names[i]);
        answer(" chown to what it is", raw(SYS_chown, names[i], -1, -1));
        if (names[i][0] != '/')
            answer(" lchown", raw(SYS_lchown, names[i], -1, -1));
        answer(" fchownat", raw(SYS_fchownat, 8, names[i], -1, -1, 0));
    }
    for (long fd = 7; fd <= 11; fd++)
        answer("fchown", raw(SYS_fchown, fd, -1, -1));
    answer("fchownat, bad flag", raw(SYS_fchownat, AT_FDCWD, "own", -1, -1, 1));
}

static void memory(void)
{
    static const int protections[] = {PROT_NONE, PROT_READ, PROT_WRITE, PROT_EXEC, PROT_WRITE | PROT_EXEC};

    for (unsigned i = 0; i < sizeof protections / sizeof *protections; i++) {
        say("protection %d", protections[i]);
        answer(" chmod", raw(SYS_chmod, kept("own", protections[i]), 0700));
        answer(" chmod over two pages", raw(SYS_chmod, split("own", protections[i]), 0700));
        answer(" utimensat, times", raw(SYS_utimensat, AT_FDCWD, "own", kept("\1", protections[i]), 0));
        answer(" execve", raw(SYS_execve, kept("missing", protections[i]), NULL, NULL));
        answer(" execve of what is none", raw(SYS_execve, split("text", protections[i]), NULL, NULL));
        answer(" open", raw(SYS_open, kept("missing", protections[i]), O_RDONLY));
    }
    answer("chmod of the vsyscall page", raw(SYS_chmod, 0xffffffffff600000, 0700));
    answer("chmod of NULL", raw(SYS_chmod, NULL, 0700));
    answer("execve of NULL", raw(SYS_execve, NULL, NULL, NULL));
}

static void programs(void)
{
    static const char *const paths[] = {
        "text", "own", "missing", "dir", "private/file", "private/missing", "private", "fifo", "i386-unreadable", "",
        "own/x", "loop", "/proc/self/cwd/text", "/proc/self/cwd/missing", "/proc/self/status", "me/cwd/text",
    };

    for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++) {
        say("%s", paths[i]);
        answer(" execve", raw(SYS_execve, paths[i], NULL, NULL));
    }
}

int main(void)
{
    long fd = raw(SYS_open, "own", O_RDONLY), directory = raw(SYS_open, "dir/..", O_RDONLY | O_DIRECTORY);

    raw(SYS_dup2, fd, 9);
    raw(SYS_dup2, directory, 8);
    raw(SYS_close, 7);
    raw(SYS_dup2, raw(SYS_open, "own", O_PATH), 10);
    raw(SYS_dup2, raw(SYS_open, "dir", O_PATH | O_DIRECTORY), 11);
    modes();
    times();
    owners();
    memory();
    programs();
    return 0;
}
