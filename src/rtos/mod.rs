//! Kernels: which threads there are, in which state, where their registers are saved, what is on
//! their heaps. One folder a kernel, each behind [`Kernel`].

mod console;
mod freertos;
mod heap;
mod holders;
#[cfg(test)]
mod laid_out;
mod log;
mod main_stack;
mod newlib;
mod object;
mod stack_fill;
mod threadx;
mod wait;
mod zephyr;

pub use heap::{Corruption, Heap, HeapBlock};
pub use log::LogLine;
pub use object::KernelObject;
pub use wait::{Inversion, Wait, deadlocks, inversions};

use crate::base::{Address, AddressRange, Memory};
use crate::snapshot::RegisterSet;
use crate::symbols::SymbolFile;

/// A thread as its kernel describes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Thread {
    /// Address of the control block; 0 for the main stack of a firmware without kernel.
    pub address: Address,
    /// Name; empty when the kernel keeps none.
    pub name: String,
    /// What it is doing.
    pub state: State,
    /// The kernel's own bits for that.
    pub state_bits: Option<u32>,
    /// Priority as the kernel counts it.
    pub priority: Option<i32>,
    /// Its own priority, where the kernel keeps it apart from one that it inherited.
    pub base_priority: Option<i32>,
    /// Entry function.
    pub entry: Option<Address>,
    /// The CPU belongs to this thread, even while it runs a handler.
    pub current: bool,
    /// Usable stack.
    pub stack: Option<AddressRange>,
    /// Most bytes of the stack that were ever used, by the kernel's fill pattern.
    pub high_water: Option<u32>,
    /// A sentinel that the kernel keeps at the end of the stack was overwritten.
    pub sentinel_lost: bool,
    /// What it waits for, when it is pending or sleeping.
    pub wait: Option<Wait>,
    /// Registers as saved when it was switched out. Of the current thread the last that were
    /// saved, where the kernel keeps them: right only while it switches threads.
    pub registers: RegisterSet,
    /// Saved registers could not be read, and why.
    pub registers_missing: Option<String>,
}

impl Thread {
    /// Whether it is no kernel's thread but what runs on the only stack there is.
    pub fn is_main_stack(&self) -> bool {
        self.address == Address(0)
    }
}

/// What a thread is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Owns the CPU.
    Running,
    /// Could run.
    #[default]
    Ready,
    /// Waits for an object.
    Pending,
    /// Waits for time to pass.
    Sleeping,
    /// Was stopped by another thread.
    Suspended,
    /// Was created and not yet started.
    Prestart,
    /// Has ended.
    Dead,
}

impl State {
    /// In words of the field.
    pub fn name(self) -> &'static str {
        match self {
            State::Running => "running",
            State::Ready => "ready",
            State::Pending => "pending",
            State::Sleeping => "sleeping",
            State::Suspended => "suspended",
            State::Prestart => "prestart",
            State::Dead => "dead",
        }
    }
}

/// What a kernel knows about itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KernelState {
    /// Threads, in the kernel's order.
    pub threads: Vec<Thread>,
    /// Stack that exception handlers run on.
    pub handler_stack: Option<AddressRange>,
    /// What could not be found, for people.
    pub remarks: Vec<Remark>,
}

/// A kernel that firmware may be built with.
pub trait Kernel: Sync {
    /// Its name, for example `Zephyr`.
    fn name(&self) -> &'static str;

