"""Flag sets of calls on memory and System V IPC.

Names and values are those of the Linux 6.18 headers for x86-64; `_flagset` says how the text is read.
"""

from __future__ import annotations

from sandbox.syscalls._flagset import EVERY_BIT, Source

SOURCES: dict[str, Source] = {
    "mmap_prot": Source(
        bits="""
        PROT_READ=0x1 PROT_WRITE=0x2 PROT_EXEC=0x4 PROT_SEM=0x8 PROT_GROWSDOWN=0x1000000
        PROT_GROWSUP=0x2000000
        """,
        field="PROT_NONE=0x0",
    ),
    "mmap_flags": Source(
        bits="""
        MAP_FIXED=0x10 MAP_ANONYMOUS=0x20 MAP_32BIT=0x40 MAP_ABOVE4G=0x80 MAP_GROWSDOWN=0x100
        MAP_DENYWRITE=0x800 MAP_EXECUTABLE=0x1000 MAP_LOCKED=0x2000 MAP_NORESERVE=0x4000 MAP_POPULATE=0x8000
        MAP_NONBLOCK=0x10000 MAP_STACK=0x20000 MAP_HUGETLB=0x40000 MAP_SYNC=0x80000
        MAP_FIXED_NOREPLACE=0x100000 MAP_UNINITIALIZED=0x4000000
        """,
        mask=0xF,
        field="MAP_SHARED=0x1 MAP_PRIVATE=0x2 MAP_SHARED_VALIDATE=0x3 MAP_DROPPABLE=0x8",
        aliases="MAP_TYPE=0xf MAP_FILE=0x0 MAP_ANON=0x20 MAP_HUGE_2MB=0x54000000 MAP_HUGE_1GB=0x78000000",
    ),
    "mremap": Source(
        bits="MREMAP_MAYMOVE=0x1 MREMAP_FIXED=0x2 MREMAP_DONTUNMAP=0x4",
    ),
    "msync": Source(
        bits="MS_ASYNC=0x1 MS_INVALIDATE=0x2 MS_SYNC=0x4",
    ),
    "madvise": Source(
        mask=EVERY_BIT,
        field="""
        MADV_NORMAL=0 MADV_RANDOM=1 MADV_SEQUENTIAL=2 MADV_WILLNEED=3 MADV_DONTNEED=4 MADV_FREE=8
        MADV_REMOVE=9 MADV_DONTFORK=10 MADV_DOFORK=11 MADV_MERGEABLE=12 MADV_UNMERGEABLE=13 MADV_HUGEPAGE=14
        MADV_NOHUGEPAGE=15 MADV_DONTDUMP=16 MADV_DODUMP=17 MADV_WIPEONFORK=18 MADV_KEEPONFORK=19
        MADV_COLD=20 MADV_PAGEOUT=21 MADV_POPULATE_READ=22 MADV_POPULATE_WRITE=23 MADV_DONTNEED_LOCKED=24
        MADV_COLLAPSE=25 MADV_HWPOISON=100 MADV_SOFT_OFFLINE=101 MADV_GUARD_INSTALL=102
        MADV_GUARD_REMOVE=103
        """,
    ),
    "mlockall": Source(
        bits="MCL_CURRENT=0x1 MCL_FUTURE=0x2 MCL_ONFAULT=0x4",
    ),
    "mlock2": Source(
        bits="MLOCK_ONFAULT=0x1",
    ),
    "memfd": Source(
        bits="MFD_CLOEXEC=0x1 MFD_ALLOW_SEALING=0x2 MFD_HUGETLB=0x4 MFD_NOEXEC_SEAL=0x8 MFD_EXEC=0x10",
        aliases="MFD_HUGE_2MB=0x54000000 MFD_HUGE_1GB=0x78000000",
    ),
    "memfd_secret": Source(
        bits="O_CLOEXEC=0x80000",
    ),
    "map_shadow_stack": Source(
        bits="SHADOW_STACK_SET_TOKEN=0x1 SHADOW_STACK_SET_MARKER=0x2",
    ),
    "pkey_access": Source(
        bits="PKEY_DISABLE_ACCESS=0x1 PKEY_DISABLE_WRITE=0x2",
    ),
    "mempolicy": Source(
        bits="MPOL_F_NUMA_BALANCING=0x2000 MPOL_F_RELATIVE_NODES=0x4000 MPOL_F_STATIC_NODES=0x8000",
        mask=0xFF,
        field="""
        MPOL_DEFAULT=0 MPOL_PREFERRED=1 MPOL_BIND=2 MPOL_INTERLEAVE=3 MPOL_LOCAL=4 MPOL_PREFERRED_MANY=5
        MPOL_WEIGHTED_INTERLEAVE=6
        """,
    ),
    "mbind": Source(
        bits="MPOL_MF_STRICT=0x1 MPOL_MF_MOVE=0x2 MPOL_MF_MOVE_ALL=0x4",
    ),
    "get_mempolicy": Source(
        bits="MPOL_F_NODE=0x1 MPOL_F_ADDR=0x2 MPOL_F_MEMS_ALLOWED=0x4",
    ),
    "shmget": Source(
        bits="IPC_CREAT=0x200 IPC_EXCL=0x400 SHM_HUGETLB=0x800 SHM_NORESERVE=0x1000",
        mask=0x1FF,
    ),
    "shmat": Source(
        bits="SHM_RDONLY=0x1000 SHM_RND=0x2000 SHM_REMAP=0x4000 SHM_EXEC=0x8000",
    ),
    "ipc_get": Source(
        bits="IPC_CREAT=0x200 IPC_EXCL=0x400",
        mask=0x1FF,
    ),
    "shmctl_op": Source(
        mask=EVERY_BIT,
        field="""
        IPC_RMID=0 IPC_SET=1 IPC_STAT=2 IPC_INFO=3 SHM_LOCK=11 SHM_UNLOCK=12 SHM_STAT=13
        SHM_INFO=14 SHM_STAT_ANY=15
        """,
    ),
    "msgctl_op": Source(
        mask=EVERY_BIT,
        field="""
        IPC_RMID=0 IPC_SET=1 IPC_STAT=2 IPC_INFO=3 MSG_STAT=11 MSG_INFO=12 MSG_STAT_ANY=13
        """,
    ),
    "semctl_op": Source(
        mask=EVERY_BIT,
        field="""
        IPC_RMID=0 IPC_SET=1 IPC_STAT=2 IPC_INFO=3 GETPID=11 GETVAL=12 GETALL=13
        GETNCNT=14 GETZCNT=15 SETVAL=16 SETALL=17 SEM_STAT=18 SEM_INFO=19 SEM_STAT_ANY=20
        """,
    ),
    "msgflg": Source(
        bits="IPC_NOWAIT=0x800 MSG_NOERROR=0x1000 MSG_EXCEPT=0x2000 MSG_COPY=0x4000",
    ),
    "userfaultfd": Source(
        bits="UFFD_USER_MODE_ONLY=0x1 O_NONBLOCK=0x800 O_CLOEXEC=0x80000",
    ),
}
