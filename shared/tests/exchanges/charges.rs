//! The exchanges of charges and credits.

use local::clock::Clock;
use shared::domain::id::{Attempt, PaymentId, PaymentTransactionId, RegistrationId};
use shared::domain::money::{Currency, Money};
use shared::domain::payment::{CreditRequest, Initiator};
use shared::netaxept::{ChargeRegistration, Failure, Netaxept, Progress, Registered};
use shared::secret::Secret;

use crate::{Recorder, options, session, submit, submit_card};

const ORDER: &str = "DW2N19A6";

fn registration_id(index: usize) -> RegistrationId {
    let number = Attempt::try_from(index).unwrap();
    let first = Attempt::try_from(0_usize).unwrap();
    let transaction = PaymentTransactionId::new(PaymentId::from_bits(7171), first);
    RegistrationId { transaction, number }
}

/// Compares every exchange of charges and credits.
pub(crate) async fn compare(recorder: &mut Recorder, clock: &Clock) {
    charge_customer(recorder).await;
    charge_automatically(recorder).await;
    charge_as_merchant(recorder).await;
    decline_charges(recorder).await;
    refuse_charges(recorder, clock).await;
}

/// Stores another card and returns its pan hash. The proxy sees none of this.
async fn store_unrecorded(page: &Netaxept, attempt: usize, number: &str) -> Secret {
    let session = session(attempt);
    page.register(&session, &options(false)).await.unwrap();
    submit_card(page, &session, number, "okButton").await;
    submit(page.terminal_uri(session.transaction_id), &[("acceptButton", "x")]).await;
    page.verify(&session).await.unwrap();
    let Progress::Verified(card) = page.query(&session).await.unwrap() else {
        panic!("not verified")
    };
    card.pan_hash
}

/// A charge of a card in minor units of NOK: its amount, its card, and who starts it.
type Charge<'a> = (u64, &'a Secret, Initiator);

/// Registers a charge.
async fn register(
    nets: &Netaxept,
    id: RegistrationId,
    (minor, pan_hash, initiator): Charge<'_>,
    auto_auth: bool,
) -> Result<Registered, Failure> {
    let registration = ChargeRegistration {
        id,
        order_number: ORDER,
        amount: Money::new(minor, Currency::Nok),
        pan_hash,
        initiator,
        auto_auth,
        options: &options(false),
    };
    nets.register_charge(&registration).await
}

async fn charge_customer(recorder: &mut Recorder) {
    let card = store_unrecorded(&recorder.page, 4, "4925000000000004").await;
    let (id, charge) = (registration_id(0), (10_000, &card, Initiator::Customer));
    let amount = Money::new(10_000, Currency::Nok);
    let result = register(&recorder.nets, id, charge, false).await;
    recorder.compare("charge-register-customer", result, "Yes");
    let result = register(&recorder.nets, id, charge, false).await;
    recorder.compare("charge-register-repeated", result, "IdTaken");
    let result = recorder.nets.query_charge(id, ORDER, false).await;
    recorder.compare("charge-query-registered", result, "Pending");
    let result = recorder.nets.authorize(id).await;
    recorder.compare("charge-auth-without-card", result, "NoCard");
    let form = [("securityCode", "123"), ("okButton", "x")];
    submit(recorder.page.charge_terminal_uri(id), &form).await;
    let result = recorder.nets.authorize(id).await;
    recorder.compare("charge-auth", result, "Authorized");
    let result = recorder.nets.authorize(id).await;
    recorder.compare("charge-auth-repeated", result, "AlreadyProcessed");
    let result = recorder.nets.query_charge(id, ORDER, false).await;
    let expected = "Authorized(Money { minor: 10000, currency: Nok })";
    recorder.compare("charge-query-authorized", result, expected);
    let result = recorder.nets.capture(id, amount).await;
    recorder.compare("charge-capture", result, "Done");
    let result = recorder.nets.capture(id, amount).await;
    recorder.compare("charge-capture-repeated", result, "Refused");
    let result = recorder.nets.annul(id).await;
    recorder.compare("charge-annul-after-capture", result, "Refused");
    let result = recorder.nets.query_charge(id, ORDER, false).await;
    let expected = "Captured { captured: Money { minor: 10000, currency: Nok }, credited_minor: 0, credited_target: None }";
    recorder.compare("charge-query-captured", result, expected);
    credit_customer(recorder, id).await;
}

