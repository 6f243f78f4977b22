#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Builds the demo: build.sh BOARD OUT.elf [compiler options]. Boards: mps2-an385 (Cortex-M3),
# mps2-an386 (Cortex-M4 with FPU), mps2-an505 (Cortex-M33). Needs arm-none-eabi-gcc, no C library.
# With FREERTOS=FOLDER, where the sources of its kernel are, it is the demo of ../freertos; with
# COMPILER=clang that is the compiler.
set -eu
board=$1
out=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
sdk=$(cd "$here/../.." && pwd)
case $board in
mps2-an385) cpu="-mcpu=cortex-m3" uart=0x40004000 timer=0x40000000 irq=8 hz=25000000
	flash=0x00000000 ram=0x20000000 hole=0x70001000 port=ARM_CM3 ;;
mps2-an386) cpu="-mcpu=cortex-m4 -mfloat-abi=hard -mfpu=fpv4-sp-d16" uart=0x40004000 timer=0x40000000 irq=8 hz=25000000
	flash=0x00000000 ram=0x20000000 hole=0x70001000 port=ARM_CM4F ;;
mps2-an505) cpu="-mcpu=cortex-m33 -mfloat-abi=soft" uart=0x50200000 timer=0x50000000 irq=3 hz=20000000
	flash=0x10000000 ram=0x38000000 hole=0x1f001000 port=ARM_CM33_NTZ/non_secure ;;
*) echo "unknown board $board" >&2; exit 2 ;;
esac
options="$cpu -mthumb -std=c11 -Og -g -ffreestanding -ffunction-sections -fdata-sections -fshort-enums"
case ${COMPILER-gcc} in
gcc) compiler="arm-none-eabi-gcc $options" ;;
clang) compiler="clang --target=arm-none-eabi $options" ;;
*) echo "unknown compiler $COMPILER" >&2; exit 2 ;;
esac
objects=$(mktemp -d)
trap 'rm -r "$objects"' EXIT

# compile SOURCES OPTIONS…
compile() {
	sources=$1
	shift
	# shellcheck disable=SC2086
	(cd "$objects" && $compiler -ffile-prefix-map="$sdk"=sdk "-DUART_BASE=$uart" "-DTIMER_BASE=$timer" \
		"-DTIMER_IRQ=$irq" "-DNOTHING_AT=$hole" "-DCPU_HZ=$hz" "-DBOARD=\"$board\"" \
		"-DMFLT_CONFIG_FILE=\"demo_config.h\"" -I "$sdk/include" -I "$sdk/src" -I "$here" "$@" -c $sources)
}

ours="$here/board.c $here/device.c $here/shell.c $sdk/src/*.c"
if [ -n "${FREERTOS-}" ]; then
	layer=$FREERTOS/portable/GCC/$port
	set -- -DFREERTOS -I "$sdk/examples/freertos" -I "$sdk/examples/freertos/libc" -I "$sdk/ports/freertos" \
		-I "$sdk/ports/cortex_m" -isystem "$FREERTOS/include" -isystem "$layer" "$@"
	compile "$FREERTOS/tasks.c $FREERTOS/list.c $FREERTOS/queue.c $layer/port*.c \
		$FREERTOS/portable/MemMang/heap_4.c" -ffile-prefix-map="$FREERTOS"=FreeRTOS-Kernel "$@" -w
	# The lock is the kernel's.
	ours="$ours $sdk/examples/freertos/*.c $sdk/ports/freertos/*.c $sdk/ports/cortex_m/[!l]*.c"
else
	ours="$ours $here/main.c $sdk/ports/cortex_m/*.c"
fi
compile "$ours" -Wall -Wextra -Wconversion -Werror "$@"
# shellcheck disable=SC2086
arm-none-eabi-gcc $options -nostdlib "-Wl,--defsym=flash_start=$flash,--defsym=ram_start=$ram" \
	-Wl,--gc-sections -Wl,--build-id=sha1 -Wl,--fatal-warnings -Wl,--no-warn-execstack \
	-T "$here/link.ld" "$objects"/*.o -lgcc -o "$out"
