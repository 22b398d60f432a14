/* Another root or another view of the file system: chroot and the way out of it, mount, pivot_root, the newer mount
 * calls, each also in a new user and mount namespace, where anybody may. Natively a namespace of its own can be made
 * and changed. Here all are refused.
 * class: 123
 * contained: errno
 * ways: 12
 * build: musl */
#include <linux/mount.h>
#include <sys/mount.h>

#include "lib/files.h"

/* Two directories up and down again, from below a root that is not above us any more. */
static const char *out_of_root(const char *path)
{
    static char spelled[PATH_SIZE];

    path_join(spelled, "../../../../../../../..", path);
    return spelled;
}

/* Natively in a child with namespaces of its own, which take every change along when it ends. */
static void change_everything(void)
{
    static char root[PATH_SIZE];
    long tree, top = open_path("/", O_PATH | O_DIRECTORY);

    in_work(root, "root");
    raw(SYS_mkdir, root, 0700);
    way(raw(SYS_chroot, root) == 0, "chroot"); /* and we are outside of it, in the directory above */
    way(path_tells(out_of_root(secret())), "out of a chroot");
    raw(SYS_fchdir, top);
    raw(SYS_chroot, ".");
    way(raw(SYS_mount, "none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "the root made private");
    way(raw(SYS_mount, "/", root, NULL, MS_BIND | MS_REC, NULL) == 0, "a bind mount");
    way(raw(SYS_mount, "none", root, "tmpfs", 0, NULL) == 0, "a tmpfs");
    tree = raw(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE | 0x8000 /* AT_RECURSIVE */);
    way(tree >= 0, "open_tree");
    way(raw(SYS_move_mount, tree, "", AT_FDCWD, root, MOVE_MOUNT_F_EMPTY_PATH) == 0, "move_mount");
    way(raw(SYS_fsopen, "tmpfs", 0) >= 0, "fsopen");
    way(raw(SYS_umount2, root, MNT_DETACH) == 0, "umount");
    way(raw(SYS_pivot_root, root, root) == 0, "pivot_root");
}

/* A namespace is refused to clone as it is to unshare. */
static void enter_namespaces(void)
{
    static const long kinds[] = {CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS};

    way(raw(SYS_unshare, CLONE_NEWUSER | CLONE_NEWNS) == 0, "namespaces of its own");
    not_natively("unshare", "two namespaces of its own are enough");
    for (unsigned i = 0; !natively && i < sizeof kinds / sizeof *kinds; i++)
        way(raw(SYS_unshare, kinds[i]) == 0, "unshare");
}

static long in_child(void)
{
    long pid = raw(SYS_clone, SIGCHLD);

    if (pid == 0) {
        enter_namespaces();
        change_everything();
        leave(ways_open ? GOT_THROUGH : 0);
    }
    return wait_for(pid);
}

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    if (natively) {
        /* What was open there was said there. */
        if (!exited_with(in_child(), GOT_THROUGH))
            cannot("no namespaces of one's own here");
        works("another root");
    }
    enter_namespaces();
    change_everything();
    ways_end("another root");
}
