/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* As much of printf as log lines need: no libc, no heap, the same stack for every call. */
#ifndef MFLT_FORMAT_H
#define MFLT_FORMAT_H

#include <stdarg.h>
#include <stddef.h>

/* Writes at most `size` bytes, without NUL; gives how many. */
size_t mflt_format(char *to, size_t size, const char *format, va_list arguments)
	__attribute__((format(printf, 3, 0)));

/* Length of a text, at most `most`; a null pointer is replaced by "(null)". */
size_t mflt_text_length(const char **text, size_t most);

#endif
