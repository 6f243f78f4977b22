//! Memory of ThreadX as its scheduler leaves it, laid out by the debug information of an image that
//! has the members' names.

use super::*;
use crate::rtos::laid_out::Target;
use crate::snapshot::Register;
use crate::symbols::ElfImage;

const ELF: &[u8] = include_bytes!("../../../fixtures/threadx/elf/objects.elf");
const STACK: u32 = 256;

impl Target<'_, '_> {
    fn thread(&self, number: u32) -> u32 {
        self.at("threads") + number * self.symbols.size_of(THREAD).unwrap() as u32
    }

    fn stack(&self, number: u32) -> u32 {
        self.at("stacks") + number * STACK
    }

    /// A thread with a saved context: `words` up from its stack pointer, which end at the stack's
    /// end.
    fn add_thread(&mut self, number: u32, name: &str, state: u32, words: &[u32]) {
        let thread = self.thread(number);
        let name = self.text(self.at("names") + 8 * number, name);
        let (start, end) = (self.stack(number), self.stack(number) + STACK);
        let top = end - 4 * words.len() as u32;
        let entry = self.at("worker_entry") | 1;
        let (next, previous) = (self.thread((number + 1) % 4), self.thread((number + 3) % 4));
        for (member, value) in [
            ("tx_thread_id", THREAD_ID),
            ("tx_thread_stack_ptr", top),
            ("tx_thread_stack_start", start),
            ("tx_thread_stack_end", end - 1),
            ("tx_thread_name", name),
            ("tx_thread_priority", 4),
            ("tx_thread_user_priority", 4 + number),
            ("tx_thread_state", state),
            ("tx_thread_entry", entry),
            ("tx_thread_created_next", next),
            ("tx_thread_created_previous", previous),
        ] {
            self.set(thread, THREAD, member, value);
        }
        for (word, at) in words.iter().zip((top..).step_by(4)) {
            self.put(at, *word);
        }
        (start..top).step_by(4).for_each(|at| self.put(at, FILL));
    }
}

/// r0 to r3, r12, lr, pc, xPSR of a thread that waits in `worker_entry`.
fn frame(target: &Target<'_, '_>) -> Vec<u32> {
    let pc = target.at("worker_entry");
    vec![0, 1, 2, 3, 12, 0xffff_ffff, pc, 0x0100_0000]
}

/// EXC_RETURN, r4 to r11 and the frame.
fn context(target: &Target<'_, '_>) -> Vec<u32> {
    [0xffff_fffd].into_iter().chain(104..112).chain(frame(target)).collect()
}

/// Four threads: running, waiting for a mutex of the first, for a message, asleep with FPU.
fn target<'a, 'd>(symbols: &'a SymbolFile<'d>) -> Target<'a, 'd> {
    let mut target = Target::new(symbols);
    let saved = context(&target);
    let float: Vec<u32> = [0xffff_ffed]
        .into_iter()
        .chain(216..232)
        .chain(104..112)
        .chain(frame(&target))
        .chain(200..216)
        .chain([0, 0])
        .collect();
    target.add_thread(0, "main", 0, &saved);
    target.add_thread(1, "lock", 13, &saved);
    target.add_thread(2, "recv", 5, &saved);
    target.add_thread(3, "nap", 4, &float);
    let (first, lock, inbox) = (target.thread(0), target.at("lock"), target.at("inbox"));
    for (number, object) in [(0, 0), (1, lock), (2, inbox), (3, 0)] {
        let thread = target.thread(number);
        target.set(thread, THREAD, "tx_thread_suspend_control_block", object);
    }
    target.set(lock, MUTEX, "tx_mutex_owner", first);
    let name = target.text(target.at("names") + 40, "bus");
    target.set(lock, MUTEX, "tx_mutex_name", name);
    target.set(inbox, QUEUE, "tx_queue_enqueued", 0);
    target.set(inbox, QUEUE, "tx_queue_name", 0);
    // 70 ticks from slot 30: in slot 3, and once and six ticks more around.
    let slots = target.at("timer_list");
    let nap = target.thread(3);
    for (number, slot) in [(0, 0), (1, 0), (2, 0), (3, slots + 4 * 3)] {
        let thread = target.thread(number);
        target.set(thread, THREAD, "tx_thread_timer.tx_timer_internal_list_head", slot);
    }
    target.set(nap, THREAD, "tx_thread_timer.tx_timer_internal_remaining_ticks", 70);
    target.put(target.at("_tx_timer_current_ptr"), slots + 4 * 30);
    target.put(target.at("_tx_thread_created_ptr"), first);
    target.put(target.at("_tx_thread_created_count"), 4);
    target.put(target.at("_tx_thread_current_ptr"), first);
    target
}

