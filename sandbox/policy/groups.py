"""`@groups`: system calls by what they are for, with the meanings systemd and firejail made common.

A group may hold other groups. What a group's name promises is in the comment above it; that a call stands in
a group says nothing of whether it is harmless.
"""

from __future__ import annotations

from sandbox.syscalls import table

_TEXT: dict[str, str] = {
    # Every call there is on x86-64 Linux.
    "@all": " ".join(table.NUMBERS),
    # Reading and writing through descriptors one has.
    "@basic-io": """
        close close_range dup dup2 dup3 lseek pread64 preadv preadv2 pwrite64 pwritev pwritev2 read
        readv write writev
    """,
    # What nearly every program does between its first and its last instruction, whatever its purpose.
    "@default": """
        @memory arch_prctl clock_getres clock_gettime clock_nanosleep exit exit_group execve futex
        futex_requeue futex_wait futex_waitv futex_wake get_robust_list get_thread_area getcpu getegid
        geteuid getgid getgroups getpgid getpgrp getpid getppid getrandom getresgid getresuid getrlimit
        getsid gettid gettimeofday getuid membarrier nanosleep pause prlimit64 restart_syscall rseq
        rt_sigreturn sched_getaffinity sched_yield set_robust_list set_thread_area set_tid_address time
        uname
    """,
    # A process's own address space.
    "@memory": """
        brk madvise map_shadow_stack mincore mmap mprotect mremap mseal msync munmap
        remap_file_pages
    """,
    # Keeping pages in memory.
    "@memlock": "mlock mlock2 mlockall munlock munlockall",
    # Memory protection keys.
    "@pkey": "pkey_alloc pkey_free pkey_mprotect",
    # Files, directories and their attributes, by path or descriptor.
    "@file-system": "@file-read @file-write",
    # The part of @file-system that changes no file. An open may still ask for writing: its flags decide.
    "@file-read": """
        access chdir faccessat faccessat2 fadvise64 fchdir fcntl fgetxattr file_getattr flistxattr fstat
        fstatfs getcwd getdents getdents64 getxattr getxattrat inotify_add_watch inotify_init
        inotify_init1 inotify_rm_watch lgetxattr listxattr listxattrat llistxattr lstat newfstatat open
        openat openat2 readahead readlink readlinkat stat statfs statx cachestat umask flock
    """,
    # The part of @file-system that makes, changes or removes files.
    "@file-write": """
        @chown chmod copy_file_range creat fallocate fchmod fchmodat fchmodat2 file_setattr fremovexattr
        fsetxattr ftruncate futimesat link linkat lremovexattr lsetxattr mkdir mkdirat mknod mknodat
        removexattr removexattrat rename renameat renameat2 rmdir setxattr setxattrat symlink symlinkat
        truncate unlink unlinkat utime utimensat utimes
    """,
    # Who owns a file.
    "@chown": "chown fchown fchownat lchown",
    # Waiting for descriptors.
    "@io-event": """
        epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait
        epoll_wait_old eventfd eventfd2 poll ppoll pselect6 select
    """,
    # Asynchronous I/O, io_uring included.
    "@aio": """
        io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit io_uring_enter
        io_uring_register io_uring_setup
    """,
    # Pipes, System V and POSIX message queues, shared memory, and other processes' memory.
    "@ipc": "@sysv-ipc @mqueue memfd_create memfd_secret pipe pipe2 process_vm_readv process_vm_writev",
    "@sysv-ipc": "msgctl msgget msgrcv msgsnd semctl semget semop semtimedop shmat shmctl shmdt shmget",
    "@mqueue": "mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink",
    # Sockets.
    "@network-io": """
        accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg recvmsg
        sendmmsg sendmsg sendto setsockopt shutdown socket socketpair
    """,
    # Making, replacing, watching and ending processes, and their namespaces.
    "@process": """
        arch_prctl capget clone clone3 execveat fork getrusage kill pidfd_open pidfd_send_signal prctl
        process_madvise process_mrelease rt_sigqueueinfo rt_tgsigqueueinfo setns setpgid setsid tgkill times
        tkill unshare vfork wait4 waitid
    """,
    # Handling signals, not sending them.
    "@signal": """
        rt_sigaction rt_sigpending rt_sigprocmask rt_sigreturn rt_sigsuspend rt_sigtimedwait sigaltstack
        signalfd signalfd4
    """,
    # Timers of a process's own.
    "@timer": """
        alarm getitimer setitimer timer_create timer_delete timer_getoverrun timer_gettime timer_settime
        timerfd_create timerfd_gettime timerfd_settime times
    """,
    # Setting the machine's clock. Reading it is in @default.
    "@clock": "adjtimex clock_adjtime clock_settime settimeofday",
    # Writing to disk what is written.
    "@sync": "fdatasync fsync msync sync sync_file_range syncfs",
    # Moving data without copying it through the program.
    "@splice": "copy_file_range sendfile splice tee vmsplice",
    # Priorities, limits, CPUs and memory policy.
    "@resources": """
        ioprio_get ioprio_set mbind migrate_pages move_pages get_mempolicy getpriority sched_getattr
        sched_getparam sched_getscheduler sched_get_priority_max sched_get_priority_min
        sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam sched_setscheduler
        set_mempolicy set_mempolicy_home_node setpriority setrlimit
    """,
    # A program locking itself in.
    "@sandbox": "landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp",
    # Changing user, group or capabilities.
    "@setuid": "setfsgid setfsuid setgid setgroups setregid setresgid setresuid setreuid setuid",
    # Watching and steering other processes, or the whole kernel.
    "@debug": """
        lookup_dcookie kcmp perf_event_open pidfd_getfd process_vm_readv process_vm_writev ptrace uprobe
        uretprobe
    """,
    # Kernel modules.
    "@module": "create_module delete_module finit_module get_kernel_syms init_module query_module",
    # File systems and what is seen of them.
    "@mount": """
        chroot fsconfig fsmount fsopen fspick listmount mount mount_setattr move_mount open_tree
        open_tree_attr pivot_root statmount umount2
    """,
    # Rebooting, and starting another kernel.
    "@reboot": "kexec_file_load kexec_load reboot",
    # Swap space.
    "@swap": "swapoff swapon",
    # Ports and devices directly.
    "@raw-io": "ioperm iopl",
    # The kernel's key store.
    "@keyring": "add_key keyctl request_key",
    # Running code for another CPU or an old system.
    "@cpu-emulation": "modify_ldt personality",
    # Numbers that are answered no more, or that nothing new should use.
    "@obsolete": """
        _sysctl afs_syscall create_module epoll_ctl_old epoll_wait_old get_kernel_syms getpmsg
        nfsservctl putpmsg query_module security sysfs tuxcall uselib ustat vserver
    """,
    # What needs, or is there to gain, a privilege.
    "@privileged": """
        @chown @clock @module @mount @raw-io @reboot @setuid @swap acct bpf capset fanotify_init
        fanotify_mark name_to_handle_at open_by_handle_at quotactl quotactl_fd setdomainname sethostname
        syslog vhangup
    """,
}

GROUPS: frozenset[str] = frozenset(_TEXT)


def expand(group: str) -> tuple[str, ...]:
    """The names of all calls in a group, those of the groups in it included, each once.

    Raises KeyError for a name that is not in GROUPS.
    """
    found: dict[str, None] = {}
    for word in _TEXT[group].split():
        found |= dict.fromkeys(expand(word)) if word.startswith("@") else {word: None}
    return tuple(found)
