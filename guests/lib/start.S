/* Entry point of the guests without a C library: main(argc, argv, envp), then exit_group with its result.
 * The compiler may call memcpy and memset on its own account even in freestanding code. */
    .text
    .globl _start
_start:
    xor     %ebp, %ebp
    mov     (%rsp), %rdi
    lea     8(%rsp), %rsi
    lea     8(%rsi,%rdi,8), %rdx
    and     $-16, %rsp
    call    main
    mov     %eax, %edi
    mov     $231, %eax
    syscall
    hlt

    .globl memcpy
memcpy:
    mov     %rdi, %rax
    mov     %rdx, %rcx
    rep movsb
    ret

    .globl memset
memset:
    mov     %rdi, %r8
    mov     %esi, %eax
    mov     %rdx, %rcx
    rep stosb
    mov     %r8, %rax
    ret

    .section .note.GNU-stack, "", @progbits
