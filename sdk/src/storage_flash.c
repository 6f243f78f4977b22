/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "mflt/flash.h"
#include "mflt/config.h"
#include "mflt/error.h"

#if MFLT_FLASH_PAGE_SIZE % MFLT_STORAGE_UNIT != 0 || MFLT_FLASH_SIZE % MFLT_FLASH_PAGE_SIZE != 0
#error "MFLT_FLASH_SIZE is not a number of whole pages, or a page not one of whole units"
#endif

/* The first page, with the header; the others when they are written to: what is not needed does not
 * wear. */
static int erase(void)
{
	return mflt_flash_erase(0);
}

static int write(uint32_t at, const void *from, uint32_t size)
{
	if (at != 0 && at % MFLT_FLASH_PAGE_SIZE == 0) {
		int result = mflt_flash_erase(at);

		if (result < 0) {
			return result;
		}
	}
	return mflt_flash_program(at, from, size);
}

static int invalidate(void)
{
	static const uint8_t zeros[MFLT_STORAGE_UNIT];

	return MFLT_FLASH_CLEARS ? mflt_flash_program(0, zeros, sizeof(zeros)) : mflt_flash_erase(0);
}

const struct mflt_storage mflt_storage_flash = {
	.size = MFLT_FLASH_SIZE,
	.erase = erase,
	.write = write,
	.read = mflt_flash_read,
	.invalidate = invalidate,
};
