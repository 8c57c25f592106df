/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Changing stacks on 64-bit ARM, see gaio-switch-private.h.
 *
 * A stack that waits has on its top, from below: x29 and x30, which is where to go on, x19 to x28,
 * d8 to d15, and the modes of floating point. */

        .text

        .globl gaio_switch
        .hidden gaio_switch
        .type gaio_switch, %function
        .p2align 4
gaio_switch:
        .cfi_startproc
        stp x29, x30, [sp, #-176]!
        .cfi_adjust_cfa_offset 176
        .cfi_rel_offset x29, 0
        .cfi_rel_offset x30, 8
        stp x19, x20, [sp, #16]
        stp x21, x22, [sp, #32]
        stp x23, x24, [sp, #48]
        stp x25, x26, [sp, #64]
        stp x27, x28, [sp, #80]
        stp d8, d9, [sp, #96]
        stp d10, d11, [sp, #112]
        stp d12, d13, [sp, #128]
        stp d14, d15, [sp, #144]
        mrs x9, fpcr
        str x9, [sp, #160]
        mov x9, sp
        str x9, [x0]
        mov sp, x1
        ldr x9, [sp, #160]
        msr fpcr, x9
        ldp x19, x20, [sp, #16]
        ldp x21, x22, [sp, #32]
        ldp x23, x24, [sp, #48]
        ldp x25, x26, [sp, #64]
        ldp x27, x28, [sp, #80]
        ldp d8, d9, [sp, #96]
        ldp d10, d11, [sp, #112]
        ldp d12, d13, [sp, #128]
        ldp d14, d15, [sp, #144]
        ldp x29, x30, [sp], #176
        .cfi_adjust_cfa_offset -176
        .cfi_restore x29
        .cfi_restore x30
        ret
        .cfi_endproc
        .size gaio_switch, . - gaio_switch

        /* The first frame of a stack; debuggers see that there is nothing beyond. */
        .type begin, %function
        .p2align 4
begin:
        .cfi_startproc
        .cfi_undefined x30
        mov x0, x20
        blr x19
        brk #1
        .cfi_endproc
        .size begin, . - begin

        .globl gaio_switch_prepare
        .hidden gaio_switch_prepare
        .type gaio_switch_prepare, %function
        .p2align 4
gaio_switch_prepare:
        .cfi_startproc
        add x0, x0, x1
        and x0, x0, #-16
        sub x0, x0, #176
        adr x9, begin
        stp xzr, x9, [x0]
        stp x2, x3, [x0, #16]
        mrs x9, fpcr
        str x9, [x0, #160]
        ret
        .cfi_endproc
        .size gaio_switch_prepare, . - gaio_switch_prepare

        .section .note.GNU-stack, "", %progbits