fn with_target(patch: impl Fn(&mut Target<'_, '_>), test: impl FnOnce(KernelState)) {
    let image = ElfImage::parse(ELF).unwrap();
    let symbols = SymbolFile::new(&image);
    let mut first = Target::new(&symbols);
    patch(&mut first);
    // What is inserted first counts.
    let mut all = first.memory;
    for segment in target(&symbols).memory.segments() {
        all.insert(segment.range().start(), segment.bytes().to_vec()).unwrap();
    }
    assert!(ThreadX.is_present(&symbols));
    test(ThreadX.read(&all, &symbols));
}

#[test]
fn threads_states_and_waits_are_read() {
    with_target(
        |_| {},
        |state| {
            assert_eq!(state.remarks, []);
            let names: Vec<&str> = state.threads.iter().map(|t| t.name.as_str()).collect();
            assert_eq!(names, ["main", "lock", "recv", "nap"]);
            let [main, lock, recv, nap] = state.threads.as_slice() else { panic!("four") };
            assert!(main.current && main.state == State::Running);
            assert_eq!(
                (lock.state, lock.priority, lock.base_priority),
                (State::Pending, Some(4), Some(5))
            );
            let wait = lock.wait.as_ref().unwrap();
            assert_eq!(
                (wait.kind, wait.name.as_deref(), wait.owner),
                ("mutex", Some("bus"), Some(main.address))
            );
            let wait = recv.wait.as_ref().unwrap();
            // Without a name of its own the variable's.
            assert_eq!((wait.kind, wait.name.as_deref()), ("queue to receive", Some("inbox")));
            assert_eq!(
                (nap.state, nap.wait.as_ref().unwrap().ticks_left),
                (State::Sleeping, Some(6 + 38))
            );
            assert_eq!(lock.high_water, Some(17 * 4));
            assert!(!lock.sentinel_lost);
        },
    );
}

#[test]
fn saved_registers_are_read_with_and_without_fpu() {
    with_target(
        |_| {},
        |state| {
            let end = state.threads[1].stack.unwrap().end() as u32;
            let registers = &state.threads[1].registers;
            assert_eq!(registers.core(4), Some(104));
            assert_eq!(registers.core(11), Some(111));
            assert_eq!((registers.core(12), registers.sp()), (Some(12), Some(end)));
            assert_eq!(registers.get(Register::S0), None);
            let end = state.threads[3].stack.unwrap().end() as u32;
            let registers = &state.threads[3].registers;
            assert_eq!((registers.core(4), registers.sp()), (Some(104), Some(end)));
            let single = |number| registers.get(Register::single(number).unwrap());
            assert_eq!((single(0), single(15)), (Some(200), Some(215)));
            assert_eq!((single(16), single(31)), (Some(216), Some(231)));
        },
    );
}

#[test]
fn broken_ring_is_walked_from_both_ends() {
    with_target(
        |target| {
            let thread = target.thread(1);
            target.set(thread, THREAD, "tx_thread_created_next", 0xdead_beef);
        },
        |state| {
            let mut names: Vec<&str> = state.threads.iter().map(|t| t.name.as_str()).collect();
            names.sort_unstable();
            assert_eq!(names, ["lock", "main", "nap", "recv"]);
            assert_eq!(state.remarks.len(), 1);
            assert_eq!(state.remarks[0].code, "thread_list_corrupt");
        },
    );
}

#[test]
fn damaged_context_is_told() {
    with_target(
        |target| {
            let top = target.stack(1) + STACK - 4 * 17;
            (top..top + 4 * 17).step_by(4).for_each(|at| target.put(at, 0x4141_4141));
        },
        |state| {
            let lock = &state.threads[1];
            assert!(lock.registers.is_empty());
            let reason = lock.registers_missing.as_deref().unwrap();
            assert!(reason.ends_with("are not a thread's saved registers"), "{reason}");
        },
    );
}

