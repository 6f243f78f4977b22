//! A watchdog that ran out, and what kept it from being fed.

use super::{Context, Finding, Scene};
use crate::arch::cortex_m::exception;
use crate::issue::{is_machinery, is_watchdog};
use crate::report::{Category, Confidence};

/// A watchdog's handler was running, or stopped the firmware. What it interrupted is what did not
/// let it be fed. A watchdog that resets without an interrupt leaves no dump to look at.
pub(super) fn expired(scene: &Scene<'_, '_>) -> Option<Finding> {
    let handles = |context: &Context| {
        let functions = scene.functions(context);
        let found = functions.iter().find(|place| is_watchdog(&place.function))?;
        (context.exception != 0).then(|| found.clone())
    };
    let mut handlers = scene.contexts.iter().map(handles).enumerate();
    let (index, handler) = handlers.find_map(|(index, found)| Some((index, found?)))?;
    let context = scene.contexts.get(index)?;
    // A handler that faults by itself is another matter.
    let stopped = |context| scene.functions(context).iter().any(|p| is_machinery(&p.function));
    if scene.crashed.is_some_and(|crashed| crashed != index || !stopped(context)) {
        return None;
    }
    let name = exception::name(context.exception);
    let mut summary = "The watchdog ran out".to_string();
    let mut title = None;
    if let Some(starver) = scene.contexts.get(index.checked_add(1)?) {
        let place = scene.blamed(starver);
        let runner = scene.runner(starver);
        let at = place.as_ref().map_or(String::new(), |place| format!(" in {place}"));
        summary.push_str(&format!(" while {runner} ran{at}"));
        title = place.map(|place| format!("{} in {runner}", place.function));
    }
    let mut found = Finding::new(Category::Watchdog, Confidence::Likely, summary)
        .because(format!("{handler} handles it in the {name} handler"));
    found.naming.qualifier = title;
    Some(scene.kept_waiting().into_iter().fold(found, Finding::because))
}
