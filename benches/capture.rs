//! How fast 4 MiB are captured, against GDB and against a bare read loop, in one run; and 256 KiB
//! over a link on which a round trip takes 1 ms, against one request at a time.
//!
//! Starts QEMU with a fixture and prints the medians of five rounds and their ratios. Needs
//! `qemu-system-arm` and `gdb-multiarch`; run it with `cargo bench --bench capture`.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use mflt::base::{Address, AddressRange};
use mflt::target::rsp::GdbClient;
use mflt::target::{CapturePlan, Leave, Target, capture};

const START: u32 = 0x2000_0000;
const SIZE: u32 = 4 << 20;
const ROUNDS: usize = 5;
/// What the bare loop reads at once, and how many requests it keeps on their way.
const BLOCK: u32 = 0x7fc;
const WINDOW: u32 = 64;
/// What is read over the slow link, and how long bytes take in each direction.
const SLOW_SIZE: u32 = 256 << 10;
const DELAY: Duration = Duration::from_micros(500);

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// QEMU, ended with the benchmark.
struct Qemu(Child);

impl Drop for Qemu {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() -> Result<()> {
    let mut out = std::io::stdout().lock();
    let elf = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/elf/mps2-an385-Og.elf");
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let address = format!("127.0.0.1:{port}");
    let gdb_server = format!("tcp:{address}");
    let arguments = ["-M", "mps2-an385", "-display", "none", "-serial", "none", "-monitor", "none"];
    let _qemu = Qemu(
        Command::new("qemu-system-arm")
            .args(arguments)
            .args(["-kernel", elf, "-gdb", &gdb_server, "-S"])
            .stdin(Stdio::null())
            .spawn()?,
    );
    std::thread::sleep(Duration::from_secs(1));

    let file = std::env::temp_dir().join(format!("mflt-bench-{}.bin", std::process::id()));
    let mut times: [Vec<f64>; 3] = Default::default();
    for _ in 0..ROUNDS {
        let (ours, bytes) = through_capture(&address, SIZE)?;
        let bare = through_bare_loop(&address, SIZE, WINDOW)?;
        let gdb = through_gdb(&address, &file.display().to_string())?;
        if std::fs::read(&file)? != bytes {
            return Err("GDB read other bytes".into());
        }
        for (list, time) in times.iter_mut().zip([ours, bare, gdb]) {
            list.push(time);
        }
    }
    std::fs::remove_file(&file)?;
    let [ours, bare, gdb] = times.map(|mut list| {
        list.sort_by(f64::total_cmp);
        f64::from(SIZE >> 20) / list[ROUNDS / 2]
    });
    writeln!(out, "capture of 4 MiB       {ours:7.1} MiB/s")?;
    writeln!(out, "bare pipelined loop    {bare:7.1} MiB/s   capture is {:.2} of it", ours / bare)?;
    writeln!(
        out,
        "gdb dump memory        {gdb:7.1} MiB/s   capture is {:.1} times it",
        ours / gdb
    )?;

    let mut times: [Vec<f64>; 2] = Default::default();
    for _ in 0..ROUNDS {
        times[0].push(through_capture(&slow_link(&address)?, SLOW_SIZE)?.0);
        times[1].push(through_bare_loop(&slow_link(&address)?, SLOW_SIZE, 1)?);
    }
    let [ours, single] = times.map(|mut list| {
        list.sort_by(f64::total_cmp);
        list[ROUNDS / 2]
    });
    let (ours_ms, single_ms) = (ours * 1e3, single * 1e3);
    writeln!(out, "256 KiB over a link with a round trip of 1 ms:")?;
    writeln!(out, "capture                {ours_ms:7.1} ms")?;
    writeln!(
        out,
        "one read at a time     {single_ms:7.1} ms      capture is {:.1} times as fast",
        single / ours
    )?;
    Ok(())
}

/// A port whose first client is led to `address`, late by [`DELAY`] in each direction.
fn slow_link(address: &str) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?;
    let server = address.to_string();
    std::thread::spawn(move || -> std::io::Result<()> {
        let (client, _) = listener.accept()?;
        let server = TcpStream::connect(server)?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        delay(client.try_clone()?, server.try_clone()?);
        delay(server, client);
        Ok(())
    });
    Ok(port.to_string())
}

