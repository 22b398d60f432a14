/* A thread's stack, lowest address first: guard page; free space; ...; fn's result (pushed when fn has returned);
 * the handle: id (CLONE_CHILD_SETTID writes it, CLONE_CHILD_CLEARTID zeroes it and wakes a futex), canary.
 * child_stack and ctid are both the handle's address. */
    .set STACK_SIZE, 2 * 1024 * 1024 + 4096
    .set GUARD_SIZE, 4096
    .set CANARY, 0xdeadbeef
    .set STARTING, 0x7fffffff
    .set EINVAL, 22

    .set SYS_mmap, 9
    .set SYS_mprotect, 10
    .set SYS_munmap, 11
    .set SYS_clone, 56
    .set SYS_exit, 60
    .set SYS_futex, 202

    .set PROT_READ_WRITE, 3
    .set MAP_FLAGS, 0x20022         /* MAP_STACK | MAP_ANONYMOUS | MAP_PRIVATE */
    /* VM | FS | FILES | IO | SIGHAND | PARENT | THREAD | CHILD_SETTID | CHILD_CLEARTID */
    .set THREAD_FLAGS, 0x100 + 0x200 + 0x400 + 0x80000000 + 0x800 + 0x8000 + 0x10000 + 0x1000000 + 0x200000

    .text
    .globl linen_thread_create
    .type linen_thread_create, @function
linen_thread_create:
    test    %rdi, %rdi
    jz      .Linvalid
    test    %rsi, %rsi
    jz      .Linvalid
    push    %rbx
    push    %rbp
    push    %r12
    push    %r13
    push    %r14
    mov     %rdi, %r12
    mov     %rsi, %r13
    mov     %rdx, %r14

    xor     %edi, %edi
    mov     $STACK_SIZE, %esi
    mov     $PROT_READ_WRITE, %edx
    mov     $MAP_FLAGS, %r10d
    mov     $-1, %r8
    xor     %r9d, %r9d
    mov     $SYS_mmap, %eax
    syscall
    cmp     $-4096, %rax
    ja      .Ldone
    mov     %rax, %rbx

    mov     %rbx, %rdi
    mov     $GUARD_SIZE, %esi
    xor     %edx, %edx
    mov     $SYS_mprotect, %eax
    syscall
    test    %rax, %rax
    js      .Lunmap

    lea     STACK_SIZE - 8(%rbx), %rsi
    /* Not 0, or a join before the child's first instruction would take the thread for ended. */
    movl    $STARTING, (%rsi)
    movl    $CANARY, 4(%rsi)
    mov     $THREAD_FLAGS, %edi
    xor     %edx, %edx
    mov     %rsi, %r10
    xor     %r8d, %r8d
    mov     $SYS_clone, %eax
    syscall
    test    %rax, %rax
    jz      .Lthread
    js      .Lunmap

    lea     STACK_SIZE - 8(%rbx), %rax
    mov     %rax, (%r12)
    xor     %eax, %eax
.Ldone:
    pop     %r14
    pop     %r13
    pop     %r12
    pop     %rbp
    pop     %rbx
    ret

.Lunmap:
    mov     %rax, %rbp
    mov     %rbx, %rdi
    mov     $STACK_SIZE, %esi
    mov     $SYS_munmap, %eax
    syscall
    mov     %rbp, %rax
    jmp     .Ldone

.Linvalid:
    mov     $-EINVAL, %rax
    ret

.Lthread:
    xor     %ebp, %ebp
    mov     %r14, %rdi
    sub     $8, %rsp                /* the handle's address is 8 modulo 16 */
    call    *%r13
    mov     %rax, (%rsp)
    xor     %edi, %edi
    mov     $SYS_exit, %eax
    syscall
    hlt
    .size linen_thread_create, . - linen_thread_create

    .globl linen_thread_join
    .type linen_thread_join, @function
linen_thread_join:
    test    %rdi, %rdi
    jz      .Linvalid
    cmpl    $CANARY, 4(%rdi)
    jne     .Linvalid
    push    %rbx
    mov     %rdi, %rbx
    mov     %rsi, %r9

.Lwait:
    mov     (%rbx), %edx
    test    %edx, %edx
    jz      .Lended
    mov     %rbx, %rdi
    xor     %esi, %esi              /* FUTEX_WAIT, not private: CLONE_CHILD_CLEARTID wakes the shared key */
    xor     %r10d, %r10d
    mov     $SYS_futex, %eax
    syscall
    jmp     .Lwait

.Lended:
    test    %r9, %r9
    jz      .Lfree
    mov     -8(%rbx), %rax
    mov     %rax, (%r9)
.Lfree:
    lea     8 - STACK_SIZE(%rbx), %rdi
    mov     $STACK_SIZE, %esi
    mov     $SYS_munmap, %eax
    syscall
    pop     %rbx
    ret
    .size linen_thread_join, . - linen_thread_join

    .section .note.GNU-stack, "", @progbits
