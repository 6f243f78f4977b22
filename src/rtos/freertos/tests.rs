//! Memory of kernels that no fixture runs, laid out by the debug information of images that have the
//! members' names: before V10.1 with 16-bit ticks, and V11 with an MPU and 64-bit ticks.

use super::*;
use crate::rtos::State;
use crate::rtos::laid_out::Target;
use crate::symbols::{ElfImage, SymbolFile};

const OLD: &[u8] = include_bytes!("../../../fixtures/freertos/elf/layouts-old.elf");
const MPU: &[u8] = include_bytes!("../../../fixtures/freertos/elf/layouts-mpu.elf");

/// Where an object lies that was allocated: in no variable.
const HEAP_BLOCK: u32 = 0x2000_1000;
const END_OF_RAM: u32 = 0x2000_2000;

const TASK: &str = "tskTaskControlBlock";
const LIST: &str = "xLIST";
const ITEM: &str = "xLIST_ITEM";

impl Target<'_, '_> {
    fn task(&self, number: u32) -> u32 {
        self.at("tasks") + number * self.size(TASK)
    }

    fn size(&self, ty: &str) -> u32 {
        self.symbols.size_of(ty).unwrap() as u32
    }

    fn offset(&self, ty: &str, member: &str) -> u32 {
        self.symbols.layout(ty, member).unwrap().offset_bytes as u32
    }

    /// A list with the items at `items`.
    fn list(&mut self, list: u32, items: &[u32]) {
        let container = if self.is_old() { "pvContainer" } else { "pxContainer" };
        let end = list + self.offset(LIST, "xListEnd");
        let ring: Vec<u32> = [end].into_iter().chain(items.iter().copied()).chain([end]).collect();
        for pair in ring.windows(2) {
            self.set(pair[0], ITEM, "pxNext", pair[1]);
            self.set(pair[1], ITEM, "pxPrevious", pair[0]);
        }
        for item in items {
            self.set(*item, ITEM, container, list);
        }
        self.set(list, LIST, "uxNumberOfItems", items.len() as u32);
    }

    fn is_old(&self) -> bool {
        self.symbols.symbol("xKernelObjectPool").is_none()
    }

    fn state_item(&self, number: u32) -> u32 {
        let member = if self.is_old() { "xGenericListItem" } else { "xStateListItem" };
        self.task(number) + self.offset(TASK, member)
    }

    fn event_item(&self, number: u32) -> u32 {
        self.task(number) + self.offset(TASK, "xEventListItem")
    }

    fn add_task(&mut self, number: u32, name: &str, top: u32) {
        let (task, stack) = (self.task(number), self.at("stacks") + 256 * number);
        self.put(task, top);
        self.set(task, TASK, "uxPriority", number);
        self.set(task, TASK, "pxStack", stack);
        self.text(task + self.offset(TASK, "pcTaskName"), name);
        for item in [self.state_item(number), self.event_item(number)] {
            self.set(item, ITEM, "pvOwner", task);
        }
        (stack..stack + 256).step_by(4).for_each(|at| self.put(at, 0xa5a5_a5a5));
    }

    /// r0 to r3, r12, lr, pc, xPSR of a task that waits in `worker_entry`.
    fn frame(&self) -> Vec<u32> {
        vec![0, 1, 2, 3, 12, 0xffff_ffff, self.at("worker_entry") & !1, 0x0100_0000]
    }
}

/// Lays out three tasks, the first running; `more` says what the others do, and in which lists they
/// hang by their state items: delayed, delayed past the wrap, suspended.
fn with_tasks(
    elf: &[u8],
    more: impl FnOnce(&mut Target<'_, '_>) -> [Vec<u32>; 3],
    test: impl FnOnce(KernelState),
) {
    let image = ElfImage::parse(elf).unwrap();
    let symbols = SymbolFile::new(&image);
    let mut target = Target::new(&symbols);
    let [delayed, wrapped, suspended] = more(&mut target);
    for (number, name) in (0..3).zip(["main", "first", "second"]) {
        let stack = target.at("stacks") + 256 * number;
        target.add_task(number, name, stack + 256 - 64);
    }
    let ready = target.at("pxReadyTasksLists");
    let main = target.state_item(0);
    for priority in 0..4 {
        let items = if priority == 1 { vec![main] } else { vec![] };
        target.list(ready + priority * target.size(LIST), &items);
    }
    for (list, items) in [
        ("xDelayedTaskList1", delayed),
        ("xDelayedTaskList2", wrapped),
        ("xSuspendedTaskList", suspended),
    ] {
        target.list(target.at(list), &items);
    }
    for (pointer, word) in [
        ("pxDelayedTaskList", target.at("xDelayedTaskList1")),
        ("pxOverflowDelayedTaskList", target.at("xDelayedTaskList2")),
        ("pxCurrentTCB", target.task(0)),
        ("xSchedulerRunning", 1),
        ("uxCurrentNumberOfTasks", 3),
    ] {
        target.put(target.at(pointer), word);
    }
    // What nobody set is zero.
    let start = 0x2000_0000;
    target.memory.insert(Address(start), vec![0; (END_OF_RAM - start) as usize]).unwrap();
    assert!(FreeRtos.is_present(&symbols));
    test(FreeRtos.read(&target.memory, &symbols));
}

