/* long call_with_registers(struct registers *call rdi, struct registers *seen rsi, void (*child)(...) rdx)
 * Offsets are those of struct registers in registers.h. */
    .set XMM, 0
    .set GPR, 256
    .set R15, GPR
    .set R14, GPR + 8
    .set R13, GPR + 16
    .set R12, GPR + 24
    .set R10, GPR + 40
    .set R9, GPR + 48
    .set R8, GPR + 56
    .set RDI, GPR + 64
    .set RSI, GPR + 72
    .set RBP, GPR + 80
    .set RBX, GPR + 88
    .set RDX, GPR + 96
    .set RAX, GPR + 112
    .set RFLAGS, GPR + 120
    .set RSP, GPR + 128
    .set SIZE, GPR + 136

    .macro each_xmm insn, base
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    \insn \n, \base
    .endr
    .endm
    .macro load_xmm n, base
    movdqu  XMM + 16 * \n(\base), %xmm\n
    .endm
    .macro store_xmm n, base
    movdqu  %xmm\n, XMM + 16 * \n(\base)
    .endm

    .text
    .globl call_with_registers, call_landing
    .type call_with_registers, @function
call_with_registers:
    push    %rbx
    push    %rbp
    push    %r12
    push    %r13
    push    %r14
    push    %r15
    mov     %rsi, seen(%rip)
    mov     %rdx, child(%rip)
    mov     %rsp, caller_rsp(%rip)
    mov     %rsp, RSP(%rdi)

    each_xmm load_xmm, %rdi
    mov     RAX(%rdi), %rax
    mov     RBX(%rdi), %rbx
    mov     RDX(%rdi), %rdx
    mov     RSI(%rdi), %rsi
    mov     RBP(%rdi), %rbp
    mov     R8(%rdi), %r8
    mov     R9(%rdi), %r9
    mov     R10(%rdi), %r10
    mov     R12(%rdi), %r12
    mov     R13(%rdi), %r13
    mov     R14(%rdi), %r14
    mov     R15(%rdi), %r15
    pushq   RFLAGS(%rdi)
    popfq
    mov     RDI(%rdi), %rdi
    syscall
call_landing:
    push    %rsp
    pushfq
    push    %rax
    push    %rcx
    push    %rdx
    push    %rbx
    push    %rbp
    push    %rsi
    push    %rdi
    push    %r8
    push    %r9
    push    %r10
    push    %r11
    push    %r12
    push    %r13
    push    %r14
    push    %r15
    lea     -GPR(%rsp), %rsp
    each_xmm store_xmm, %rsp
    cld
    mov     %rsp, %rsi
    test    %rax, %rax
    jz      .Lchild

    mov     seen(%rip), %rdi
    mov     $SIZE, %ecx
    rep movsb
    mov     caller_rsp(%rip), %rsp
    pop     %r15
    pop     %r14
    pop     %r13
    pop     %r12
    pop     %rbp
    pop     %rbx
    ret

.Lchild:
    mov     %rsi, %rdi
    xor     %ebp, %ebp
    and     $-16, %rsp
    call    *child(%rip)
    hlt
    .size call_with_registers, . - call_with_registers

    .local seen, child, caller_rsp
    .comm seen, 8, 8
    .comm child, 8, 8
    .comm caller_rsp, 8, 8

    .section .note.GNU-stack, "", @progbits