    /// Whether `symbols` are those of a firmware with this kernel.
    fn is_present(&self, symbols: &SymbolFile<'_>) -> bool;

    /// Its state, as far as `memory` holds it. A capture calls this too, on the live target: it
    /// reads what the list of threads needs and no more.
    fn read(&self, memory: &dyn Memory, symbols: &SymbolFile<'_>) -> KernelState;

    /// Fills in what `threads` wait for, where [`Kernel::read`] did not: what takes more memory than
    /// the list of threads.
    fn add_waits(&self, _memory: &dyn Memory, _symbols: &SymbolFile<'_>, _threads: &mut [Thread]) {}

    /// Orders priorities: of two threads the kernel runs the one for which this is greater.
    fn urgency(&self, priority: i32) -> i32;

    /// Memory of its own that the list of threads is found by, most telling first.
    fn own_ranges(&self, symbols: &SymbolFile<'_>) -> Vec<AddressRange>;

    /// Size of a thread's control block in bytes.
    fn thread_size(&self, symbols: &SymbolFile<'_>) -> u32;

    /// Functions below which a backtrace has nothing to show.
    fn outermost(&self) -> &'static [&'static str];

    /// The registers of the code that made a system call, when `function`, which has `registers`, is
    /// what carries it out.
    fn system_call(
        &self,
        _memory: &dyn Memory,
        _function: &str,
        _registers: &RegisterSet,
    ) -> Option<RegisterSet> {
        None
    }

    /// Its heaps, walked block by block.
    fn heaps(&self, _memory: &dyn Memory, _symbols: &SymbolFile<'_>) -> Vec<Heap> {
        Vec::new()
    }

    /// What it calls for interrupt `line`, when `vector` leads to its own dispatcher.
    fn service_routine(
        &self,
        _memory: &dyn Memory,
        _symbols: &SymbolFile<'_>,
        _vector: Address,
        _line: u16,
    ) -> Option<Address> {
        None
    }

    /// Where its root object stands, and the pointer to the thread that runs, for dumps that hold
    /// them without an address.
    fn place(
        &self,
        _object: Option<&[u8]>,
        _current: Option<Address>,
        _symbols: &SymbolFile<'_>,
    ) -> Vec<(Address, Vec<u8>)> {
        Vec::new()
    }

    /// Its objects, as far as it can list them, by address. `threads` are those of [`Kernel::read`].
    fn objects(
        &self,
        _memory: &dyn Memory,
        _symbols: &SymbolFile<'_>,
        _threads: &[Thread],
    ) -> Vec<KernelObject> {
        Vec::new()
    }

    /// What is left of its log in memory, oldest line first.
    fn logs(&self, _memory: &dyn Memory, _symbols: &SymbolFile<'_>) -> Vec<LogLine> {
        Vec::new()
    }

    /// Why there is no log to find, when the firmware keeps none.
    fn no_log(&self, _symbols: &SymbolFile<'_>) -> Option<Remark> {
        None
    }

    /// Functions that are handed its fatal error code in an argument called `reason`.
    fn reason_carriers(&self) -> &'static [&'static str] {
        &[]
    }

    /// What it means that the function `name`, which the kernel calls, is at work.
    fn fatal_function(&self, _name: &str) -> Option<FatalReason> {
        None
    }

    /// Whether a loop without a way out in its own functions, with interrupts masked, is that of an
    /// assertion that calls nothing.
    fn asserts_by_looping(&self) -> bool {
        false
    }

    /// The meaning of its fatal error code.
    fn fatal_reason(&self, _code: u32, _symbols: &SymbolFile<'_>) -> FatalReason {
        FatalReason::Exception
    }

    /// What its source calls a fatal error code.
    fn fatal_name(&self, _code: u32, _symbols: &SymbolFile<'_>) -> Option<&'static str> {
        None
    }

    /// The immediate of the SVC by which firmware raises a fatal error, with the code in r0.
    fn fatal_svc(&self) -> Option<u8> {
        None
    }
}

/// Every kernel that is known.
const KERNELS: &[&dyn Kernel] = &[&zephyr::Zephyr, &threadx::ThreadX, &freertos::FreeRtos];

/// The kernel of a firmware, by its symbols.
pub fn recognize(symbols: &SymbolFile<'_>) -> Option<&'static dyn Kernel> {
    KERNELS.iter().copied().find(|kernel| kernel.is_present(symbols))
}

/// A firmware without kernel: all of it runs on the main stack.
pub fn bare_metal(memory: &dyn Memory, symbols: &SymbolFile<'_>) -> Option<KernelState> {
    let stack = main_stack::find(memory, symbols)?;
    let thread = Thread {
        name: "main stack".into(),
        state: State::Running,
        current: true,
        stack: Some(stack),
        high_water: main_stack::high_water(memory, stack),
        ..Thread::default()
    };
    Some(KernelState {
        threads: vec![thread],
        handler_stack: Some(stack),
        ..KernelState::default()
    })
}

/// The heap of the C library, which firmware has with a kernel and without.
pub fn library_heap(memory: &dyn Memory, symbols: &SymbolFile<'_>) -> Option<Heap> {
    newlib::heap(memory, symbols)
}

/// `log` and the terminal that a probe reads through memory (SEGGER RTT), which firmware may have
/// with a kernel and without, oldest line first.
pub fn with_terminal(
    log: Vec<LogLine>,
    memory: &dyn Memory,
    symbols: &SymbolFile<'_>,
) -> Vec<LogLine> {
    console::merge(log, console::rtt(memory, symbols))
}

/// That lines of that terminal may be missing.
pub fn terminal_lost(memory: &dyn Memory, symbols: &SymbolFile<'_>) -> Option<Remark> {
    console::rtt_lost(memory, symbols)
}

/// Why a kernel says it gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FatalReason {
    /// The fault status bit of that name was set.
    StatusBit(&'static str),
    /// A stack overflow was detected, by hardware or by a sentinel.
    StackCheck,
    /// An interrupt without a handler.
    SpuriousInterrupt,
    /// The kernel found no memory.
    OutOfMemory,
    /// The firmware raised an error in one thread.
    Oops,
    /// The firmware stopped itself.
    Panic,
    /// Some exception.
    Exception,
}

impl FatalReason {
    /// Whether firmware itself raises it, not an exception.
    pub fn is_raised(self) -> bool {
        use FatalReason::{Oops, OutOfMemory, Panic, StackCheck};
        matches!(self, OutOfMemory | Oops | Panic | StackCheck)
    }
}

/// A sentence about something a kernel's walker could not find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Stable word for programs.
    pub code: &'static str,
    /// One sentence.
    pub text: String,
    /// The address it is about.
    pub address: Option<Address>,
}

/// Memory that holds the kernel's objects and its threads' stacks, most telling first: what a
/// capture reads before the bulk.
pub fn ranges(
    kernel: &dyn Kernel,
    state: &KernelState,
    symbols: &SymbolFile<'_>,
) -> Vec<AddressRange> {
    let mut ranges = kernel.own_ranges(symbols);
    let size = kernel.thread_size(symbols);
    ranges.extend(state.handler_stack);
    let current_first = |thread: &&Thread| !thread.current;
    let mut threads: Vec<&Thread> = state.threads.iter().collect();
    threads.sort_by_key(current_first);
    for thread in threads {
        ranges.extend(thread.stack);
        ranges.extend(AddressRange::new(thread.address, u64::from(size)));
    }
    ranges
}
