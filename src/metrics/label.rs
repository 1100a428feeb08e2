//! Labels whose values are enumerations, so that none can take a value that a client chooses (CVE-2023-45142).

/// All the values that a label can take.
pub trait Label: Copy + Send + Sync + 'static {
    /// Name of the label.
    const NAME: &'static str;
    /// All values, in the order of their indices.
    const ALL: &'static [Self];
    /// As it is exported.
    fn value(self) -> &'static str;
    /// Its place in [`ALL`](Self::ALL).
    fn index(self) -> usize;
}

/// The labels of a family of metrics: one, or two.
pub trait Labels: Copy + Send + Sync + 'static {
    /// Their names.
    fn names() -> Vec<&'static str>;
    /// All combinations, in the order of their indices.
    fn all() -> Vec<Self>;
    /// As they are exported, in the order of the names.
    fn values(self) -> Vec<&'static str>;
    /// Its place among all combinations.
    fn index(self) -> usize;
}

impl<A: Label> Labels for A {
    fn names() -> Vec<&'static str> {
        vec![A::NAME]
    }

    fn all() -> Vec<Self> {
        A::ALL.to_vec()
    }

    fn values(self) -> Vec<&'static str> {
        vec![self.value()]
    }

    fn index(self) -> usize {
        Label::index(self)
    }
}

impl<A: Label, B: Label> Labels for (A, B) {
    fn names() -> Vec<&'static str> {
        vec![A::NAME, B::NAME]
    }

    fn all() -> Vec<Self> {
        A::ALL.iter().flat_map(|a| B::ALL.iter().map(|b| (*a, *b))).collect()
    }

    fn values(self) -> Vec<&'static str> {
        vec![self.0.value(), self.1.value()]
    }

    fn index(self) -> usize {
        Label::index(self.0) * B::ALL.len() + Label::index(self.1)
    }
}

/// Declares an enumeration as a label: `enum Mode as "mode" { Proxy = "proxy" }`.
macro_rules! label {
    ($(#[$about:meta])* $visible:vis enum $name:ident as $label:literal { $($(#[$variant_about:meta])* $variant:ident = $value:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $visible enum $name {
            $($(#[$variant_about])* $variant,)+
        }

        impl $crate::metrics::Label for $name {
            const NAME: &'static str = $label;
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            fn value(self) -> &'static str {
                match self {
                    $(Self::$variant => $value,)+
                }
            }

            fn index(self) -> usize {
                self as usize
            }
        }
    };
}

pub(crate) use label;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Decision, LoginMethod, LoginResult, Mode};

    #[test]
    fn every_combination_has_the_place_at_which_it_is_listed() {
        fn check<L: Labels>() {
            for (place, labels) in L::all().into_iter().enumerate() {
                assert_eq!(labels.index(), place);
                assert_eq!(labels.values().len(), L::names().len());
            }
        }
        check::<Mode>();
        check::<(Mode, Decision)>();
        check::<(LoginMethod, LoginResult)>();
    }
}
