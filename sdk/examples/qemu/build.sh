#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Builds the demo: build.sh BOARD OUT.elf [compiler options]. Boards: mps2-an385 (Cortex-M3),
# mps2-an386 (Cortex-M4 with FPU), mps2-an505 (Cortex-M33). Needs arm-none-eabi-gcc, no C library.
set -eu
board=$1
out=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
sdk=$(cd "$here/../.." && pwd)
case $board in
mps2-an385) cpu="-mcpu=cortex-m3" uart=0x40004000 timer=0x40000000 irq=8 hz=25000000
	flash=0x00000000 ram=0x20000000 hole=0x70001000 ;;
mps2-an386) cpu="-mcpu=cortex-m4 -mfloat-abi=hard -mfpu=fpv4-sp-d16" uart=0x40004000 timer=0x40000000 irq=8 hz=25000000
	flash=0x00000000 ram=0x20000000 hole=0x70001000 ;;
mps2-an505) cpu="-mcpu=cortex-m33 -mfloat-abi=soft" uart=0x50200000 timer=0x50000000 irq=3 hz=20000000
	flash=0x10000000 ram=0x38000000 hole=0x1f001000 ;;
*) echo "unknown board $board" >&2; exit 2 ;;
esac
# shellcheck disable=SC2086
exec arm-none-eabi-gcc $cpu -mthumb -std=c11 -Og -g -ffreestanding -nostdlib \
	-ffunction-sections -fdata-sections -Wall -Wextra -Wconversion -Werror \
	-ffile-prefix-map="$sdk"=sdk "-DUART_BASE=$uart" "-DTIMER_BASE=$timer" "-DTIMER_IRQ=$irq" \
	"-DNOTHING_AT=$hole" "-DCPU_HZ=$hz" "-DBOARD=\"$board\"" \
	"-Wl,--defsym=flash_start=$flash,--defsym=ram_start=$ram" -Wl,--gc-sections -Wl,--build-id=sha1 \
	-Wl,--fatal-warnings "$@" -I "$sdk/include" -I "$sdk/src" -I "$here" \
	"-DMFLT_CONFIG_FILE=\"demo_config.h\"" -T "$here/link.ld" \
	"$here"/*.c "$sdk"/src/*.c "$sdk"/ports/cortex_m/*.c -lgcc -o "$out"
