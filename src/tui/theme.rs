//! Colors, by what a thing is. Meaning never rests on them: every mark is a character too.

use crate::analysis::inspector::OwnerKind;
use crate::report::Ink;
use ratatui::style::{Color, Modifier, Style};

/// Which colors the terminal is to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// For a dark background.
    #[default]
    Dark,
    /// For a light background.
    Light,
    /// Few colors, all of them bright, and bold text.
    Contrast,
    /// No color at all.
    Plain,
}

/// Every theme with its name.
pub const THEMES: [(&str, Theme); 4] = [
    ("dark", Theme::Dark),
    ("light", Theme::Light),
    ("contrast", Theme::Contrast),
    ("plain", Theme::Plain),
];

/// What a piece of the screen is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Text of the report.
    Ink(Ink),
    /// The frame of a pane, and of the one that has the keys.
    Border,
    Focus,
    /// The row under the cursor, where the keys go and elsewhere.
    Selected,
    Marked,
    /// The name of a key.
    Key,
    /// Something that Enter follows.
    Link,
    /// Bytes by their owner.
    Owner(OwnerKind),
    /// What differs from the other dump.
    Changed,
    /// What a search found.
    Found,
}

impl Theme {
    /// The theme of that name.
    pub fn named(name: &str) -> Option<Theme> {
        THEMES.iter().find(|(known, _)| *known == name).map(|(_, theme)| *theme)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        THEMES.iter().find(|(_, theme)| *theme == self).map_or("", |(name, _)| name)
    }

    /// How `role` looks.
    pub(super) fn style(self, role: Role) -> Style {
        let plain = Style::new();
        let modifier = match role {
            Role::Ink(Ink::Title | Ink::Strong | Ink::Heading) | Role::Focus | Role::Key => {
                Modifier::BOLD
            }
            Role::Selected => Modifier::REVERSED,
            Role::Marked | Role::Link => Modifier::UNDERLINED,
            Role::Changed => Modifier::BOLD.union(Modifier::UNDERLINED),
            Role::Found => Modifier::REVERSED,
            Role::Ink(Ink::Dim) if self != Theme::Contrast => Modifier::DIM,
            _ => Modifier::empty(),
        };
        let styled = plain.add_modifier(modifier);
        match self.color(role) {
            Some(color) => styled.fg(color),
            None => styled,
        }
    }

    fn color(self, role: Role) -> Option<Color> {
        // The terminal's own sixteen colors, so that its palette holds.
        let [dark, light, contrast] = match role {
            Role::Ink(Ink::Title | Ink::Fault) => [Color::LightRed, Color::Red, Color::LightRed],
            Role::Ink(Ink::Warning) => [Color::Yellow, Color::Magenta, Color::LightYellow],
            Role::Ink(Ink::Heading) | Role::Focus => [Color::Cyan, Color::Blue, Color::LightCyan],
            Role::Key => [Color::Cyan, Color::Blue, Color::LightYellow],
            Role::Link => [Color::LightBlue, Color::Blue, Color::LightCyan],
            Role::Border => [Color::DarkGray, Color::Gray, Color::White],
            Role::Changed => [Color::LightYellow, Color::Red, Color::LightYellow],
            Role::Owner(kind) => return self.owner(kind),
            _ => return None,
        };
        match self {
            Theme::Dark => Some(dark),
            Theme::Light => Some(light),
            Theme::Contrast => Some(contrast),
            Theme::Plain => None,
        }
    }

    fn owner(self, kind: OwnerKind) -> Option<Color> {
        let [dark, light] = match kind {
            OwnerKind::Variable => [Color::LightGreen, Color::Green],
            OwnerKind::Frame => [Color::LightMagenta, Color::Magenta],
            OwnerKind::FreeStack => [Color::DarkGray, Color::DarkGray],
            OwnerKind::Block | OwnerKind::Heap => [Color::LightBlue, Color::Blue],
            OwnerKind::Vectors | OwnerKind::System => [Color::LightCyan, Color::Cyan],
            OwnerKind::Function => [Color::Yellow, Color::Red],
            OwnerKind::Section => return None,
        };
        match self {
            Theme::Dark => Some(dark),
            Theme::Light => Some(light),
            Theme::Contrast | Theme::Plain => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_theme_has_no_color_and_still_tells_the_cursor() {
        let roles = [
            Role::Ink(Ink::Fault),
            Role::Selected,
            Role::Key,
            Role::Owner(OwnerKind::Frame),
            Role::Changed,
        ];
        for role in roles {
            assert_eq!(Theme::Plain.style(role).fg, None, "{role:?}");
        }
        assert_ne!(Theme::Plain.style(Role::Selected), Style::new());
        for (name, theme) in THEMES {
            assert_eq!((Theme::named(name), theme.name()), (Some(theme), name));
        }
        assert_eq!(Theme::named("mauve"), None);
    }
}
