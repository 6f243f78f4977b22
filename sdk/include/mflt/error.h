/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What functions give back: 0 and above is success. */
#ifndef MFLT_ERROR_H
#define MFLT_ERROR_H

enum {
	MFLT_OK = 0,
	/* An argument makes no sense. */
	MFLT_EINVAL = -1,
	/* It does not fit; nothing of it was kept. */
	MFLT_ETOOLARGE = -2,
	/* The part was not initialised. */
	MFLT_ENOTREADY = -3,
	/* The storage failed. */
	MFLT_EIO = -4,
	/* There is something already. */
	MFLT_EEXIST = -5,
	/* There were too many lately. */
	MFLT_ELIMIT = -6,
	/* What the other side sent makes no sense. */
	MFLT_EPROTOCOL = -7,
	/* The other side did not accept it. */
	MFLT_EREFUSED = -8,
};

#endif
