//! GDB servers that misbehave.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;

/// What the server does wrong.
#[derive(Clone, Copy)]
pub(crate) enum Fault {
    /// It closes the connection at this memory read.
    DiesAtRead(usize),
    /// It answers everything with bytes that are no packets.
    Garbage,
    /// It closes the connection at once.
    HangsUp,
    /// It answers every read with `E01`.
    ReadsNothing,
}

/// Serves one client from a thread of its own; gives `host:port`.
pub(crate) fn serve(fault: Fault) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        // An error is the client's going; the test sees what that means.
        if let Ok((stream, _)) = listener.accept() {
            let _ = session(stream, fault);
        }
    });
    format!("127.0.0.1:{port}")
}

fn session(mut stream: TcpStream, fault: Fault) -> std::io::Result<()> {
    if matches!(fault, Fault::HangsUp) {
        return Ok(());
    }
    if matches!(fault, Fault::Garbage) {
        while stream.read(&mut [0; 4096])? > 0 {
            stream.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n$#\xff\x00\x03$$zz#zz")?;
        }
        return Ok(());
    }
    let mut reads = 0;
    answer(stream, |request| {
        reads += usize::from(request.starts_with('m'));
        let dies = matches!(fault, Fault::DiesAtRead(at) if reads >= at);
        (!dies).then(|| reply(request, fault))
    })
}

/// Answers each request with what `reply` makes of it, until that is nothing or the client goes.
pub(crate) fn answer(
    mut stream: TcpStream,
    mut reply: impl FnMut(&str) -> Option<String>,
) -> std::io::Result<()> {
    let mut received = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk)? {
            0 => return Ok(()),
            count => received.extend(&chunk[..count]),
        }
        while let Some(end) = received.iter().position(|b| *b == b'#')
            && received.len() >= end + 3
        {
            let start = received.iter().position(|b| *b == b'$').map_or(end, |at| at + 1);
            let request = String::from_utf8_lossy(&received[start..end]).into_owned();
            received.drain(..end + 3);
            let Some(reply) = reply(&request) else { return Ok(()) };
            let sum = reply.bytes().fold(0_u8, u8::wrapping_add);
            stream.write_all(format!("+${reply}#{sum:02x}").as_bytes())?;
        }
    }
}

fn reply(request: &str, fault: Fault) -> String {
    if let Some(range) = request.strip_prefix('m') {
        let size = range.split_once(',').and_then(|(_, size)| usize::from_str_radix(size, 16).ok());
        return match fault {
            Fault::ReadsNothing => "E01".to_string(),
            _ => "5a".repeat(size.unwrap_or(0).min(0x400)),
        };
    }
    match request {
        // r0 to r15, the registers of the FPA, and CPSR.
        "g" => "00000020".repeat(16) + &"x".repeat(8 * 24 + 8) + "00000001",
        "?" => "T05".to_string(),
        _ if request.starts_with("qSupported") => "PacketSize=1000".to_string(),
        _ => String::new(),
    }
}
