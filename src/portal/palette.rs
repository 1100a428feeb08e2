//! The accent colour, made readable: whatever an operator configures, text in it and on it keeps WCAG 2.2 AA contrast
//! (1.4.3, 4.5 : 1) on light and on dark pages.

/// A colour, as red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rgb([u8; 3]);

/// What the pages wear when `ui.accent` says nothing.
const DEFAULT_ACCENT: Rgb = Rgb([0x25, 0x57, 0xc0]);

/// The darker of the light scheme's surfaces, and white.
const LIGHT_PAGE: Rgb = Rgb([0xf4, 0xf5, 0xf7]);
const WHITE: Rgb = Rgb([0xff; 3]);

/// The lighter of the dark scheme's surfaces, and near black.
const DARK_CARD: Rgb = Rgb([0x1a, 0x1e, 0x24]);
const INK: Rgb = Rgb([0x11, 0x14, 0x18]);

/// What the guidelines ask for.
const ENOUGH: f64 = 4.5;

/// On dark surfaces more is needed to look as clear.
const ENOUGH_IN_THE_DARK: f64 = 7.0;

/// The style rules that set `--accent` and `--on-accent`, for light and for dark.
/// A text that is no colour (the configuration refuses it) gives the default.
pub(super) fn rules(accent: Option<&str>) -> String {
    let accent = accent.and_then(Rgb::parse).unwrap_or(DEFAULT_ACCENT);
    let light = accent.until_readable(Rgb([0; 3]), LIGHT_PAGE, ENOUGH);
    let dark = accent.until_readable(WHITE, DARK_CARD, ENOUGH_IN_THE_DARK);
    format!(
        ":root{{--accent:{light};--on-accent:{WHITE}}}\n\
         @media (prefers-color-scheme:dark){{:root{{--accent:{dark};--on-accent:{INK}}}}}\n"
    )
}

impl Rgb {
    /// Reads `#rgb` or `#rrggbb`.
    fn parse(text: &str) -> Option<Self> {
        let digits: Vec<u8> =
            text.strip_prefix('#')?.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect::<Option<_>>()?;
        match digits[..] {
            [r, g, b] => Some(Self([r * 17, g * 17, b * 17])),
            [r1, r2, g1, g2, b1, b2] => Some(Self([r1 * 16 + r2, g1 * 16 + g2, b1 * 16 + b2])),
            _ => None,
        }
    }

    /// This colour, moved towards `pole` as far as it takes to be read on `surface`.
    fn until_readable(self, pole: Self, surface: Self, enough: f64) -> Self {
        (0..=50).map(|step| self.mixed(pole, step)).find(|mixed| mixed.contrast(surface) >= enough).unwrap_or(pole)
    }

    /// `step` fiftieths of the way to `other`.
    fn mixed(self, other: Self, step: u16) -> Self {
        let channel = |i: usize| {
            let sum = u16::from(self.0[i]) * (50 - step) + u16::from(other.0[i]) * step;
            u8::try_from(sum / 50).unwrap_or(u8::MAX)
        };
        Self([channel(0), channel(1), channel(2)])
    }

    /// Contrast ratio (WCAG 2.2), from 1 to 21.
    fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// Relative luminance (WCAG 2.2).
    fn luminance(self) -> f64 {
        let [r, g, b] = self.0.map(|channel| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }
}

impl std::fmt::Display for Rgb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [r, g, b] = self.0;
        write!(f, "#{r:02x}{g:02x}{b:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_accent_is_readable_in_light_and_in_dark() {
        for text in ["#ffd400", "#000", "#fff", "#777777", "#0000ff", "#2557c0", "#ff0080", "#00ff00"] {
            let accent = Rgb::parse(text).unwrap();
            let light = accent.until_readable(Rgb([0; 3]), LIGHT_PAGE, ENOUGH);
            let dark = accent.until_readable(WHITE, DARK_CARD, ENOUGH_IN_THE_DARK);
            for (colour, surfaces) in [(light, [LIGHT_PAGE, WHITE]), (dark, [DARK_CARD, INK])] {
                for surface in surfaces {
                    assert!(colour.contrast(surface) >= ENOUGH, "{text} as {colour} on {surface}");
                }
            }
        }
    }

    #[test]
    fn a_readable_accent_is_left_as_it_is() {
        assert!(rules(Some("#2557c0")).contains("--accent:#2557c0;"));
        assert_eq!(rules(Some("nonsense")), rules(None));
    }

    #[test]
    fn contrast_is_as_the_guidelines_compute_it() {
        assert!((Rgb([0; 3]).contrast(WHITE) - 21.0).abs() < 1e-9);
        assert!((Rgb::parse("#777").unwrap().contrast(WHITE) - 4.478).abs() < 0.001);
    }
}
