    .text
    .globl call_wrapper
    .type call_wrapper, @function
/* long call_wrapper(wrapper rdi, fn rsi, stack rdx, flags rcx, arg r8, ptid r9, tls 8(%rsp), ctid 16(%rsp)) calls
 * wrapper(fn, stack, flags, arg, ptid, tls, ctid) and stores the rcx it returns with. */
call_wrapper:
    mov     %rdi, %r11
    mov     8(%rsp), %r10
    mov     16(%rsp), %rax
    mov     %rsi, %rdi
    mov     %rdx, %rsi
    mov     %rcx, %rdx
    mov     %r8, %rcx
    mov     %r9, %r8
    mov     %r10, %r9
    push    %rax
    xor     %eax, %eax
    call    *%r11
    mov     %rcx, parent_rcx(%rip)
    add     $8, %rsp
    movslq  %eax, %rax
    ret
    .size call_wrapper, . - call_wrapper

    .globl child_entry
    .type child_entry, @function
child_entry:
    mov     %rcx, child_rcx(%rip)
    mov     %rsp, child_rsp(%rip)
    mov     %rdi, child_rdi(%rip)
    mov     %r9, child_r9(%rip)
    sub     $8, %rsp
    call    do_something
    add     $8, %rsp
    ret
    .size child_entry, . - child_entry

    .irp name, parent_rcx, child_rcx, child_rsp, child_rdi, child_r9
    .hidden \name
    .comm   \name, 8, 8
    .endr
    .section .note.GNU-stack, "", @progbits
