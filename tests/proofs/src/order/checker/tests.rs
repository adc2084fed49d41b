//! What the checker finds: small histories, made of the specification, and then made wrong.

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::order::operation::{Caller, Change, NewPayment, Operation};
use crate::order::spec::{Expected, decide};

/// 2026-11-23T10:00:00Z.
const START: i64 = 1_795_428_000_000;

/// A store and clients that do nothing wrong by themselves.
struct Play {
    checker: Checker,
    slot: u64,
    wallet: Wallet,
    version: u64,
    next: u64,
    now: i64,
}

impl Play {
    fn new() -> Self {
        let slot = place::slot(1, "4711", 0);
        let wallet = Wallet::empty(slot, 1, "4711");
        Self { checker: Checker::default(), slot, wallet, version: 0, next: 0, now: START }
    }

    fn take(&mut self, event: Event) -> Result<(), String> {
        self.checker.take(event).map_err(|violation| violation.what)
    }

    fn invoke(&mut self, operation: Operation) -> (u64, Arc<Call>) {
        self.next += 1;
        self.now += 1;
        let call = Arc::new(Call { caller: Caller::Partner(1), operation, now: self.now });
        self.take(Event::Invoked(self.next, call.clone())).unwrap();
        (self.next, call)
    }

    fn read(&mut self, id: u64) {
        let head = Head { slot: self.slot, version: self.version };
        let stored = (self.version > 0).then_some(Stored::Head(head));
        self.take(Event::Read(id, self.slot, stored)).unwrap();
    }

    /// The item that the wallet is stored as.
    fn item(&self) -> Item {
        Item {
            wallet: Wallet { customer: String::new(), ..self.wallet.clone() },
            version: self.version,
            owner: "b3duZXI=".to_owned(),
            expiry_at: self.wallet.expires_next(),
            chore_at: self.wallet.looked_at_next(),
            right_pan_hashes: true,
        }
    }

    /// What a call makes of the wallet, and is answered, with `wrong` done to the item on its way.
    fn change(
        &mut self,
        operation: Operation,
        wrong: impl FnOnce(&mut Item),
    ) -> Result<Answer, String> {
        let (id, call) = self.invoke(operation);
        self.read(id);
        let mut wallet = self.wallet.at(call.now);
        let expected = decide(&call, &mut wallet).unwrap();
        self.wallet = wallet.written(call.now);
        self.version += 1;
        let mut item = self.item();
        wrong(&mut item);
        self.take(Event::Wrote(id, Box::new(item)))?;
        let answer = answer(&expected);
        self.take(Event::Returned(id, Some(answer.clone())))?;
        Ok(answer)
    }

    fn create(&mut self) -> u64 {
        let answer = self.change(creation(), |_| {}).unwrap();
        answer.body["recurringPaymentId"].as_u64().unwrap()
    }

    fn answered(&mut self, id: u64, answer: Answer) -> Result<(), String> {
        self.take(Event::Returned(id, Some(answer)))
    }
}

fn creation() -> Operation {
    Operation::Create(NewPayment {
        customer: "4711".to_owned(),
        nickname: None,
        primary: None,
        key: None,
    })
}

fn renaming(id: u64) -> Operation {
    Operation::Update(id, Change { nickname: Some(Some("Kort".to_owned())), primary: None })
}

fn answer(expected: &Expected) -> Answer {
    let hal = "application/hal+json";
    match expected {
        Expected::Done(status, body, location) => {
            let mut headers = json!({ "content-type": hal });
            if let Some(location) = location {
                headers["location"] = location.as_str().into();
            }
            Answer { status: *status, headers, body: body.clone() }
        }
        Expected::Terminal(body) => {
            let mut body = body.clone();
            body["terminalUri"] =
                format!("http://nets/?transactionId={}", body["transactionId"]).into();
            Answer { status: 201, headers: json!({ "content-type": hal }), body }
        }
        Expected::Refused(problem) => refusal(problem.status, problem.kind),
    }
}

fn refusal(status: u16, kind: &str) -> Answer {
    let kind = format!("urn:problem-type:recurring-payments:{kind}");
    let headers = json!({ "content-type": "application/problem+json" });
    let mut body = json!({ "type": kind, "status": status });
    if kind.ends_with(":busy") {
        body["errorReason"] = "RESOURCE_BUSY".into();
    }
    Answer { status, headers, body }
}

fn is_found(found: Result<(), String>, what: &str) {
    let found = found.unwrap_err();
    assert!(found.contains(what), "{found}");
}

