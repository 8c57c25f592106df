/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Changing stacks on x86-64, see gaio-switch-private.h.
 *
 * A stack that waits has on its top, from below: the two words of floating point modes, r15, r14,
 * r13, r12, rbx, rbp, and where to go on. The last jump is none of `ret`, since the processor would
 * predict a return to the caller on the other stack.
 *
 * There is no note that says that this file could do with a shadow stack: with one in force a
 * change of stacks is a fault. Without the note the system does not use it. */

        .text

        .globl gaio_switch
        .hidden gaio_switch
        .type gaio_switch, @function
        .p2align 4
gaio_switch:
        .cfi_startproc
        pushq %rbp
        .cfi_adjust_cfa_offset 8
        pushq %rbx
        .cfi_adjust_cfa_offset 8
        pushq %r12
        .cfi_adjust_cfa_offset 8
        pushq %r13
        .cfi_adjust_cfa_offset 8
        pushq %r14
        .cfi_adjust_cfa_offset 8
        pushq %r15
        .cfi_adjust_cfa_offset 8
        subq $8, %rsp
        .cfi_adjust_cfa_offset 8
        stmxcsr (%rsp)
        fnstcw 4(%rsp)
        movq %rsp, (%rdi)
        movq %rsi, %rsp
        ldmxcsr (%rsp)
        fldcw 4(%rsp)
        addq $8, %rsp
        .cfi_adjust_cfa_offset -8
        popq %r15
        .cfi_adjust_cfa_offset -8
        popq %r14
        .cfi_adjust_cfa_offset -8
        popq %r13
        .cfi_adjust_cfa_offset -8
        popq %r12
        .cfi_adjust_cfa_offset -8
        popq %rbx
        .cfi_adjust_cfa_offset -8
        popq %rbp
        .cfi_adjust_cfa_offset -8
        popq %rcx
        .cfi_adjust_cfa_offset -8
        .cfi_register %rip, %rcx
        jmpq *%rcx
        .cfi_endproc
        .size gaio_switch, . - gaio_switch

        /* The first frame of a stack; debuggers see that there is nothing beyond. */
        .type begin, @function
        .p2align 4
begin:
        .cfi_startproc
        .cfi_undefined %rip
        movq %r13, %rdi
        callq *%r12
        ud2
        .cfi_endproc
        .size begin, . - begin

        .globl gaio_switch_prepare
        .hidden gaio_switch_prepare
        .type gaio_switch_prepare, @function
        .p2align 4
gaio_switch_prepare:
        .cfi_startproc
        leaq (%rdi, %rsi), %rax
        andq $-16, %rax
        subq $80, %rax
        stmxcsr (%rax)
        fnstcw 4(%rax)
        movq %rcx, 24(%rax)
        movq %rdx, 32(%rax)
        movq $0, 48(%rax)
        leaq begin(%rip), %rcx
        movq %rcx, 56(%rax)
        retq
        .cfi_endproc
        .size gaio_switch_prepare, . - gaio_switch_prepare

        .section .note.GNU-stack, "", @progbits
