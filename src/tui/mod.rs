//! The interface in a terminal: a dump, walked through from the cause to the bytes.
//!
//! [`State`] is all that it remembers, [`update()`] takes an event and says what is to be done,
//! [`view()`] draws; neither does input or output. [`terminal`] holds the terminal and the loop, and
//! a [`Desk`] the thread beside it, which opens, analyses and searches.

mod desk;
mod document;
mod event;
mod fuzzy;
mod keys;
mod layout;
mod memory;
mod search;
mod state;
pub mod terminal;
mod theme;
mod tree;
mod update;
mod view;

pub use desk::{Desk, Host};
pub use event::{Answer, Effect, Event, Export, Found, Loaded, Named, Request};
pub use state::{Base, Settings, State};
pub use theme::{THEMES, Theme};
pub use tree::{Forest, Path};
pub use update::update;
pub use view::view;
