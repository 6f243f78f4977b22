//! Threads and handlers as the report lists them.

use super::Options;
use super::cause::Scene;
use super::room::Room;
use super::unwind::{self, Context, UnwoundFrame};
use super::variables;
use super::waits;
use crate::arch::cortex_m::exception::{self, Code as _};
use crate::base::{Address, AddressRange, join};
use crate::report::{Frame, Hex32, Notes, Registers, Severity, Stack, Thread, Wait};
use crate::rtos::{self, KernelState, State};
use crate::snapshot::{Moment, Register, RegisterSet, Snapshot, ThreadRegisters};
use crate::symbols::{CodeAddress, SymbolFile};

/// What runs when no kernel tells which thread it is.
const THREAD_MODE: &str = "thread mode";

/// Threads that a dump lists itself; kernels have a limit of their own.
const MOST_STORED: usize = 512;

/// Lists every thread and active handler: the crashed one first, then handlers, then the rest in
/// the kernel's order.
pub(super) fn list(
    scene: &Scene<'_, '_>,
    snapshot: &Snapshot,
    options: &Options,
    notes: &mut Notes,
) -> Vec<Thread> {
    let mut room = Room::for_threads(options);
    let mut threads = Vec::new();
    for (index, context) in scene.contexts.iter().enumerate() {
        if context.exception != 0 {
            threads.push(handler(scene, index, context, &mut room));
        }
    }
    let thread_mode = scene.contexts.iter().position(|context| context.exception == 0);
    let running = thread_mode.and_then(|index| Some((index, scene.contexts.get(index)?)));
    let crashed = thread_mode.is_some() && thread_mode == scene.crashed;
    let known = scene.threads();
    // Before the others, that these leave room for it.
    let ours = known.iter().find(|thread| thread.current);
    let mut ours = ours.map(|thread| current(scene, thread, running, crashed, &mut room));
    let others: Vec<&rtos::Thread> = known.iter().filter(|thread| !thread.current).collect();
    let mut others = all_switched_out(scene, &others, &mut room, notes).into_iter();
    for thread in known {
        threads.extend(if thread.current { ours.take() } else { others.next() });
    }
    if !known.iter().any(|thread| thread.current)
        && let Some((_, context)) = running
    {
        let told = snapshot.threads.first().filter(|_| snapshot.moment == Moment::Crash);
        threads.push(unlisted(scene, context, told, crashed, &mut room));
    }
    if known.iter().all(rtos::Thread::is_main_stack) {
        stored(scene, snapshot, &mut room, &mut threads, notes);
    }
    room.remark("locals", notes);
    // A stable sort keeps the kernel's order within each group.
    threads.sort_by_key(|thread| (!thread.crashed, thread.state != "handler"));
    threads
}

/// Register sets in the order of a core file: see [`super::thread_contexts`].
pub(super) fn for_core_file(
    contexts: &[Context],
    crashed: Option<usize>,
    kernel: Option<&KernelState>,
) -> Vec<ThreadRegisters> {
    let threads = kernel.map_or(&[][..], |kernel| &kernel.threads);
    let current = threads.iter().find(|thread| thread.current).map_or(1, |t| t.address.0);
    // What ran, the crashed context first, then the thread, then handlers from the innermost out.
    let mut ran: Vec<(usize, &Context)> = contexts.iter().enumerate().collect();
    ran.sort_by_key(|(index, context)| (Some(*index) != crashed, context.exception != 0));
    let mut listed: Vec<ThreadRegisters> = ran
        .into_iter()
        .filter_map(|(_, context)| {
            let number = u32::from(context.exception);
            let id = if number == 0 { current } else { number };
            let registers = context.frames.first()?.registers.clone();
            Some(ThreadRegisters { id, name: None, registers })
        })
        .collect();
    let switched_out = threads.iter().filter(|thread| !thread.current);
    let saved = switched_out.filter(|thread| !thread.registers.is_empty());
    listed.extend(saved.map(|thread| ThreadRegisters {
        id: thread.address.0,
        name: (!thread.name.is_empty()).then(|| thread.name.clone()),
        registers: thread.registers.clone(),
    }));
    listed
}

