/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The device of tests/it/sdk/store.rs crashes as often as it likes. */
#define MFLT_COREDUMP_BURST 0
