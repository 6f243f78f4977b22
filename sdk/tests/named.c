/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* As events.c, with names on the wire. */
#include "events.c"