fn handler(scene: &Scene<'_, '_>, index: usize, context: &Context, room: &mut Room) -> Thread {
    let mut thread = Thread {
        id: format!("exception {}", context.exception),
        name: format!("{} handler", exception::name(context.exception)),
        state: "handler".into(),
        crashed: scene.crashed == Some(index),
        ..Thread::default()
    };
    if let Some(range) = scene.kernel.and_then(|kernel| kernel.handler_stack) {
        let sp = context.frames.first().and_then(|frame| frame.registers.sp()).map(Address);
        if sp.is_some_and(|sp| range.contains(sp)) {
            thread.stack = Some(stack(range, sp, None, false));
        }
    }
    fill(scene, &mut thread, context, room);
    thread
}

fn current(
    scene: &Scene<'_, '_>,
    thread: &rtos::Thread,
    running: Option<(usize, &Context)>,
    crashed: bool,
    room: &mut Room,
) -> Thread {
    let mut listed = described(scene, thread);
    listed.crashed = crashed;
    if let Some((index, context)) = running {
        let sp = context.frames.first().and_then(|frame| frame.registers.sp()).map(Address);
        // The hardware's frame lies below SP: it counts as used too.
        let pushed =
            index.checked_sub(1).and_then(|handler| scene.contexts.get(handler)?.exception_frame);
        let lowest = sp.into_iter().chain(pushed).min();
        let elsewhere = |stack: AddressRange| lowest.is_some_and(|sp| !stack.contains(sp));
        let is_switching = scene.contexts.iter().any(|context| context.exception == unwind::PENDSV)
            && thread.stack.is_some_and(elsewhere);
        listed.stack = stack_of(thread, lowest.filter(|_| !is_switching));
        fill(scene, &mut listed, context, room);
        if is_switching && let Some(first) = listed.frames.first_mut() {
            let text = "the kernel was switching threads: these are the frames of the one before";
            first.remark.get_or_insert_with(|| text.into());
        }
    }
    listed
}

/// Half of `threads` beside the other half: none needs another.
fn all_switched_out(
    scene: &Scene<'_, '_>,
    threads: &[&rtos::Thread],
    room: &mut Room,
    notes: &mut Notes,
) -> Vec<Thread> {
    let (first, second) = threads.split_at(threads.len() / 2);
    let list = |threads: &[&rtos::Thread], room: &mut Room| {
        let mut notes = Notes::default();
        let list = threads.iter().map(|thread| switched_out(scene, thread, room, &mut notes));
        (list.collect::<Vec<Thread>>(), notes)
    };
    let mut room_of_second = room.split();
    let ((second, remarks_on_second), (mut listed, remarks)) =
        join(|| list(second, &mut room_of_second), || list(first, room));
    room.merge(room_of_second);
    notes.extend(remarks);
    notes.extend(remarks_on_second);
    listed.extend(second);
    listed
}

fn switched_out(
    scene: &Scene<'_, '_>,
    thread: &rtos::Thread,
    room: &mut Room,
    notes: &mut Notes,
) -> Thread {
    let mut listed = described(scene, thread);
    if let Some(reason) = &thread.registers_missing {
        let text = format!("thread {} has no backtrace: {reason}", thread.name);
        notes.add_at(Severity::Warning, "thread_registers_missing", thread.address, text);
        listed.unwind_ended = Some(reason.clone());
        return listed;
    }
    listed.stack = stack_of(thread, thread.registers.sp().map(Address));
    if !room.for_frame() {
        return listed;
    }
    let environment = unwind::Environment { thread_stack: thread.stack, ..*scene.environment };
    let context = unwind::thread(&thread.registers, &environment);
    fill(scene, &mut listed, &context, room);
    listed
}

