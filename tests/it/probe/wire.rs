//! The wire of the simulated debug port: requests and acknowledges of Serial Wire Debug, bit by bit
//! (ADIv5, IHI 0031, B4).

use super::port::Port;
use probe_rs::architecture::arm::DapError;
use std::collections::VecDeque;

/// So many ones are a line reset.
const LINE_RESET: u32 = 50;
/// DP registers, by A[3:2].
const DPIDR_OR_ABORT: u8 = 0x0;
const CTRL_STAT: u8 = 0x4;
const RDBUFF: u8 = 0xc;

/// What the target answers to a request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ack {
    Ok,
    Wait,
    Fault,
    /// Nobody drives the line, which then is high.
    Silence,
}

/// A request that was acknowledged.
#[derive(Clone, Copy)]
pub(super) struct Request {
    pub(super) is_ap: bool,
    pub(super) is_read: bool,
    pub(super) address: u8,
}

enum State {
    /// Until a line reset nothing is understood.
    Lost,
    /// Between transfers: zeros, then a request that begins with a one.
    Idle,
    /// Bits of a request.
    Asked(Vec<bool>),
    /// Bits of the value, and its parity; they are taken only behind OK.
    Value(Option<Request>, Vec<bool>),
}

/// A target at the end of two wires.
pub(super) struct Wire {
    pub(super) port: Port,
    /// Result of the last read of an AP, which the next one or RDBUFF gives.
    posted: u32,
    state: State,
    ones: u32,
    /// What the target drives, as soon as the probe listens.
    driven: VecDeque<bool>,
}

impl Wire {
    pub(super) fn new(port: Port) -> Wire {
        Wire { port, posted: 0, state: State::Lost, ones: 0, driven: VecDeque::new() }
    }

    /// Whether the target takes `request`.
    pub(super) fn ask(&mut self, request: Request) -> Ack {
        if self.port.is_silent() {
            return Ack::Silence;
        }
        if request.is_ap {
            return match self.port.ready() {
                Ok(()) => Ack::Ok,
                Err(DapError::WaitResponse) => Ack::Wait,
                Err(DapError::FaultResponse) => Ack::Fault,
                Err(_) => Ack::Silence,
            };
        }
        // These work whatever went wrong, so that it can be found out and cleared.
        let always =
            request.address == DPIDR_OR_ABORT || request.is_read && request.address == CTRL_STAT;
        if self.port.has_sticky_error() && !always { Ack::Fault } else { Ack::Ok }
    }

    /// The value that a read which was taken gives.
    pub(super) fn read(&mut self, request: Request) -> u32 {
        match (request.is_ap, request.address) {
            (true, address) => {
                let found = self.port.perform(address, None).unwrap_or(0);
                std::mem::replace(&mut self.posted, found)
            }
            (false, RDBUFF) => self.posted,
            (false, address) => self.port.dp_read(address),
        }
    }

    /// Does a write that was taken; a fault shows in the next answer.
    pub(super) fn write(&mut self, request: Request, value: u32) {
        match request.is_ap {
            true => drop(self.port.perform(request.address, Some(value))),
            false => self.port.dp_write(request.address, value),
        }
    }

    /// The probe drives a bit.
    pub(super) fn drive(&mut self, bit: bool) {
        self.driven.clear();
        self.ones = if bit { self.ones + 1 } else { 0 };
        if self.ones >= LINE_RESET {
            self.state = State::Idle;
            return;
        }
        match &mut self.state {
            State::Lost => {}
            // Ones that go on are those of a line reset; a zero has to come first.
            State::Idle if bit && self.ones == 1 => self.state = State::Asked(vec![bit]),
            State::Idle => {}
            State::Asked(bits) => {
                bits.push(bit);
                if bits.len() == 8 {
                    let bits = std::mem::take(bits);
                    self.answer(&bits);
                }
            }
            State::Value(request, bits) => {
                bits.push(bit);
                if bits.len() == 33 {
                    let value = number(&bits[..32]);
                    assert_eq!(value.count_ones() % 2 == 1, bits[32], "the probe's parity");
                    let request = *request;
                    self.state = State::Idle;
                    if let Some(request) = request {
                        self.write(request, value);
                    }
                }
            }
        }
    }

    /// The probe listens for a bit.
    pub(super) fn listen(&mut self) -> bool {
        self.ones = 0;
        self.driven.pop_front().unwrap_or(true)
    }

    /// A request: start, APnDP, RnW, A[2:3], parity, stop, park.
    fn answer(&mut self, bits: &[bool]) {
        let parity = bits[1..5].iter().filter(|bit| **bit).count() % 2 == 1;
        if parity != bits[5] || bits[6] || !bits[7] {
            self.state = State::Lost;
            return;
        }
        let address = u8::from(bits[3]) << 2 | u8::from(bits[4]) << 3;
        let request = Request { is_ap: bits[1], is_read: bits[2], address };
        let ack = self.ask(request);
        let answer = match ack {
            Ack::Ok => [true, false, false],
            Ack::Wait => [false, true, false],
            Ack::Fault => [false, false, true],
            Ack::Silence => [true; 3],
        };
        self.driven.extend(answer);
        self.state = State::Idle;
        let is_taken = ack == Ack::Ok;
        if request.is_read && is_taken {
            let value = self.read(request);
            self.driven.extend((0..32).map(|bit| value >> bit & 1 == 1));
            self.driven.push_back(value.count_ones() % 2 == 1);
        } else if !request.is_read && ack != Ack::Silence {
            // With overrun detection the value always follows.
            self.state = State::Value(is_taken.then_some(request), Vec::new());
        }
    }
}

/// The number whose lowest bit comes first.
fn number(bits: &[bool]) -> u32 {
    bits.iter().rev().fold(0, |number, bit| number << 1 | u32::from(*bit))
}