#[test]
fn what_is_right_is_right() {
    let mut play = Play::new();
    let (first, second) = (play.create(), play.create());
    play.change(renaming(second), |_| {}).unwrap();
    play.change(Operation::End(first), |_| {}).unwrap();
    let (id, call) = play.invoke(Operation::List("4711".to_owned(), false));
    play.read(id);
    let listed = decide(&call, &mut play.wallet.at(call.now)).unwrap();
    play.answered(id, answer(&listed)).unwrap();
    let (id, _) = play.invoke(Operation::Get(first ^ 1 << 20));
    let elsewhere = (first ^ 1 << 20) >> 10;
    play.take(Event::Read(id, elsewhere, None)).unwrap();
    play.answered(id, refusal(404, "not-found")).unwrap();
    play.checker.end().unwrap();
    assert_eq!((play.checker.totals.versions, play.checker.totals.wallets), (4, 1));
}

#[test]
fn a_version_that_is_not_what_the_specification_makes_is_found() {
    type Wrong = fn(&mut Item);
    let wrongs: [(Wrong, &str); 6] = [
        (|item| item.wallet.choices.push(1), "the choices"),
        (|item| item.wallet.payments[0].nickname = None, "a recurring payment"),
        (|item| drop(item.wallet.payments.pop()), "the recurring payments"),
        (|item| item.expiry_at = None, "the index of expiries"),
        (|item| item.chore_at = Some(START), "the index of chores"),
        (|item| item.right_pan_hashes = false, "a pan hash"),
    ];
    for (wrong, what) in wrongs {
        let mut play = Play::new();
        let id = play.create();
        is_found(play.change(renaming(id), wrong).map(drop), what);
    }
}

#[test]
fn two_writers_of_one_version_are_found() {
    let mut play = Play::new();
    let id = play.create();
    play.change(renaming(id), |_| {}).unwrap();
    let (other, _) = play.invoke(Operation::End(id));
    let again = play.item();
    is_found(play.take(Event::Wrote(other, Box::new(again))), "version 2 was written again");
}

#[test]
fn what_is_done_twice_is_found() {
    let mut play = Play::new();
    play.create();
    let (id, call) = play.invoke(creation());
    for _ in 0..2 {
        decide(&call, &mut play.wallet).unwrap();
        play.version += 1;
        let written = play.take(Event::Wrote(id, Box::new(play.item())));
        if play.version == 3 {
            return is_found(written, "one invocation did it twice");
        }
        written.unwrap();
    }
}

#[test]
fn an_answer_that_fits_no_version_is_found() {
    let mut play = Play::new();
    let id = play.create();
    let (get, _) = play.invoke(Operation::Get(id));
    play.read(get);
    is_found(play.answered(get, refusal(404, "not-found")), "fits no version");
    // Done, and answered as if it were not.
    let (end, call) = play.invoke(Operation::End(id));
    decide(&call, &mut play.wallet).unwrap();
    play.version += 1;
    play.take(Event::Wrote(end, Box::new(play.item()))).unwrap();
    is_found(play.answered(end, refusal(404, "not-found")), "expected");
    // Nothing was read.
    let (get, call) = play.invoke(Operation::Get(id));
    let shown = decide(&call, &mut play.wallet.clone()).unwrap();
    is_found(play.answered(get, answer(&shown)), "fits no version");
}

#[test]
fn an_answer_of_a_time_before_the_question_is_found() {
    let mut play = Play::new();
    let id = play.create();
    let before = (play.version, play.wallet.clone());
    play.change(renaming(id), |_| {}).unwrap();
    let (get, call) = play.invoke(Operation::Get(id));
    let head = Head { slot: play.slot, version: before.0 };
    play.take(Event::Read(get, play.slot, Some(Stored::Head(head)))).unwrap();
    let shown = decide(&call, &mut before.1.at(call.now)).unwrap();
    is_found(play.answered(get, answer(&shown)), "began after");
}

