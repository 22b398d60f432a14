    .text
    .globl probe
    .type probe, @function
/* long probe(void *arg): what it was entered with goes to probe_saw. */
probe:
    mov     %rsp, probe_saw(%rip)
    mov     %rdi, probe_saw + 8(%rip)
    mov     %rdx, probe_saw + 16(%rip)
    mov     %r10, probe_saw + 24(%rip)
    mov     %r8, probe_saw + 32(%rip)
    mov     %rbp, probe_saw + 40(%rip)
    mov     $42, %eax
    ret
    .size probe, . - probe

    .globl clone_without_stack
    .type clone_without_stack, @function
/* long clone_without_stack(unsigned long flags): a child, which uses our own stack, only exits with 42. */
clone_without_stack:
    xor     %esi, %esi
    xor     %edx, %edx
    xor     %r10d, %r10d
    xor     %r8d, %r8d
    mov     $56, %eax
    syscall
    test    %rax, %rax
    jz      1f
    ret
1:  mov     $42, %edi
    mov     $60, %eax
    syscall
    hlt
    .size clone_without_stack, . - clone_without_stack

    .hidden probe_saw
    .comm   probe_saw, 48, 8
    .section .note.GNU-stack, "", @progbits
