//! Asks a gateway about names and addresses that have accounts and about some that have none, in turn and in random order, and
//! tells whether the answers differ: status, headers and length exactly, times by the Mann–Whitney U test.
//!
//! `enumeration ADDRESS ROUNDS NAME` expects the account `NAME` with `NAME@example.com`, open registration and no limits. It needs
//! nothing but the standard library.

mod client;
mod statistics;

use client::{Answer, Client};
use statistics::{median, separation};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

/// Below this, times are separable (threats G01).
const SIGNIFICANT: f64 = 0.01;

/// Lets what an answer has left to be done in the background come to its end.
const PAUSE: Duration = Duration::from_millis(25);

/// A form that might tell who has an account.
struct Form {
    title: &'static str,
    page: &'static str,
    /// Fields for the given round: `true` for one that has an account.
    fields: fn(known: bool, name: &str, round: usize) -> Vec<(&'static str, String)>,
}

const PASSWORD: &str = "Correct-horse-7-battery";

const FORMS: [Form; 3] = [
    Form {
        title: "login, wrong password",
        page: "/auth/login",
        fields: |known, name, _| vec![("username", somebody(known, name)), ("password", "wrong".to_owned())],
    },
    Form {
        title: "reset request",
        page: "/auth/forgot",
        fields: |known, name, _| vec![("email", format!("{}@example.com", somebody(known, name)))],
    },
    Form {
        title: "registration, taken address",
        page: "/auth/register",
        fields: |known, name, round| {
            let fresh = format!("{}{round:06}", if known { "t" } else { "f" });
            let email = if known { format!("{name}@example.com") } else { format!("{:0>width$}@example.com", fresh, width = name.len()) };
            vec![("username", format!("r{fresh}")), ("email", email), ("password", PASSWORD.to_owned())]
        },
    },
];

/// The name, or one of its length that nobody has.
fn somebody(known: bool, name: &str) -> String {
    if known { name.to_owned() } else { name.chars().rev().collect() }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, rounds, name] = &arguments[..] else {
        eprintln!("enumeration ADDRESS ROUNDS NAME");
        return ExitCode::FAILURE;
    };
    let rounds: usize = rounds.parse().expect("ROUNDS is a number");
    println!("| {rounds} of each | known, median | unknown, median | ratio | Mann–Whitney p | answers |");
    println!("| --- | ---: | ---: | ---: | ---: | --- |");
    let results: Vec<bool> = FORMS.iter().map(|form| measure(form, address, rounds, name)).collect();
    if results.iter().all(|same| *same) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints a row; whether nothing told the two kinds apart.
fn measure(form: &Form, address: &str, rounds: usize, name: &str) -> bool {
    let mut client = Client::connect(address);
    let opened = client.open(form.page);
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    let mut difference = None;
    let mut coins = Coins(0x9E37_79B9_7F4A_7C15);
    for round in 0..rounds + rounds / 20 {
        let mut answers: [Option<Answer>; 2] = [None, None];
        let first = coins.toss();
        for is_known in [first, !first] {
            let fields = (form.fields)(is_known, name, round);
            answers[usize::from(is_known)] = Some(client.submit(form.page, &opened, &fields));
            sleep(PAUSE);
        }
        let [Some(of_unknown), Some(of_known)] = answers else { unreachable!() };
        if difference.is_none() {
            difference = of_known.difference(&of_unknown);
        }
        // The first twentieth warms up.
        if round >= rounds / 20 {
            known.push(of_known.took.as_secs_f64() * 1000.0);
            unknown.push(of_unknown.took.as_secs_f64() * 1000.0);
        }
    }
    let p = separation(&known, &unknown);
    let (of_known, of_unknown) = (median(&known), median(&unknown));
    let answers = difference.as_deref().unwrap_or("equal");
    println!("| {} | {of_known:.3} ms | {of_unknown:.3} ms | {:.3} | {p:.3} | {answers} |", form.title, of_known / of_unknown);
    difference.is_none() && p > SIGNIFICANT
}

/// A fixed sequence (xorshift64): a run can be repeated.
struct Coins(u64);

impl Coins {
    fn toss(&mut self) -> bool {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 63 == 1
    }
}
