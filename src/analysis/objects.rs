//! The kernel's objects and who waits for each.

use super::Core;
use crate::report::KernelObject;

/// Every object that the kernel's walker finds, by address.
pub(super) fn list(core: &Core<'_, '_>) -> Vec<KernelObject> {
    let Some((kernel, file)) = core.kernel.zip(core.kernel_file) else { return Vec::new() };
    let threads = core.state().map_or(&[][..], |state| &state.threads);
    let found = kernel.objects(&core.memory, file, threads).into_iter();
    let listed = found.map(|object| {
        let waits = |thread: &&crate::rtos::Thread| {
            thread.wait.as_ref().is_some_and(|wait| wait.object == Some(object.address))
        };
        KernelObject {
            kind: object.kind.into(),
            waiters: threads.iter().filter(waits).map(|thread| thread.name.clone()).collect(),
            name: object.name,
            address: object.address.into(),
            state: object.state,
        }
    });
    listed.collect()
}
