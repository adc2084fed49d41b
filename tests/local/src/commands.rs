//! The addresses with one sentence each, and the first commands to paste: for the terminal and for the console.

use crate::Addresses;

/// A part of the local service that people use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The name.
    pub name: &'static str,
    /// The address.
    pub address: String,
    /// One sentence about it.
    pub sentence: &'static str,
}

/// The parts that people use.
#[must_use]
pub fn parts(addresses: &Addresses) -> Vec<Part> {
    let console = &addresses.console;
    let parts = [
        ("API", addresses.api.clone(), "The service: API Gateway and the functions."),
        ("Console", console.clone(), "Customers, what happens, the clock, faults and logs."),
        (
            "Demo shop",
            format!("{console}/shop"),
            "A web shop that stores cards and sells tickets with the API.",
        ),
        (
            "API reference",
            format!("{console}/api"),
            "Swagger UI: every operation, and a form that calls it.",
        ),
        ("Inbox", format!("{console}/inbox"), "Receives notifications: use it as callbackUrl."),
        (
            "Netaxept sandbox",
            addresses.netaxept.clone(),
            "Simulates Nets, with the page where the customer enters a card.",
        ),
        (
            "Token issuer",
            addresses.issuer.clone(),
            "Issues tokens to the clients that its page lists.",
        ),
        ("DynamoDB", addresses.dynamodb.clone(), "The tables."),
        ("Secrets Manager", addresses.secrets.clone(), "Returns the secrets of the functions."),
    ];
    parts.map(|(name, address, sentence)| Part { name, address, sentence }).into()
}

/// A command for a POSIX shell with curl.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// What it does.
    pub sentence: &'static str,
    /// The command. It uses the variables that the commands before it set.
    pub text: String,
}

/// What to do after the first commands.
pub const AFTER_COMMANDS: &str = "Enter card 4925000000000004, any future month and 123 there. The service stores the card within two minutes.";

/// The first three commands: they get a token, create a recurring payment, and open its terminal. The last one prints the address of
/// the terminal.
#[must_use]
pub fn first_commands(addresses: &Addresses) -> [Command; 3] {
    let Addresses { api, console, issuer, .. } = addresses;
    let json = "-H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json'";
    let text = |name: &str| format!("sed 's/.*\"{name}\":\"\\([^\"]*\\).*/\\1/'");
    let command = |sentence, text| Command { sentence, text };
    [
        command(
            "Get a token. It is valid for one hour.",
            format!(
                "TOKEN=$(curl -s {issuer}/oauth/token -d grant_type=client_credentials -d client_id=partner-demo \
                 -d client_secret=partner-demo -d audience=https://api.entur.io | {})",
                text("access_token")
            ),
        ),
        command(
            "Create a recurring payment for customer 4711.",
            format!(
                "ID=$(curl -s {api}/v1/recurring-payments {json} -d '{{\"customerNumber\":\"4711\"}}' | \
                 sed 's/.*\"recurringPaymentId\":\\([0-9]*\\).*/\\1/'); echo $ID"
            ),
        ),
        command(
            "Open its terminal. This prints the address of the page where the customer enters the card.",
            format!(
                "curl -s {api}/v1/recurring-payments/$ID/terminal {json} -d '{{\"redirectUrl\":\"{console}/customers\"}}' | {}",
                text("terminalUri")
            ),
        ),
    ]
}