/// Credits a captured charge in two parts.
async fn credit_customer(recorder: &mut Recorder, id: RegistrationId) {
    let credit = |minor, target_minor| CreditRequest {
        id,
        amount: Money::new(minor, Currency::Nok),
        target_minor,
    };
    let result = recorder.nets.credit(&credit(3_000, 3_000)).await;
    recorder.compare("charge-credit", result, "Done");
    let result = recorder.nets.credit(&credit(7_001, 10_000)).await;
    recorder.compare("charge-credit-too-much", result, "Refused");
    let result = recorder.nets.query_charge(id, ORDER, false).await;
    let expected = "Captured { captured: Money { minor: 10000, currency: Nok }, credited_minor: 3000, credited_target: Some(3000) }";
    recorder.compare("charge-query-credited", result, expected);
    let result = recorder.nets.credit(&credit(7_000, 10_000)).await;
    recorder.compare("charge-credit-rest", result, "Done");
    let result = recorder.nets.credit(&credit(1, 10_000)).await;
    recorder.compare("charge-credit-repeated", result, "Refused");
}

/// Registers charges that Nets authorizes by itself.
async fn charge_automatically(recorder: &mut Recorder) {
    let card = store_unrecorded(&recorder.page, 11, "4925000000000004").await;
    let form = [("securityCode", "123"), ("okButton", "x")];
    for (index, minor, names, expected) in [
        (
            10,
            10_000,
            ["charge-register-auto-auth", "charge-query-auto-auth"],
            "Authorized(Money { minor: 10000, currency: Nok })",
        ),
        (
            11,
            151,
            ["charge-register-auto-auth-declined", "charge-query-auto-auth-declined"],
            "Declined(Soft)",
        ),
    ] {
        let id = registration_id(index);
        let charge = (minor, &card, Initiator::Customer);
        let result = register(&recorder.nets, id, charge, true).await;
        recorder.compare(names[0], result, "Yes");
        submit(recorder.page.charge_terminal_uri(id), &form).await;
        let result = recorder.nets.query_charge(id, ORDER, true).await;
        recorder.compare(names[1], result, expected);
    }
}

async fn charge_as_merchant(recorder: &mut Recorder) {
    let card = store_unrecorded(&recorder.page, 5, "4925000000000004").await;
    let id = registration_id(1);
    let result = register(&recorder.nets, id, (10_000, &card, Initiator::Merchant), false).await;
    recorder.compare("charge-register-merchant", result, "Yes");
    let result = recorder.nets.capture(id, Money::new(10_000, Currency::Nok)).await;
    recorder.compare("charge-capture-before-auth", result, "Refused");
    let result = recorder.nets.annul(id).await;
    recorder.compare("charge-annul-before-auth", result, "Refused");
    recorder.page.authorize(id).await.unwrap();
    let amount = Money::new(10_000, Currency::Nok);
    let credit = CreditRequest { id, amount, target_minor: 10_000 };
    let result = recorder.nets.credit(&credit).await;
    recorder.compare("charge-credit-before-capture", result, "Refused");
    let result = recorder.nets.annul(id).await;
    recorder.compare("charge-annul", result, "Done");
    let result = recorder.nets.annul(id).await;
    recorder.compare("charge-annul-repeated", result, "Refused");
    let result = recorder.nets.query_charge(id, ORDER, false).await;
    recorder.compare("charge-query-annulled", result, "Annulled");
}

