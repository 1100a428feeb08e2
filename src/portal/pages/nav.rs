//! The navigation of the account's pages; administrators find theirs below it.

use crate::account::Account;
use crate::portal::Portal;

/// What stands above an account page.
pub(super) struct Nav {
    here: Here,
    administrator: bool,
}

/// Which page is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Here {
    Profile,
    Password,
    Email,
    Sessions,
    Tokens,
    Activity,
    Users,
    AllSessions,
    Invitations,
    AllActivity,
    Explain,
    /// A page that is on the way to another one.
    Elsewhere,
}

/// A page that can be gone to.
struct Place {
    here: Here,
    /// Under the prefix.
    path: &'static str,
    text: &'static str,
}

/// A link to one.
pub(super) struct Link {
    /// Under the prefix.
    pub(super) path: &'static str,
    pub(super) text: &'static str,
    /// Whether it leads to the page that is shown.
    pub(super) current: bool,
}

const OWN: [Place; 6] = [
    Place { here: Here::Profile, path: "/account", text: "Profile" },
    Place { here: Here::Password, path: "/account/password", text: "Password" },
    Place { here: Here::Email, path: "/account/email", text: "Email" },
    Place { here: Here::Sessions, path: "/account/sessions", text: "Sessions" },
    Place { here: Here::Tokens, path: "/account/tokens", text: "Tokens" },
    Place { here: Here::Activity, path: "/account/activity", text: "Activity" },
];

const ADMINISTRATION: [Place; 5] = [
    Place { here: Here::Users, path: "/admin/users", text: "Users" },
    Place { here: Here::AllSessions, path: "/admin/sessions", text: "All sessions" },
    Place { here: Here::Invitations, path: "/admin/invitations", text: "Invitations" },
    Place { here: Here::AllActivity, path: "/admin/activity", text: "All activity" },
    Place { here: Here::Explain, path: "/explain", text: "Who may see what" },
];

impl Nav {
    /// For a page that this account is shown.
    pub(super) fn of(portal: &Portal, account: &Account, here: Here) -> Self {
        Self { here, administrator: portal.app.administration.is_administrator(account) }
    }

    /// Pages for everybody.
    pub(super) fn own(&self) -> Vec<Link> {
        self.links(&OWN)
    }

    /// Pages for administrators; none for others.
    pub(super) fn administration(&self) -> Vec<Link> {
        if self.administrator { self.links(&ADMINISTRATION) } else { Vec::new() }
    }

    fn links(&self, places: &[Place]) -> Vec<Link> {
        places.iter().map(|place| Link { path: place.path, text: place.text, current: place.here == self.here }).collect()
    }
}

#[cfg(test)]
impl Nav {
    /// An administrator's, for tests of templates.
    pub(super) fn sample(here: Here) -> Self {
        Self { here, administrator: true }
    }
}
