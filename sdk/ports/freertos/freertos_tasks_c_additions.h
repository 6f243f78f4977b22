/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Included by the kernel's tasks.c. An application that has such a file already includes this one in it,
 * as mflt_tasks_c_additions.h. */
#include "mflt_tasks_c_additions.h"
