/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* For a test whose pipelines have muxers in them: what those lose is told from what we lose by the
 * whole stack only, which takes an address sanitizer longer. To be included once. */

#pragma once

#ifdef __SANITIZE_ADDRESS__
const char *__asan_default_options (void);

const char *
__asan_default_options (void)
{
  return "fast_unwind_on_malloc=0";
}
#endif
