//! Text that a person may look at: whatever could command a terminal, or hide or turn what is written, is shown as an
//! escape.
//!
//! In: any text. Out: the same text, or one with escapes like `\n` and `\u{202e}`. Kubernetes names contain none of
//! these characters, but a forged event may. A backslash is not escaped: the result is for people, not for a parser.

use std::borrow::Cow;

/// The text with its control characters, and those that have no shape, as escapes of Rust.
pub fn controls(text: &str) -> Cow<'_, str> {
    if !text.contains(is_control) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match is_control(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// C0 with escape, delete, C1 with the one-byte CSI, line separators, bidirectional controls, and what takes no room.
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn what_is_shown() {
        let texts = [
            "plain, with ümlauts and 日本",
            "bell\u{7} and\tmore\r\n",
            "\u{1b}[31mred\u{9b}0m\u{7f}",
            "\u{202e}trom\u{2066}\u{2028}",
            "no\u{200b}room\u{feff}\u{e0041}",
            r"C:\new",
        ];
        expect![[r#"
            plain, with ümlauts and 日本
            bell\u{7} and\tmore\r\n
            \u{1b}[31mred\u{9b}0m\u{7f}
            \u{202e}trom\u{2066}\u{2028}
            no\u{200b}room\u{feff}\u{e0041}
            C:\new
        "#]]
        .assert_eq(&texts.map(|text| format!("{}\n", controls(text))).concat());
        assert!(matches!(controls("plain"), Cow::Borrowed(_)));
    }
}