/// The running thread where no kernel lists it, by the name that the dump `told`.
fn unlisted(
    scene: &Scene<'_, '_>,
    context: &Context,
    told: Option<&ThreadRegisters>,
    crashed: bool,
    room: &mut Room,
) -> Thread {
    let nameless = || THREAD_MODE.to_string();
    let mut thread = Thread {
        id: told.map_or_else(nameless, |told| Hex32(told.id).to_string()),
        name: told.and_then(|told| told.name.clone()).unwrap_or_else(nameless),
        state: State::Running.name().into(),
        current: true,
        crashed,
        ..Thread::default()
    };
    fill(scene, &mut thread, context, room);
    thread
}

/// Threads that the dump itself lists, where no kernel tells more. The first is the CPU's.
fn stored(
    scene: &Scene<'_, '_>,
    snapshot: &Snapshot,
    room: &mut Room,
    threads: &mut Vec<Thread>,
    notes: &mut Notes,
) {
    // Handlers are found by unwinding; a core of ours lists them too.
    let in_thread_mode = |stored: &&ThreadRegisters| {
        stored.registers.get(Register::XPSR).is_none_or(|xpsr| xpsr & 0x1ff == 0)
    };
    // As does the thread that a handler interrupted.
    let is_unwound = |stored: &&ThreadRegisters| {
        let place = |registers: &RegisterSet| (registers.pc(), registers.sp());
        let mut innermost = scene.contexts.iter().filter_map(|context| context.frames.first());
        innermost.any(|frame| place(&frame.registers) == place(&stored.registers))
    };
    let mut listed =
        snapshot.threads.iter().skip(1).filter(in_thread_mode).filter(|t| !is_unwound(t));
    for stored in listed.by_ref().take(MOST_STORED) {
        let mut thread = Thread {
            id: Hex32(stored.id).to_string(),
            name: stored.name.clone().unwrap_or_else(|| format!("thread {}", Hex32(stored.id))),
            state: "unknown".into(),
            ..Thread::default()
        };
        if room.for_frame() {
            let context = unwind::thread(&stored.registers, scene.environment);
            fill(scene, &mut thread, &context, room);
        }
        threads.push(thread);
    }
    if listed.next().is_some() {
        let text = format!("the dump lists more than {MOST_STORED} threads: the rest is left out");
        notes.add(Severity::Warning, "threads_cut", text);
    }
}

fn described(scene: &Scene<'_, '_>, thread: &rtos::Thread) -> Thread {
    let entry = thread.entry.map(|entry| {
        let symbol = scene.environment.symbols.symbol_at(entry);
        symbol.map_or_else(|| entry.to_string(), |(symbol, _)| symbol.readable().into_owned())
    });
    Thread {
        id: if thread.is_main_stack() {
            THREAD_MODE.into()
        } else {
            Hex32::from(thread.address).to_string()
        },
        name: thread.name.clone(),
        state: thread.state.name().into(),
        state_bits: thread.state_bits,
        priority: thread.priority,
        entry,
        current: thread.current,
        base_priority: thread.base_priority.filter(|base| Some(*base) != thread.priority),
        waits_for: thread.wait.as_ref().map(|wait| waits::in_words(wait, scene.threads())),
        wait: thread.wait.as_ref().map(parts),
        stack: stack_of(thread, None),
        ..Thread::default()
    }
}

fn parts(wait: &rtos::Wait) -> Wait {
    Wait {
        kind: wait.kind.into(),
        object: wait.object.map(Hex32::from),
        name: wait.name.clone(),
        owner: wait.owner.map(|owner| Hex32::from(owner).to_string()),
        ticks_left: wait.ticks_left,
        ms_left: wait.ms_left,
    }
}

fn stack_of(thread: &rtos::Thread, sp: Option<Address>) -> Option<Stack> {
    let range = thread.stack?;
    Some(stack(range, sp, thread.high_water, thread.sentinel_lost))
}

fn stack(
    range: AddressRange,
    sp: Option<Address>,
    high_water: Option<u32>,
    sentinel_lost: bool,
) -> Stack {
    let used = sp.and_then(|sp| range.end().checked_sub(u64::from(sp.0)));
    let below = sp.is_some_and(|sp| sp < range.start());
    Stack {
        start: range.start().into(),
        size: u32::try_from(range.size()).unwrap_or(u32::MAX),
        used: used.and_then(|used| u32::try_from(used).ok()),
        high_water,
        overflowed: below || sentinel_lost,
    }
}

