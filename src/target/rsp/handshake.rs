//! Beginning a session: what the server can do, what it is, and a stopped target.

use super::layout::Layout;
use super::link::{Link, READ, SIMPLE, error_code, is_stop, shorten, stop_signal};
use super::server::Features;
use super::xml::tags;
use super::{GdbClient, ServerKind};
use crate::base::{Address, AddressRange};
use crate::snapshot::Register;
use crate::target::{TargetError, is_device};

/// Longest document that is fetched, and how many a description may include.
const MAX_DOCUMENT: usize = 1 << 18;
const MAX_INCLUDES: usize = 16;
const MAX_RAM_RANGES: usize = 64;
/// Requests on their way at once: QEMU takes any number, others few.
const PIPELINE_QEMU: usize = 64;
const PIPELINE_NO_ACK: usize = 4;

/// The feature by which `mflt gdbserver` tells that it serves a dump.
const SERVED_DUMP: &str = "mflt.dump";

/// The reason of a target that was running until we came.
const STOPPED_BY_US: &str = "halted by the debugger";

/// Says hello and asks what the server can do.
pub(super) fn features(link: &mut Link) -> Result<Features, TargetError> {
    // OpenOCD drops clients that are silent for a second, so we speak first; some servers say
    // something of their own on connecting (a lone `+`, a stop reply), which is passed over.
    link.send_raw(b"+")?;
    link.drain()?;
    let request = "qSupported:multiprocess-;swbreak-;hwbreak-;xmlRegisters=arm";
    let mut reply = link.request(request, SIMPLE)?;
    if !Features::plausible(&reply) {
        // A stale answer to somebody else's request; ours must be behind it.
        reply = link.reply(SIMPLE, "qSupported")?;
        if !Features::plausible(&reply) {
            let reply = shorten(&reply);
            return Err(TargetError::Unexpected { request: "qSupported".to_owned(), reply });
        }
    }
    let features = Features::parse(&reply);
    if features.no_ack && link.request("QStartNoAckMode", SIMPLE)? == b"OK" {
        // One last `+` for the OK, then never again: pyOCD loses what follows a stray one.
        link.flush()?;
        link.acks = false;
    }
    Ok(features)
}

impl GdbClient {
    /// Finds out who is there, stops the target and learns its registers.
    pub(super) fn begin(&mut self) -> Result<(), TargetError> {
        self.identify()?;
        self.stop_first()?;
        self.layout = self.describe()?;
        Ok(())
    }

    fn identify(&mut self) -> Result<(), TargetError> {
        let features = &self.features;
        if let Some(debugger) = features.debugger.clone() {
            return self.identify_behind(&debugger);
        }
        if !features.no_ack {
            // Only QEMU and Renode do not offer to leave out acknowledgements.
            if self.link.request("qqemu.sstepbits", SIMPLE)?.starts_with(b"ENABLE=") {
                self.kind = ServerKind::Qemu;
                self.pipeline = PIPELINE_QEMU;
                self.description = "QEMU".to_owned();
            } else {
                self.description = "GDB server".to_owned();
            }
            return Ok(());
        }
        self.pipeline = PIPELINE_NO_ACK;
        let size = features.packet_size;
        let openocd = size == 0x4000 && features.threads_xml && features.resume_list;
        if openocd
            && let Ok(version) = self.link.monitor("version")
            && let Some(line) = openocd_version(&version)
        {
            self.kind = ServerKind::OpenOcd;
            self.description = line;
        } else if size == 0x800 && features.threads_xml {
            self.kind = ServerKind::PyOcd;
            self.description = "pyOCD".to_owned();
        } else if size == 0x400 && features.memory_map && !features.threads_xml {
            self.kind = ServerKind::BlackMagic;
            self.description = "Black Magic Probe".to_owned();
            // Not over USB, where bursts are lost.
            self.pipeline = 1;
        }
        if self.description.is_empty() {
            self.description = "GDB server".to_owned();
        }
        Ok(())
    }

    /// Which server a debugger is connected to. Two habits reach through it: QEMU hides what the
    /// MPU denies, OpenOCD says zero for what it cannot read.
    fn identify_behind(&mut self, debugger: &str) -> Result<(), TargetError> {
        self.pipeline = PIPELINE_NO_ACK;
        let mut server = "GDB server".to_owned();
        if self.link.request("qqemu.sstepbits", SIMPLE)?.starts_with(b"ENABLE=") {
            self.kind = ServerKind::Qemu;
            server = "QEMU".to_owned();
        } else if let Ok(version) = self.link.monitor("version")
            && let Some(line) = openocd_version(&version)
        {
            self.kind = ServerKind::OpenOcd;
            server = line;
        }
        self.description = format!("{debugger} ({server})");
        Ok(())
    }

