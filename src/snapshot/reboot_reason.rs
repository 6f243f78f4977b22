//! Reboot reasons: why a device restarted, or why it kept a coredump, as its SDK numbers them.
//!
//! Numbers below 0x8000 are expected restarts, the rest are crashes; 0x1000 and 0xa000 begin the
//! ranges in which a firmware defines its own.

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RebootReason {
    /// The number on the wire.
    pub code: u32,
    /// Its name.
    pub name: &'static str,
}

const fn row(code: u32, name: &'static str) -> RebootReason {
    RebootReason { code, name }
}

/// Every reason that has a fixed meaning, by number.
pub const REBOOT_REASONS: [RebootReason; 34] = [
    row(0x0000, "Unknown"),
    row(0x0001, "UserShutdown"),
    row(0x0002, "UserReset"),
    row(0x0003, "FirmwareUpdate"),
    row(0x0004, "LowPower"),
    row(DEBUGGER_HALTED, "DebuggerHalted"),
    row(0x0006, "ButtonReset"),
    row(0x0007, "PowerOnReset"),
    row(0x0008, "SoftwareReset"),
    row(0x0009, "DeepSleep"),
    row(0x000a, "PinReset"),
    row(0x000b, "SelfTest"),
    row(UNKNOWN_ERROR, "UnknownError"),
    row(0x8001, "Assert"),
    row(0x8002, "Watchdog"),
    row(0x8003, "BrownOutReset"),
    row(0x8004, "Nmi"),
    row(0x8005, "HardwareWatchdog"),
    row(0x8006, "SoftwareWatchdog"),
    row(0x8007, "ClockFailure"),
    row(0x8008, "KernelPanic"),
    row(0x8009, "FirmwareUpdateError"),
    row(0x800a, "OutOfMemory"),
    row(0x800b, "StackOverflow"),
    row(0x800c, "TaskWatchdog"),
    row(0x9100, "BusFault"),
    row(0x9200, "MemFault"),
    row(0x9300, "UsageFault"),
    row(0x9400, "HardFault"),
    row(0x9401, "Lockup"),
    row(0x9402, "SecurityViolation"),
    row(0x9403, "ParityError"),
    row(0x9404, "Temperature"),
    row(0x9405, "Hardware"),
];

/// A debugger took the capture; nothing crashed.
pub const DEBUGGER_HALTED: u32 = 0x0005;
/// A crash of an unknown kind.
pub const UNKNOWN_ERROR: u32 = 0x8000;

/// Exceptions that have a reason of their own: number, code.
const EXCEPTIONS: [(u16, u32); 4] = [(3, 0x9400), (4, 0x9200), (5, 0x9100), (6, 0x9300)];

/// The reason that stands for a fault exception, by its number.
pub fn of_exception(number: u16) -> Option<u32> {
    EXCEPTIONS.iter().find(|(known, _)| *known == number).map(|(_, code)| *code)
}

/// The number of the fault exception that `code` stands for.
pub fn exception(code: u32) -> Option<u16> {
    EXCEPTIONS.iter().find(|(_, known)| *known == code).map(|(number, _)| *number)
}

/// The name of `code`, when it has a fixed meaning.
pub fn name(code: u32) -> Option<&'static str> {
    REBOOT_REASONS.iter().find(|row| row.code == code).map(|row| row.name)
}

/// Whether `code` stands for a crash: 0, which says nothing, and everything from 0x8000 on.
pub fn is_crash(code: u32) -> bool {
    code == 0 || code >= UNKNOWN_ERROR
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_by_its_number_and_they_ascend() {
        for pair in REBOOT_REASONS.windows(2) {
            assert!(pair[0].code < pair[1].code, "{pair:?}");
        }
        for row in REBOOT_REASONS {
            assert_eq!(name(row.code), Some(row.name));
            assert_eq!(is_crash(row.code), row.code == 0 || row.code & 0x8000 != 0, "{row:?}");
        }
        assert_eq!(name(0x8001), Some("Assert"));
        assert_eq!(name(0x9300), Some("UsageFault"));
        assert_eq!(name(0x1001), None);
        for (number, fault) in [(3, "HardFault"), (4, "MemFault"), (5, "BusFault")] {
            let code = of_exception(number).unwrap();
            assert_eq!((name(code), exception(code)), (Some(fault), Some(number)));
        }
    }
}