/// Adds the frames and registers of `context` to `thread`.
fn fill(scene: &Scene<'_, '_>, thread: &mut Thread, context: &Context, room: &mut Room) {
    if let Some(first) = context.frames.first() {
        thread.registers = shown(&first.registers);
    }
    thread.unwind_ended = context.ended.clone();
    let shown_frames = context.frames.iter().take(room.max_frames);
    let hidden = context.frames.len().saturating_sub(room.max_frames);
    if hidden > 0 {
        thread.unwind_ended = Some(format!("{hidden} more frames are not shown"));
    }
    for (index, frame) in shown_frames.enumerate() {
        if !room.for_frame() {
            thread.unwind_ended = Some("the report is full".into());
            break;
        }
        let callers = context.frames.get(index..).unwrap_or(&[]);
        add_frame(scene, &mut thread.frames, frame, callers, room);
    }
    for (index, frame) in thread.frames.iter_mut().enumerate() {
        frame.index = u32::try_from(index).unwrap_or(u32::MAX);
    }
}

/// One physical frame: the functions inlined at its address, innermost first, then its own.
fn add_frame(
    scene: &Scene<'_, '_>,
    frames: &mut Vec<Frame>,
    unwound: &UnwoundFrame,
    callers: &[UnwoundFrame],
    room: &mut Room,
) {
    let pc = unwound.pc.address();
    let raw = Frame {
        pc: pc.into(),
        sp: unwound.registers.sp().map(Hex32),
        found_by: unwound.found_by.name().into(),
        remark: unwound.remark.clone(),
        image: scene.environment.symbols.image_at(unwound.pc.lookup()).map(str::to_string),
        world: unwound.world.map(|world| world.name().to_string()),
        registers: shown(&unwound.registers),
        ..Frame::default()
    };
    let symbols = scene.environment.symbols.at(unwound.pc.lookup());
    let sources = symbols.map(|symbols| symbols.frames_at(unwound.pc)).unwrap_or_default();
    if sources.is_empty() {
        let frame = match symbols {
            Some(symbols) => by_symbol(scene, symbols, unwound.pc, raw),
            None => raw,
        };
        room.take_frame(&frame);
        frames.push(frame);
        return;
    }
    let context = variables::FrameState::new(scene.environment, callers);
    for (depth, source) in sources.into_iter().enumerate() {
        let mut frame = Frame {
            function: source.readable().map(Into::into),
            offset: source.low_pc.map(|low| pc.0.wrapping_sub(low.0)),
            inlined: source.inlined,
            line: source.location.as_ref().and_then(|location| location.line),
            file: source.location.as_ref().map(|location| location.file.clone()),
            // The doubt is about the place: it is told once.
            remark: raw.remark.clone().filter(|_| depth == 0),
            ..raw.clone()
        };
        room.take_frame(&frame);
        if let (Some(symbols), Some(context)) = (symbols, &context)
            && room.locals
        {
            (frame.arguments, frame.locals) = variables::of_frame(symbols, &source, context, room);
        }
        frames.push(frame);
    }
}

/// What the symbol table and the line table know of a frame that DWARF does not describe.
fn by_symbol(
    scene: &Scene<'_, '_>,
    symbols: &SymbolFile<'_>,
    at: CodeAddress,
    raw: Frame,
) -> Frame {
    let is_code = scene.environment.is_code(at.lookup());
    let symbol = symbols.symbol_at(at.lookup()).map(|(symbol, _)| symbol).filter(|_| is_code);
    let location = symbols.line_at(at);
    Frame {
        function: symbol.map(|symbol| symbol.readable().into_owned()),
        offset: symbol.map(|symbol| at.address().0.wrapping_sub(symbol.address.0)),
        line: location.as_ref().and_then(|location| location.line),
        file: location.map(|location| location.path()),
        ..raw
    }
}

fn shown(registers: &RegisterSet) -> Registers {
    registers.iter().map(|(register, value)| (register.name(), value)).collect()
}