#[test]
fn byte_pool_is_walked_and_its_damage_told() {
    let image = ElfImage::parse(ELF).unwrap();
    let symbols = SymbolFile::new(&image);
    for damaged in [false, true] {
        let mut target = Target::new(&symbols);
        let (pool, start) = (target.at("pool"), target.at("pool_memory"));
        const POOL: &str = "TX_BYTE_POOL_STRUCT";
        target.put(target.at("_tx_byte_pool_created_ptr"), pool);
        target.put(target.at("_tx_byte_pool_created_count"), 1);
        target.put(target.at("held"), start + 8);
        for (member, value) in [
            ("tx_byte_pool_name", 0),
            ("tx_byte_pool_start", start),
            ("tx_byte_pool_size", 256),
            ("tx_byte_pool_created_next", pool),
        ] {
            target.set(pool, POOL, member, value);
        }
        let second = if damaged { 0x4141_4141 } else { start + 248 };
        // Handed out, free, the block that closes the ring.
        for (at, next, mark) in [
            (start, start + 48, pool),
            (start + 48, second, 0xffff_eeee),
            (start + 248, start, 0xaaaa_aaaa),
        ] {
            target.put(at, next);
            target.put(at + 4, mark);
        }
        let heaps = ThreadX.heaps(&target.memory, &symbols);
        let [heap] = heaps.as_slice() else { panic!("one pool") };
        assert_eq!(heap.name, "pool");
        if damaged {
            let text = format!("the block at {} leads to 0x41414141", Address(start + 48));
            assert_eq!((heap.used, heap.corruption[0].text.as_str()), (None, text.as_str()));
        } else {
            let counts = (heap.used, heap.free, heap.largest_free, heap.blocks);
            assert_eq!(counts, (Some(40), Some(192), Some(192), Some(1)));
            assert_eq!(heap.largest_blocks[0].held_by.as_deref(), Some("held"));
            assert!(heap.corruption.is_empty());
        }
    }
}

#[test]
fn objects_are_read_from_their_rings() {
    let image = ElfImage::parse(ELF).unwrap();
    let symbols = SymbolFile::new(&image);
    let mut target = target(&symbols);
    let slots = target.at("timer_list");
    // Of `inbox` and `lock` `target` has set more.
    let expected = [
        ("queue", "inbox", "inbox", "0 of 8 messages of 16 bytes"),
        ("semaphore", "ready", "ready", "count 3"),
        ("mutex", "lock", "bus", "owned by main, lock count 2"),
        ("event flags", "bits", "bits", "flags 0x80000004"),
        ("block pool", "blocks", "blocks", "2 of 11 blocks of 12 bytes"),
        ("timer", "beat", "beat", "6 ticks left, every 50"),
    ];
    let members: [&[(&str, u32)]; 6] = [
        &[("capacity", 8), ("message_size", 4)],
        &[("count", 3)],
        &[("ownership_count", 2)],
        &[("current", 0x8000_0004)],
        &[("available", 9), ("total", 11), ("block_size", 12)],
        &[
            ("internal.tx_timer_internal_list_head", slots + 4 * 3),
            ("internal.tx_timer_internal_remaining_ticks", 6),
            ("internal.tx_timer_internal_re_initialize_ticks", 50),
        ],
    ];
    for (sort, ((_, variable, ..), members)) in
        objects::SORTS.iter().zip(expected.iter().zip(members))
    {
        let objects::Sort { id, ty, ring, member: prefix, .. } = *sort;
        let at = target.at(variable);
        target.put(target.at(&format!("{ring}_created_ptr")), at);
        // The kernel counts more than there are: the ring ends where it began.
        target.put(target.at(&format!("{ring}_created_count")), 9);
        for (member, value) in
            members.iter().chain(&[("id", id), ("name", 0), ("created_next", at)])
        {
            target.set(at, ty, &format!("{prefix}_{member}"), *value);
        }
    }
    let threads = ThreadX.read(&target.memory, &symbols).threads;
    let mut found = ThreadX.objects(&target.memory, &symbols, &threads);
    assert!(found.is_sorted_by_key(|object| object.address));
    found.sort_by_key(|object| expected.iter().position(|(kind, ..)| *kind == object.kind));
    let texts: Vec<_> =
        found.iter().map(|object| (object.kind, &*object.name, &*object.state)).collect();
    assert_eq!(texts, expected.map(|(kind, _, name, state)| (kind, name, state)));
}
