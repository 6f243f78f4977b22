//! Processor facts: fault registers, exception frames, stack prologues.

pub mod cortex_m;