/// At Nets and at the sandbox, the decimals of an amount below 2.00 are the code of the decline.
async fn decline_charges(recorder: &mut Recorder) {
    let visa = store_unrecorded(&recorder.page, 6, "4925000000000004").await;
    let strict = store_unrecorded(&recorder.page, 7, "4925000000000111").await;
    let blocked = store_unrecorded(&recorder.page, 8, "4925000000000129").await;
    let blocked_for_now = store_unrecorded(&recorder.page, 9, "4925000000000137").await;
    let unclear =
        "AUTH: no clear reply from Nets: Bbs: Unable to auth (Issuer 99: Refused by issuer)";
    for (index, (name, card, minor, expected)) in [
        ("charge-auth-declined-for-now", &visa, 151, "Declined(Soft)"),
        ("charge-auth-declined", &visa, 152, "Declined(Hard)"),
        ("charge-auth-undetermined", &visa, 199, unclear),
        (
            "charge-auth-authentication-required",
            &strict,
            10_000,
            "Declined(AuthenticationRequired)",
        ),
        ("charge-auth-blocked", &blocked, 10_000, "Declined(Hard)"),
        ("charge-auth-blocked-for-now", &blocked_for_now, 10_000, "Declined(Soft)"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = registration_id(2 + index);
        register(&recorder.page, id, (minor, card, Initiator::Merchant), false).await.unwrap();
        let result = recorder.nets.authorize(id).await;
        recorder.compare(name, result, expected);
    }
    let result = recorder.nets.query_charge(registration_id(2), ORDER, false).await;
    recorder.compare("charge-query-declined", result, "Pending");
    let cancelled = registration_id(8);
    register(&recorder.page, cancelled, (10_000, &visa, Initiator::Customer), false).await.unwrap();
    submit(recorder.page.charge_terminal_uri(cancelled), &[("cancelButton", "x")]).await;
    let result = recorder.nets.authorize(cancelled).await;
    recorder.compare("charge-auth-cancelled", result, "Cancelled");
    let result = recorder.nets.query_charge(cancelled, ORDER, false).await;
    recorder.compare("charge-query-cancelled", result, "Cancelled");
}

async fn refuse_charges(recorder: &mut Recorder, clock: &Clock) {
    let (unknown, amount) = (registration_id(15), Money::new(10_000, Currency::Nok));
    let result = recorder.nets.query_charge(unknown, ORDER, false).await;
    recorder.compare("charge-query-unknown", result, "NeverRegistered");
    let result = recorder.nets.authorize(unknown).await;
    let expected = "AUTH: no clear reply from Nets: Generic: Unable to find transaction";
    recorder.compare("charge-auth-unknown", result, expected);
    let result = recorder.nets.capture(unknown, amount).await;
    recorder.compare("charge-capture-unknown", result, "Refused");
    let result = recorder.nets.annul(unknown).await;
    recorder.compare("charge-annul-unknown", result, "Refused");
    let credit = CreditRequest { id: unknown, amount, target_minor: 10_000 };
    let result = recorder.nets.credit(&credit).await;
    recorder.compare("charge-credit-unknown", result, "Refused");
    let no_card = Secret::new("unknown".to_owned());
    let result =
        register(&recorder.nets, unknown, (10_000, &no_card, Initiator::Merchant), false).await;
    let expected = "Register: Nets refused: Validation: Unknown pan hash";
    recorder.compare("charge-register-unknown-card", result, expected);
    let fails = store_unrecorded(&recorder.page, 10, "4925000000000079").await;
    let id = registration_id(9);
    register(&recorder.page, id, (10_000, &fails, Initiator::Merchant), false).await.unwrap();
    recorder.page.authorize(id).await.unwrap();
    let result = recorder.nets.capture(id, amount).await;
    let expected =
        "CAPTURE: no clear reply from Nets: Bbs: Unable to capture (Netaxept 99: Capture failed)";
    recorder.compare("charge-capture-failed", result, expected);
    clock.advance("P8D").unwrap();
    let result = recorder.nets.annul(id).await;
    recorder.compare("charge-annul-expired", result, "Refused");
}