/// Passes on what arrives, as late as the link is.
fn delay(mut from: TcpStream, mut to: TcpStream) {
    let (sender, receiver) = channel::<(Instant, Vec<u8>)>();
    std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            if sender.send((Instant::now() + DELAY, buffer[..count].to_vec())).is_err() {
                break;
            }
        }
    });
    std::thread::spawn(move || {
        for (due, bytes) in receiver {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = to.shutdown(std::net::Shutdown::Both);
    });
}

/// Registers, System Control Space and memory, as `mflt coredump` does it.
fn through_capture(address: &str, size: u32) -> Result<(f64, Vec<u8>)> {
    let mut client = GdbClient::connect(address, None)?;
    let range = AddressRange::new(Address(START), u64::from(size)).ok_or("range")?;
    let plan = CapturePlan::of_regions([range]);
    let started = Instant::now();
    let captured = capture(&mut client, &plan, &mut |_, _| Vec::new(), &mut |_| true);
    let time = started.elapsed().as_secs_f64();
    client.leave(Leave::Halted)?;
    if let Some(error) = captured.error {
        return Err(error.into());
    }
    let bytes = captured.snapshot.memory.slice_from(Address(START)).ok_or("memory")?;
    Ok((time, bytes.to_vec()))
}

/// Requests and replies, and nothing else: replies are only counted.
fn through_bare_loop(address: &str, size: u32, window: u32) -> Result<f64> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let packet = |payload: &str| {
        let sum = payload.bytes().fold(0_u8, u8::wrapping_add);
        format!("${payload}#{sum:02x}")
    };
    let mut buffer = vec![0; 1 << 16];
    stream.write_all(packet("qSupported").as_bytes())?;
    let mut ends = 0;
    while ends == 0 {
        let count = stream.read(&mut buffer)?;
        ends = buffer[..count].iter().filter(|byte| **byte == b'#').count();
    }
    stream.write_all(b"+")?;
    std::thread::sleep(Duration::from_millis(100));

    let started = Instant::now();
    let total = size.div_ceil(BLOCK);
    let (mut sent, mut received) = (0, 0);
    while received < total {
        let mut requests = String::new();
        if sent - received <= window / 2 {
            while sent < total && sent - received < window {
                let block = BLOCK.min(size - sent * BLOCK);
                requests.push_str(&packet(&format!("m{:x},{block:x}", START + sent * BLOCK)));
                sent += 1;
            }
        }
        stream.write_all(requests.as_bytes())?;
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Err("QEMU closed the connection".into());
        }
        let ends = buffer[..count].iter().filter(|byte| **byte == b'#').count();
        stream.write_all("+".repeat(ends).as_bytes())?;
        received += u32::try_from(ends)?;
    }
    Ok(started.elapsed().as_secs_f64())
}

/// `dump binary memory`, timed inside GDB so that its start does not count.
fn through_gdb(address: &str, file: &str) -> Result<f64> {
    let dump = format!("dump binary memory {file} {START:#x} {:#x}", START + SIZE);
    let timed = format!(
        "python import time; t = time.time(); gdb.execute('{dump}'); print('TIME', time.time() - t)"
    );
    let output = Command::new("gdb-multiarch")
        .args(["-nx", "-batch", "-ex", "set architecture armv7"])
        .args(["-ex", &format!("target remote {address}"), "-ex", &timed])
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let time =
        text.lines().find_map(|line| line.strip_prefix("TIME ")).ok_or("no time from GDB")?;
    Ok(time.trim().parse()?)
}