#[test]
fn old_kernel_with_short_ticks_is_read() {
    let lay_out = |target: &mut Target<'_, '_>| {
        let (first, second) = (target.state_item(1), target.state_item(2));
        // Five ticks before the count wraps.
        target.put(target.at("xTickCount"), 65530);
        target.put(first, 65531);
        target.put(second, 3);
        // `second` waits for a stream buffer, as its notification says and the buffer itself.
        let task = target.task(2);
        target.set(task, TASK, "eNotifyState", 1);
        let buffer = HEAP_BLOCK;
        target.put(target.at("console"), buffer);
        for (member, word) in [
            ("xLength", 8),
            ("xTriggerLevelBytes", 1),
            ("xTaskWaitingToReceive", task),
            ("pucBuffer", target.at("storage")),
        ] {
            target.set(buffer, "xSTREAM_BUFFER", member, word);
        }
        [vec![first], vec![second], vec![]]
    };
    with_tasks(OLD, lay_out, |state| {
        assert_eq!(state.remarks, []);
        let [main, first, second] = state.threads.as_slice() else { panic!("three") };
        assert!(main.current && main.state == State::Running);
        let wait = first.wait.as_ref().unwrap();
        assert_eq!((first.state, wait.kind, wait.ticks_left), (State::Sleeping, "delay", Some(1)));
        let wait = second.wait.as_ref().unwrap();
        assert_eq!((second.state, wait.kind), (State::Pending, "stream buffer to receive"));
        assert_eq!((wait.name.as_deref(), wait.ticks_left), (Some("console"), Some(9)));
    });
}

#[test]
fn kernel_with_mpu_is_read_through_its_pool_of_objects() {
    let lay_out = |target: &mut Target<'_, '_>| {
        // The second object of the pool; the number of boots is no handle.
        let group = HEAP_BLOCK;
        target.put(target.at("xKernelObjectPool") + 8, group);
        target.put(target.at("link_up"), 2);
        target.put(target.at("boots"), 2);
        let list = group + target.offset("EventGroupDef_t", "xTasksWaitingForBits");
        let item = target.event_item(1);
        target.list(list, &[item]);
        // The bits that are waited for, under the mark of 64-bit ticks.
        target.put(item, 5);
        target.put(item + 4, 0x8400_0000);
        // r4 to r11, the frame, xSecureContext, PSP, PSPLIM, CONTROL, EXC_RETURN.
        let stack = target.at("stacks") + 256;
        let context: Vec<u32> = (104..112)
            .chain(target.frame())
            .chain([0, stack + 128, stack, 2, 0xffff_ffbc])
            .collect();
        let task = target.task(1);
        let at = task + target.offset(TASK, "xMPUSettings.ulContext");
        for (word, at) in context.iter().zip((at..).step_by(4)) {
            target.put(at, *word);
        }
        target.put(task, at + 4 * context.len() as u32);
        [vec![], vec![], vec![target.state_item(1), target.state_item(2)]]
    };
    with_tasks(MPU, lay_out, |state| {
        assert_eq!(state.remarks, []);
        let [_, first, second] = state.threads.as_slice() else { panic!("three") };
        let wait = first.wait.as_ref().unwrap();
        assert_eq!((first.state, wait.kind), (State::Pending, "event group"));
        assert_eq!(wait.name.as_deref(), Some("link_up"));
        assert_eq!(second.state, State::Suspended);
        let registers = &first.registers;
        let frame_end = first.stack.unwrap().start().0 + 128 + 32;
        assert_eq!((registers.core(4), registers.core(11)), (Some(104), Some(111)));
        assert_eq!((registers.core(12), registers.sp()), (Some(12), Some(frame_end)));
    });
}
