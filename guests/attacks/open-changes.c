/* Opens that change a file though they ask to read it: O_TRUNC with O_RDONLY empties it (open(2)), O_CREAT makes one,
 * O_TMPFILE is a new file without a name, creat is an open; access mode 3 and O_PATH with them. Natively the canary is
 * emptied (and put back). Here a file outside the writable places is opened for reading at most, by rules on the
 * flags and by Landlock's right to truncate.
 * class: 119
 * contained: errno
 * ways: 12
 * build: musl */
#include "lib/files.h"

static char directory[PATH_SIZE], new_file[PATH_SIZE];

static int emptied(long fd)
{
    struct stat facts = {.st_size = 1};

    raw(SYS_close, fd);
    return natively && fd >= 0 && raw(SYS_stat, canary(), &facts) == 0 && facts.st_size == 0;
}

/* True where a descriptor came that can be written, or natively the file is empty. Flags the policy drops are none. */
static void on_canary(long flags, const char *what)
{
    way(emptied(open_path(canary(), flags)), what);
    if (natively)
        canary_restore();
}

static void on_new_file(long flags, const char *what)
{
    long fd = open_path(new_file, flags);

    way(fd >= 0, what);
    raw(SYS_close, fd);
    raw(SYS_unlink, new_file);
}

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    path_split(canary(), directory);
    path_join(new_file, directory, "/new-file");
    canary_remember();
    on_canary(O_RDONLY | O_TRUNC, "O_RDONLY with O_TRUNC");
    on_canary(3 | O_TRUNC, "access mode 3 with O_TRUNC");
    on_canary(O_RDONLY | O_CREAT | O_TRUNC, "O_CREAT with O_TRUNC");
    way(fd_takes(open_path(canary(), O_WRONLY)), "O_WRONLY");
    way(fd_takes(open_path(canary(), O_RDWR | O_APPEND)), "O_RDWR");
    way(fd_takes(open_path(canary(), 3)), "access mode 3");
    way(raw(SYS_creat, canary(), 0600) >= 0, "creat of the canary");
    if (natively)
        canary_restore();
    on_new_file(O_RDONLY | O_CREAT, "O_CREAT without writing");
    on_new_file(O_RDONLY | O_CREAT | O_EXCL, "O_CREAT with O_EXCL");
    way(fd_takes(open_path(directory, O_RDWR | O_TMPFILE)), "O_TMPFILE");
    way(fd_takes(open_path(directory, O_WRONLY | O_TMPFILE | O_EXCL)), "O_TMPFILE with O_EXCL");
    way(raw(SYS_creat, new_file, 0600) >= 0, "creat");
    raw(SYS_unlink, new_file);
    ways_end("opens that change files");
}
