//! The values of the labels, as they are exported.

use super::label::label;
use http::StatusCode;

label! {
    /// How a request comes to be decided on.
    pub enum Mode as "mode" {
        /// It goes through us.
        Proxy = "proxy",
        /// A front proxy asks about it.
        ForwardAuth = "forward_auth",
    }
}

label! {
    /// What became of a request, as its client, or the front proxy that asks, is told.
    pub enum Decision as "decision" {
        /// Goes on: whoever is signed in may.
        Allow = "allow",
        /// Goes on: everyone may.
        Public = "public",
        /// Sent elsewhere: to the login, or to HTTPS.
        Redirect = "redirect",
        /// Told to sign in.
        Unauthorized = "unauthorized",
        /// May not.
        Forbidden = "forbidden",
        /// Malformed, too large, or of a method that is not let through.
        BadRequest = "bad_request",
        /// For a host or path that is not served.
        NotFound = "not_found",
        /// Could not be decided: a store did not answer.
        Unavailable = "unavailable",
    }
}

impl Decision {
    /// What a refusal with this status means.
    #[must_use]
    pub fn refused_with(status: StatusCode) -> Self {
        match status {
            StatusCode::UNAUTHORIZED => Self::Unauthorized,
            StatusCode::FORBIDDEN => Self::Forbidden,
            StatusCode::NOT_FOUND | StatusCode::MISDIRECTED_REQUEST => Self::NotFound,
            status if status.is_server_error() => Self::Unavailable,
            _ => Self::BadRequest,
        }
    }
}

label! {
    /// How somebody shows who they are.
    pub enum LoginMethod as "method" {
        /// By a password.
        Password = "password",
        /// By a code of an authenticator.
        Totp = "totp",
        /// By a passkey.
        Passkey = "passkey",
        /// By a recovery code.
        Recovery = "recovery",
        /// By a token.
        Token = "token",
    }
}

label! {
    /// How a login ended.
    pub enum LoginResult as "result" {
        /// Somebody is signed in.
        Success = "success",
        /// Unknown name, wrong password, or an address that is still to be confirmed.
        Invalid = "invalid",
        /// The account is locked, by too many failures or by an operator.
        Locked = "locked",
        /// Too many attempts of one client.
        RateLimited = "rate_limited",
        /// A second factor is still to be given.
        MfaRequired = "mfa_required",
    }
}

label! {
    /// How a registration ended.
    pub enum RegistrationResult as "result" {
        /// An account was made.
        Success = "success",
        /// The name is another account's.
        UsernameTaken = "username_taken",
        /// The address is another account's.
        EmailTaken = "email_taken",
        /// The invitation does not work.
        InviteInvalid = "invite_invalid",
        /// Too many registrations of one client.
        RateLimited = "rate_limited",
    }
}

label! {
    /// How far somebody has come who forgot a password.
    pub enum ResetStage as "stage" {
        /// Asked for a link.
        Request = "request",
        /// Was mailed one: the address is an account's.
        Link = "link",
        /// Used it.
        Confirm = "confirm",
    }
}

label! {
    /// How a stage of a reset ended.
    pub enum ResetResult as "result" {
        /// As wanted.
        Success = "success",
        /// The link does not work.
        Invalid = "invalid",
        /// Too many requests.
        RateLimited = "rate_limited",
    }
}

label! {
    /// Why a session ended.
    pub enum SessionEnd as "reason" {
        /// Its user signed out.
        Logout = "logout",
        /// Its user, or an administrator, ended it.
        Revoked = "revoked",
        /// Its browser signed in anew.
        Replaced = "replaced",
        /// Its user signed in so often that it was one too many.
        Displaced = "displaced",
        /// The password was changed or reset, or the account was locked.
        AccountChanged = "account_changed",
        /// The account was removed.
        AccountDeleted = "account_deleted",
        /// By age or disuse; counted when it is removed.
        Expired = "expired",
    }
}

label! {
    /// How the use of a refresh token ended.
    pub enum RefreshResult as "result" {
        /// There is a new pair of tokens.
        Success = "success",
        /// It was used a moment before, and got the same successor once more.
        Repeated = "repeated",
        /// It was used before: somebody has stolen it, and all tokens of its family are dead.
        Reused = "reused",
        /// It expired, was revoked, or is none of ours.
        Invalid = "invalid",
    }
}

label! {
    /// Whether memory had the session.
    pub enum CacheResult as "result" {
        /// It had.
        Hit = "hit",
        /// The store was asked.
        Miss = "miss",
    }
}

label! {
    /// What became of an attempt to send a mail.
    pub enum EmailResult as "result" {
        /// The mail server took it.
        Sent = "sent",
        /// It failed, and is tried again later.
        Deferred = "deferred",
        /// It is given up.
        Failed = "failed",
        /// There was nobody to send it to, or nothing to tell any more.
        Dropped = "dropped",
    }
}

label! {
    /// How reading the configuration anew ended.
    pub enum ReloadResult as "result" {
        /// It holds.
        Success = "success",
        /// The old one stays.
        Failure = "failure",
    }
}

label! {
    /// What an upstream answered.
    pub enum CodeClass as "code_class" {
        /// 101: a WebSocket.
        Informational = "1xx",
        /// As wanted.
        Success = "2xx",
        /// Sent elsewhere, or not modified.
        Redirection = "3xx",
        /// The request was wrong.
        ClientError = "4xx",
        /// The application failed.
        ServerError = "5xx",
        /// Nothing, or nothing that is an answer.
        Error = "error",
    }
}

impl CodeClass {
    /// The class of this status.
    #[must_use]
    pub fn of(status: StatusCode) -> Self {
        match status.as_u16() {
            100..=199 => Self::Informational,
            200..=299 => Self::Success,
            300..=399 => Self::Redirection,
            400..=499 => Self::ClientError,
            _ => Self::ServerError,
        }
    }
}
