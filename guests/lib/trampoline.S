/* long guest_clone(fn rdi, arg rsi, flags rdx, child_stack rcx, ptid r8, newtls r9, ctid 8(%rsp))
 * The kernel wants: flags rdi, child_stack rsi, ptid rdx, ctid r10, newtls r8. */
    .text
    .globl guest_clone
    .type guest_clone, @function
guest_clone:
    and     $-16, %rcx
    sub     $16, %rcx
    mov     %rdi, (%rcx)
    mov     %rsi, 8(%rcx)

    mov     %rdx, %rdi
    mov     %rcx, %rsi
    mov     %r8, %rdx
    mov     8(%rsp), %r10
    mov     %r9, %r8
    mov     $56, %eax
    syscall

    test    %rax, %rax
    jz      .Lchild
    ret

.Lchild:
    xor     %ebp, %ebp
    mov     8(%rsp), %rdi
    call    *(%rsp)
    mov     %eax, %edi
    mov     $60, %eax
    syscall
    hlt
    .size guest_clone, . - guest_clone

    .section .note.GNU-stack, "", @progbits