    /// Stops the target, and finds out whether it was running.
    fn stop_first(&mut self) -> Result<(), TargetError> {
        let reply = match self.link.stop_reply("?", SIMPLE) {
            // Black Magic does not answer while the target runs.
            Err(TargetError::Timeout { .. }) => Vec::new(),
            other => other?,
        };
        if matches!(reply.first(), Some(b'W' | b'X')) && is_stop(&reply) {
            self.attach()?;
            self.was_running = Some(true);
            return Ok(());
        }
        match stop_signal(&reply) {
            Some(_) if self.features.debugger.is_some() => {
                self.was_running = Some(false);
                self.stop_reason = Some(reason(&reply));
                Ok(())
            }
            Some(signal) if signal != 0 => {
                // Servers stop the target as we connect. A signal of ours, SIGINT or SIGSTOP,
                // or a stop that was told before we had asked: it was running till then.
                let ours = matches!(signal, 2 | 17) || self.link.unsolicited_stop;
                self.was_running = Some(ours);
                if self.kind == ServerKind::Qemu && !ours {
                    self.was_running = self.qemu_was_running();
                }
                self.stop_reason = Some(match self.was_running {
                    Some(true) => STOPPED_BY_US.to_owned(),
                    _ => reason(&reply),
                });
                Ok(())
            }
            _ => {
                self.was_running = Some(true);
                self.interrupt()
            }
        }
    }

    /// QEMU always tells `T05`. Its console knows more: a machine that nobody has started or
    /// that stopped in a debugger says so. A plain pause is either older than our visit or due
    /// to it: up to version 7 QEMU tells a stop of its own accord when it pauses for us.
    fn qemu_was_running(&mut self) -> Option<bool> {
        let status = self.link.monitor("info status").ok()?;
        if status.contains("prelaunch") || status.contains("debug") {
            return Some(false);
        }
        let version = self.link.monitor("info version").ok()?;
        let major = version.trim().split('.').next()?.parse::<u32>().ok()?;
        (major <= 7).then_some(false)
    }

