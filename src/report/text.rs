//! stub
/// Style.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style;
/// Render.
pub fn render_text(_report: &super::Report, _style: Style) -> String {
    String::new()
}
