/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The kernel includes it, and needs nothing of it. */
#include <stddef.h>