    pub(super) fn interrupt(&mut self) -> Result<(), TargetError> {
        self.link.send_raw(&[3])?;
        for attempt in 0..2 {
            let reply = match attempt {
                // The reply to the interrupt itself.
                0 => self.link.reply_where(SIMPLE, "interrupt", is_stop),
                // OpenOCD stops without a word when the client did not start the target.
                _ => {
                    let _ = self.link.monitor("halt");
                    self.link.stop_reply("?", SIMPLE)
                }
            };
            match reply {
                Ok(reply) if stop_signal(&reply).is_some_and(|signal| signal != 0) => {
                    self.stop_reason = Some(reason(&reply));
                    return Ok(());
                }
                Ok(_) | Err(TargetError::Timeout { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        // Renode calls every stop signal 0; the target did answer to the interrupt.
        match self.link.stop_reply("?", SIMPLE) {
            Ok(reply) if stop_signal(&reply) == Some(0) && self.kind == ServerKind::Unknown => {
                self.stop_reason = Some(reason(&reply));
                Ok(())
            }
            Err(error) if !matches!(error, TargetError::Timeout { .. }) => Err(error),
            _ => Err(TargetError::DoesNotStop),
        }
    }

    /// Black Magic looks for targets only when told, and stops the one it attaches to.
    fn attach(&mut self) -> Result<(), TargetError> {
        if self.kind != ServerKind::BlackMagic {
            return Err(TargetError::NotAttached);
        }
        // Newer and older firmware call the scan by different names.
        let found = ["swd_scan", "swdp_scan", "auto_scan"]
            .iter()
            .any(|scan| self.link.monitor(scan).is_ok());
        if !found {
            return Err(TargetError::NotAttached);
        }
        let reply = self.link.stop_reply("vAttach;1", READ)?;
        if stop_signal(&reply).is_none() {
            return Err(TargetError::NotAttached);
        }
        self.stop_reason = Some(reason(&reply));
        Ok(())
    }

    /// The target description with everything it includes, or nothing.
    fn describe(&mut self) -> Result<Layout, TargetError> {
        if !self.features.target_xml {
            return Ok(Layout::default());
        }
        let Some(mut document) = self.fetch("features", "target.xml")? else {
            return Ok(Layout::default());
        };
        // Includes are put at the end rather than in their place: numbers are either given or
        // count on from file to file in the order of the includes.
        let includes: Vec<String> = tags(&document)
            .filter(|tag| tag.name == "xi:include")
            .filter_map(|tag| tag.attribute("href"))
            .take(MAX_INCLUDES)
            .map(str::to_owned)
            .collect();
        for annex in includes {
            if let Some(included) = self.fetch("features", &annex)? {
                document.push_str(&included);
            }
        }
        if tags(&document).any(|tag| tag.attribute("name") == Some(SERVED_DUMP)) {
            return Err(TargetError::Dump);
        }
        let layout = Layout::parse(&document);
        // Old servers describe a Cortex-M like a classic Arm, but never like anything else.
        let name = document.split_once("<architecture>").map(|(_, rest)| rest);
        let name = name.and_then(|rest| rest.split('<').next()).map(str::trim);
        let mut known = [Register::core(0), Some(Register::XPSR)].into_iter().flatten();
        let is_arm = match layout.is_empty() {
            true => name.is_none_or(|name| name.starts_with("arm")),
            false => known.all(|register| layout.has(register)),
        };
        if !is_arm {
            let name = name.unwrap_or("something else");
            return Err(TargetError::OtherArchitecture(shorten(name.as_bytes())));
        }
        Ok(layout)
    }

    /// Fetches a document with `qXfer`; `None` when the server refuses.
    fn fetch(&mut self, object: &str, annex: &str) -> Result<Option<String>, TargetError> {
        let mut document: Vec<u8> = Vec::new();
        let size = self.features.packet_size.saturating_sub(8).min(0xff8);
        while document.len() < MAX_DOCUMENT {
            let request = format!("qXfer:{object}:read:{annex}:{:x},{size:x}", document.len());
            let reply = self.link.request(&request, READ)?;
            match reply.split_first() {
                Some((b'l', last)) => {
                    document.extend_from_slice(last);
                    break;
                }
                Some((b'm', more)) if !more.is_empty() => document.extend_from_slice(more),
                // A server that fails here can still tell registers in the usual order.
                _ if reply.is_empty() || error_code(&reply).is_some() => return Ok(None),
                _ => {
                    let reply = shorten(&reply);
                    return Err(TargetError::Unexpected { request, reply });
                }
            }
        }
        Ok(Some(String::from_utf8_lossy(&document).into_owned()))
    }
}

/// The line in which OpenOCD names itself.
fn openocd_version(printed: &str) -> Option<String> {
    let line = printed.lines().find(|line| line.contains("Open On-Chip Debugger"))?;
    Some(shorten(line.trim().as_bytes()))
}

/// RAM of the server's memory map, lowest first.
pub(super) fn ram(client: &mut GdbClient) -> Result<Vec<AddressRange>, TargetError> {
    if !client.features.memory_map {
        return Ok(Vec::new());
    }
    let Some(document) = client.fetch("memory-map", "")? else { return Ok(Vec::new()) };
    let mut ranges: Vec<AddressRange> = tags(&document)
        .filter(|tag| tag.name == "memory" && tag.attribute("type") == Some("ram"))
        .filter_map(|tag| {
            let start = u32::try_from(tag.number("start")?).ok()?;
            AddressRange::new(Address(start), tag.number("length")?)
        })
        // Servers call peripherals RAM too, so that GDB lets people read them.
        .filter(|range| !is_device(range.start()) && !range.is_empty())
        .take(MAX_RAM_RANGES)
        .collect();
    ranges.sort();
    Ok(ranges)
}

/// `T05thread:01;` as `stopped with signal 5`.
pub(super) fn reason(reply: &[u8]) -> String {
    let name = match stop_signal(reply) {
        Some(2 | 17 | 19) => STOPPED_BY_US,
        Some(4) => "illegal instruction (SIGILL)",
        Some(5) => "halted (SIGTRAP)",
        Some(7 | 10) => "bus fault (SIGBUS)",
        Some(11) => "segmentation fault (SIGSEGV)",
        _ => "halted",
    };
    name.to_owned()
}