/// A write is refused, and the answer names the stored version (`told`) or does not (`refused`); this answer is lost, and the SDK
/// repeats the write (`again`); or the write never arrives, and another version is there (`lost`) or the same one (`nothing`).
#[test]
fn busy_has_decided_five_times_and_written_nothing() {
    let cases = [
        ("told told told told told", false, true),
        ("told told told told", false, false),
        ("told told told told told", true, false),
        ("refused refused refused refused refused", false, true),
        ("refused refused refused refused", false, false),
        ("told lost told told told", false, true),
        ("lost told lost refused refused", false, true),
        ("told lost told told", false, false),
        ("told nothing nothing told told", false, true),
        ("nothing nothing nothing nothing told", false, true),
        ("told told told told nothing", false, true),
        ("nothing nothing nothing nothing nothing nothing", false, false),
        ("told told told told told again", false, true),
        ("again told told told told", false, true),
    ];
    for (races, wrote, fine) in cases {
        let mut play = Play::new();
        let id = play.create();
        let (update, call) = play.invoke(renaming(id));
        play.read(update);
        let mut unseen = false;
        for race in races.split(' ') {
            if race == "nothing" {
                play.read(update);
                continue;
            }
            if std::mem::take(&mut unseen) {
                play.read(update);
            }
            if race == "again" {
                let head = Head { slot: play.slot, version: play.version };
                play.take(Event::Refused(update, Some(head))).unwrap();
                continue;
            }
            let nickname = Some(Some(format!("Kort {}", play.version)));
            play.change(Operation::Update(id, Change { nickname, primary: None }), |_| {}).unwrap();
            let head = Head { slot: play.slot, version: play.version };
            match race {
                "told" => play.take(Event::Refused(update, Some(head))).unwrap(),
                "refused" => {
                    play.take(Event::Refused(update, None)).unwrap();
                    unseen = true;
                }
                _ => play.read(update),
            }
        }
        if wrote {
            decide(&call, &mut play.wallet).unwrap();
            play.version += 1;
            play.take(Event::Wrote(update, Box::new(play.item()))).unwrap();
        }
        assert_eq!(play.answered(update, refusal(409, "busy")).is_ok(), fine, "{races} {wrote}");
    }
}

#[test]
fn a_write_after_its_answer_is_allowed_to_those_who_said_nothing() {
    for said in [Some(503), None, Some(200)] {
        let mut play = Play::new();
        let id = play.create();
        play.change(renaming(id), |_| {}).unwrap();
        let (again, call) = play.invoke(renaming(id));
        play.read(again);
        let shown = answer(&decide(&call, &mut play.wallet).unwrap());
        let answer =
            said.map(|said| if said == 200 { shown } else { refusal(said, "unavailable") });
        play.take(Event::Returned(again, answer)).unwrap();
        play.version += 1;
        let written = play.take(Event::Wrote(again, Box::new(play.item())));
        assert_eq!(written.is_ok(), said != Some(200), "{said:?}");
    }
}

#[test]
fn events_may_come_in_another_order_than_versions() {
    let mut play = Play::new();
    let id = play.create();
    let (update, call) = play.invoke(renaming(id));
    let (get, later) = play.invoke(Operation::Get(id));
    let expected = decide(&call, &mut play.wallet).unwrap();
    play.version += 1;
    // It was read, and answered, before anybody told that it was written.
    play.read(get);
    let shown = decide(&later, &mut play.wallet.clone()).unwrap();
    play.answered(get, answer(&shown)).unwrap();
    assert!(play.checker.end().is_err(), "somebody saw what nobody wrote");
    play.take(Event::Wrote(update, Box::new(play.item()))).unwrap();
    play.answered(update, answer(&expected)).unwrap();
    play.checker.end().unwrap();
}

#[test]
fn a_wallet_in_the_wrong_place_or_of_somebody_else_is_found() {
    let mut play = Play::new();
    let (id, call) = play.invoke(creation());
    decide(&call, &mut play.wallet).unwrap();
    play.wallet.slot += 1;
    play.version += 1;
    is_found(play.take(Event::Wrote(id, Box::new(play.item()))), "does not belong");
    let mut play = Play::new();
    let id = play.create();
    let somebody = |item: &mut Item| item.owner = "b3RoZXI=".to_owned();
    is_found(play.change(renaming(id), somebody).map(drop), "somebody else's");
}

/// The page is there, the customer enters a card, and nobody fetches it.
#[test]
fn a_lost_card_is_found() {
    let card = || Press::Good("VISA".to_owned(), "0004".to_owned(), "2029-03".to_owned());
    let opened = || {
        let mut play = Play::new();
        let id = play.create();
        let answer = play.change(Operation::Terminal(id, None), |_| {}).unwrap();
        let transaction = answer.body["transactionId"].as_u64().unwrap();
        play.take(Event::Pressing(transaction, card())).unwrap();
        play.take(Event::Pressed(transaction, true)).unwrap();
        (play, id)
    };
    let (mut play, _) = opened();
    is_found(play.take(Event::Quiet(play.now)), "a card is lost");
    let (mut play, id) = opened();
    let (authorize, _) = play.invoke(Operation::Authorize(id));
    play.read(authorize);
    is_found(play.answered(authorize, refusal(409, "terminal-open")), "fits no version");
}

#[test]
fn what_stays_due_is_found() {
    let mut play = Play::new();
    play.create();
    play.take(Event::Quiet(START + 3_600_000)).unwrap();
    let id = play.create();
    play.change(renaming(id), |_| {}).unwrap();
    is_found(play.take(Event::Quiet(START + 100_000_000)), "something is due");
}
