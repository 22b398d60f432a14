/* See probe.h. Between the call and the capture of the registers nothing is pushed, and no flag changes: xchg, jrcxz,
 * mov and lea leave the flags alone. */
    .set RAX, 0
    .set RDI, 8
    .set RSI, 16
    .set RDX, 24
    .set R10, 32
    .set R8, 40
    .set R9, 48
    .set RBX, 56
    .set RBP, 64
    .set R12, 72
    .set R13, 80
    .set R14, 88
    .set R15, 96
    .set RCX, 104
    .set R11, 112
    .set RSP, 120
    .set RFLAGS, 128
    .set XMM, 136
    .set SIZE, 392

    .macro load_all
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movdqu  probe_in + XMM + 16 * \n(%rip), %xmm\n
    .endr
    mov     %rsp, probe_in + RSP(%rip)
    pushq   probe_in + RFLAGS(%rip)
    popfq
    mov     probe_in + RAX(%rip), %rax
    mov     probe_in + RDI(%rip), %rdi
    mov     probe_in + RSI(%rip), %rsi
    mov     probe_in + RDX(%rip), %rdx
    mov     probe_in + R10(%rip), %r10
    mov     probe_in + R8(%rip), %r8
    mov     probe_in + R9(%rip), %r9
    mov     probe_in + RBX(%rip), %rbx
    mov     probe_in + RBP(%rip), %rbp
    mov     probe_in + R12(%rip), %r12
    mov     probe_in + R13(%rip), %r13
    mov     probe_in + R14(%rip), %r14
    mov     probe_in + R15(%rip), %r15
    .endm

    /* rax and rcx have changed places. */
    .macro store_all out, scratch
    mov     %rcx, \out + RAX(%rip)
    mov     %rax, \out + RCX(%rip)
    mov     %rdi, \out + RDI(%rip)
    mov     %rsi, \out + RSI(%rip)
    mov     %rdx, \out + RDX(%rip)
    mov     %r10, \out + R10(%rip)
    mov     %r8, \out + R8(%rip)
    mov     %r9, \out + R9(%rip)
    mov     %rbx, \out + RBX(%rip)
    mov     %rbp, \out + RBP(%rip)
    mov     %r12, \out + R12(%rip)
    mov     %r13, \out + R13(%rip)
    mov     %r14, \out + R14(%rip)
    mov     %r15, \out + R15(%rip)
    mov     %r11, \out + R11(%rip)
    mov     %rsp, \out + RSP(%rip)
    lea     \scratch + 64(%rip), %rsp
    pushfq
    popq    \out + RFLAGS(%rip)
    cld
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movdqu  %xmm\n, \out + XMM + 16 * \n(%rip)
    .endr
    .endm

    .macro save_callers
    .irp r, rbx, rbp, r12, r13, r14, r15
    push    %\r
    .endr
    .endm

    .text
    .globl probe_syscall, probe_int80
    .type probe_syscall, @function
    .type probe_int80, @function
probe_int80:
    save_callers
    load_all
    int     $0x80
    jmp     .Llanding

probe_syscall:
    save_callers
    load_all
    syscall
.Llanding:
    xchg    %rax, %rcx
    jrcxz   .Lnear_zero
    jmp     .Lother
.Lnear_zero:
    jmp     .Lzero
.Lother:
    store_all probe_out, scratch
    mov     probe_out + RSP(%rip), %rsp
.Lback:
    .irp r, r15, r14, r13, r12, rbp, rbx
    pop     %\r
    .endr
    ret

.Lzero:
    store_all probe_out_zero, scratch_zero
    cmpq    $0, probe_makes_tasks(%rip)
    jne     .Lchild
    mov     probe_out_zero + RSP(%rip), %rsp
    jmp     .Lback

.Lchild:
    mov     probe_child_stack(%rip), %rsp
    and     $-16, %rsp
    xor     %ebp, %ebp
    call    probe_child
    hlt
    .size probe_syscall, . - probe_syscall

    .globl probe_handler, probe_restorer
probe_handler:
    jmp     probe_signal
probe_restorer:
    mov     $15, %eax
    syscall
    hlt

    .globl probe_in, probe_out, probe_out_zero, probe_makes_tasks, probe_child_stack
    .comm probe_in, SIZE, 16
    .comm probe_out, SIZE, 16
    .comm probe_out_zero, SIZE, 16
    .comm probe_makes_tasks, 8, 8
    .comm probe_child_stack, 8, 8
    .local scratch, scratch_zero
    .comm scratch, 64, 16
    .comm scratch_zero, 64, 16

    .section .note.GNU-stack, "", @progbits
